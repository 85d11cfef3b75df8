/// Texts as Python's methods see them: rows of code points.
enum PythonStrings {
  /// Where a part first occurs at or after a byte; `nil` if it does not.
  static func find(_ part: String, in text: String, from start: Int) -> Int? {
    var text = text
    var part = part
    return text.withUTF8 { text in
      part.withUTF8 { part in
        guard part.count <= text.count - start else { return nil }
        if part.isEmpty { return start }
        var i = start
        while i + part.count <= text.count {
          if text[i] == part[0] {
            var length = 1
            while length < part.count && text[i + length] == part[length] { length += 1 }
            if length == part.count { return i }
          }
          i += 1
        }
        return nil
      }
    }
  }

  /// The parts of a text between the occurrences of a separator, at most `most` cuts.
  static func split(_ text: String, by separator: String, most: Int = .max) -> [String] {
    var parts: [String] = []
    let bytes = Array(text.utf8)
    var start = 0
    while parts.count < most, let found = find(separator, in: text, from: start) {
      parts.append(String(decoding: bytes[start..<found], as: UTF8.self))
      start = found + separator.utf8.count
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  static func splitFromEnd(_ text: String, by separator: String, most: Int) -> [String] {
    let parts = split(text, by: separator)
    guard parts.count - 1 > most else { return parts }
    let cut = parts.count - most
    return [parts[..<cut].joined(separator: separator)] + parts[cut...]
  }

  static func splitBlanks(_ text: String, most: Int = .max) -> [String] {
    var parts: [String] = []
    var rest = text.unicodeScalars[...].drop(while: isPythonBlank)
    while !rest.isEmpty {
      guard parts.count < most else {
        while let last = rest.last, isPythonBlank(last) { rest.removeLast() }
        parts.append(String(rest))
        break
      }
      let word = rest.prefix { !isPythonBlank($0) }
      parts.append(String(word))
      rest = rest[word.endIndex...].drop(while: isPythonBlank)
    }
    return parts
  }

  static func replace(_ text: String, _ old: String, _ new: String, most: Int = .max) -> String {
    if old.isEmpty {
      var result = ""
      var rest = most
      for scalar in text.unicodeScalars {
        if rest > 0 {
          result += new
          rest -= 1
        }
        result.unicodeScalars.append(scalar)
      }
      return rest > 0 ? result + new : result
    }
    return split(text, by: old, most: most).joined(separator: new)
  }

  static func strip(_ text: String, _ characters: String?, left: Bool = true, right: Bool = true) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    func isWanted(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? isPythonBlank(scalar) }
    var rest = text.unicodeScalars[...]
    if left { rest = rest.drop(while: isWanted) }
    while right, let last = rest.last, isWanted(last) { rest.removeLast() }
    return String(rest)
  }

  static func hasPrefix(_ text: String, _ prefix: String) -> Bool { text.utf8.starts(with: prefix.utf8) }

  static func hasSuffix(_ text: String, _ suffix: String) -> Bool {
    text.utf8.count >= suffix.utf8.count && text.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  static func lines(_ text: String, keepsEnds: Bool) -> [String] {
    let ends: Set<Unicode.Scalar> = [
      "\n", "\r", "\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}",
    ]
    var result: [String] = []
    var line = String.UnicodeScalarView()
    let scalars = Array(text.unicodeScalars)
    var i = 0
    while i < scalars.count {
      guard ends.contains(scalars[i]) else {
        line.append(scalars[i])
        i += 1
        continue
      }
      let isPair = scalars[i] == "\r" && i + 1 < scalars.count && scalars[i + 1] == "\n"
      if keepsEnds { line.append(contentsOf: scalars[i...(isPair ? i + 1 : i)]) }
      i += isPair ? 2 : 1
      result.append(String(line))
      line = String.UnicodeScalarView()
    }
    return line.isEmpty ? result : result + [String(line)]
  }

  /// The first character in upper case (title case), the others in lower case.
  static func capitalize(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return "" }
    return first.properties.titlecaseMapping + lower(String(text.unicodeScalars.dropFirst()))
  }

  static func lower(_ text: String) -> String { text.lowercased() }
  static func upper(_ text: String) -> String { text.uppercased() }

  /// Every word begins in upper case, words being rows of letters.
  static func title(_ text: String) -> String {
    var result = ""
    var isInside = false
    for scalar in text.unicodeScalars {
      let isCased = scalar.properties.isCased
      result +=
        !isCased
        ? String(scalar) : isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      isInside = isCased
    }
    return result
  }
}
