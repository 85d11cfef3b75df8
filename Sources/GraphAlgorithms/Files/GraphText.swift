import TextFiles

/// A text that is being read: a position that only moves forward, and errors that say where it was.
///
/// Words stay byte ranges of the text: no `String` per number.
struct GraphText {
  let bytes: [UInt8]
  let file: String
  var position = 0

  init(_ bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
    // A byte order mark is no part of the text.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  var isAtEnd: Bool { position >= bytes.count }
  /// The byte at the position; 0 at the end.
  var byte: UInt8 { position < bytes.count ? bytes[position] : 0 }

  func error(_ message: String, at offset: Int? = nil, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: bytes, offset: offset ?? position, message: message, hint: hint)
  }

  func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// A word for messages, cut if it is long.
  func quoted(_ range: Range<Int>) -> String {
    let cut = range.prefix(40)
    return "'\(string(cut.lowerBound..<cut.upperBound))\(cut.count < range.count ? "…" : "")'"
  }

  func matches(_ word: StaticString, at offset: Int) -> Bool {
    guard offset + word.utf8CodeUnitCount <= bytes.count else { return false }
    return word.withUTF8Buffer { word in
      word.indices.allSatisfy { word[$0] == bytes[offset + $0] }
    }
  }

  /// Moves behind `word` if it is next.
  mutating func skip(_ word: StaticString) -> Bool {
    guard matches(word, at: position) else { return false }
    position += word.utf8CodeUnitCount
    return true
  }

  /// Skips blanks and tabs, and the carriage return of lines that end in two characters.
  mutating func skipBlanks() {
    while position < bytes.count, bytes[position] == 32 || bytes[position] == 9 || bytes[position] == 13 {
      position += 1
    }
  }

  mutating func skipWhitespace() {
    while position < bytes.count, bytes[position] <= 32, bytes[position] != 0 { position += 1 }
  }

  /// Moves to the newline that ends the line, or the end.
  mutating func skipLine() {
    while position < bytes.count && bytes[position] != 10 { position += 1 }
  }

  /// The next run of bytes that are not blank on this line; empty at its end.
  mutating func word() -> Range<Int> {
    skipBlanks()
    let start = position
    while position < bytes.count, bytes[position] > 32 { position += 1 }
    if position == start, position < bytes.count, bytes[position] != 10 { position += 1 }
    return start..<position
  }

  /// Behind the newline if nothing is left on the line.
  /// - Throws: `SourceError` at what is left.
  mutating func endLine(after what: String) throws {
    skipBlanks()
    if isAtEnd { return }
    guard byte == 10 else {
      let start = position
      let rest = word()
      throw error("\(quoted(rest)) behind \(what)", at: start)
    }
    position += 1
  }

  /// A whole number without a sign.
  func integer(_ range: Range<Int>) -> Int? {
    guard !range.isEmpty, range.count <= 18 else { return nil }
    var value = 0
    for index in range {
      let digit = bytes[index] &- 48
      guard digit < 10 else { return nil }
      value = value * 10 + Int(digit)
    }
    return value
  }

  /// A decimal number, correctly rounded; `nil` for anything else, NaN for texts that mean NaN, and infinity for
  /// those that mean it or are too large.
  ///
  /// Up to 15 digits and 22 places the quotient of two exact numbers is rounded once (Clinger 1990); the rest is left
  /// to the standard library.
  func number(_ range: Range<Int>) -> Double? {
    var index = range.lowerBound
    guard index < range.upperBound else { return nil }
    let isNegative = bytes[index] == UInt8(ascii: "-")
    if isNegative || bytes[index] == UInt8(ascii: "+") { index += 1 }
    var mantissa = 0
    var digits = 0
    var places = 0
    var point = false
    while index < range.upperBound, digits <= 15 {
      let byte = bytes[index]
      if byte == UInt8(ascii: "."), !point {
        point = true
      } else if byte &- 48 < 10 {
        mantissa = mantissa * 10 + Int(byte &- 48)
        digits += 1
        if point { places += 1 }
      } else {
        break
      }
      index += 1
    }
    guard index == range.upperBound, digits > 0, digits <= 15, places <= 22 else { return slowNumber(range) }
    let value = places == 0 ? Double(mantissa) : Double(mantissa) / Self.powers[places]
    return isNegative ? -value : value
  }

  private static let powers: [Double] = (0...22).reduce(into: []) { powers, place in
    powers.append(place == 0 ? 1 : powers[place - 1] * 10)
  }

  private func slowNumber(_ range: Range<Int>) -> Double? {
    guard range.count <= 400 else { return nil }
    let text = string(range).lowercased()
    switch text {
    case "nan", "-nan", "+nan": return .nan
    case "inf", "+inf", "infinity", "+infinity": return .infinity
    case "-inf", "-infinity": return -.infinity
    default:
      // Hexadecimal and other things that Swift reads are no weights.
      guard text.utf8.allSatisfy({ $0 &- 48 < 10 || "+-.e".utf8.contains($0) }) else { return nil }
      return Double(text)
    }
  }
}
