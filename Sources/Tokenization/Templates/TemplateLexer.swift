/// Takes a template apart: text, and the tokens within tags.
///
/// Blanks around tags are treated as `jinja2` does with `trim_blocks` and `lstrip_blocks`, which is how chat templates are
/// run everywhere. Complexity: O(source).
struct TemplateLexer {
  enum Kind: Equatable {
    /// Text between tags.
    case text(String)
    case outputBegin, outputEnd, blockBegin, blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
    case end
  }

  struct Token {
    var kind: Kind
    var line: Int
  }

  private let source: [Unicode.Scalar]
  private var position = 0
  private var line = 1
  private var tokens: [Token] = []
  /// Whether the last tag, with what it took, ended a line.
  private var isLineStart = true

  static let symbols2 = ["//", "**", "==", "!=", "<=", ">="]
  static let symbols1 = "+-*/%~[](){}<>=.:|,;"

  /// - Throws: `TemplateError`.
  static func tokens(of text: String) throws -> [Token] {
    var lexer = TemplateLexer(text)
    try lexer.run()
    return lexer.tokens
  }

  private init(_ text: String) {
    // Line ends are made equal, and the last one is not part of the template.
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(text.utf8.count)
    var wasReturn = false
    for scalar in text.unicodeScalars {
      if scalar == "\n" && wasReturn {
        wasReturn = false
        continue
      }
      wasReturn = scalar == "\r"
      scalars.append(wasReturn ? "\n" : scalar)
    }
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  private func wrong(_ message: String, hint: String? = nil) -> TemplateError {
    TemplateError(line: line, message: message, hint: hint)
  }

  private func looking(at text: StaticString, _ offset: Int = 0) -> Bool {
    let count = text.utf8CodeUnitCount
    guard position + offset + count <= source.count else { return false }
    for index in 0..<count where source[position + offset + index].value != UInt32(text.utf8Start[index]) {
      return false
    }
    return true
  }

  private mutating func add(_ kind: Kind) { tokens.append(Token(kind: kind, line: line)) }

  private mutating func skip(_ count: Int) {
    for scalar in source[position..<(position + count)] where scalar == "\n" { line += 1 }
    position += count
  }

  private mutating func run() throws {
    while position < source.count {
      var end = position
      while end < source.count {
        if source[end] == "{", end + 1 < source.count, "{%#".unicodeScalars.contains(source[end + 1]) {
          break
        }
        end += 1
      }
      let isAtEnd = end == source.count
      let sign = end + 2 < source.count ? source[end + 2] : " "
      let isOutput = !isAtEnd && source[end + 1] == "{"
      var textEnd = end
      if !isAtEnd && sign == "-" {
        while textEnd > position, isPythonBlank(source[textEnd - 1]) { textEnd -= 1 }
      } else if !isAtEnd && !isOutput && sign != "+" {
        // `lstrip_blocks`: blanks between the beginning of the line and the tag go.
        var start = end
        while start > position, source[start - 1] != "\n", isPythonBlank(source[start - 1]) { start -= 1 }
        if start > position ? source[start - 1] == "\n" : isLineStart { textEnd = start }
      }
      if textEnd > position {
        let start = line
        let text = String(String.UnicodeScalarView(source[position..<textEnd]))
        skip(textEnd - position)
        tokens.append(Token(kind: .text(text), line: start))
      }
      skip(end - position)
      guard !isAtEnd else { break }
      let isComment = source[position + 1] == "#"
      skip(2)
      if sign == "-" || sign == "+" { skip(1) }
      if isComment {
        try skipComment()
      } else if isOutput {
        add(.outputBegin)
        try tag(closing: "}}")
      } else if let length = rawTag() {
        try raw(length)
      } else {
        add(.blockBegin)
        try tag(closing: "%}")
      }
    }
    add(.end)
  }

  // MARK: Ends of tags

  /// Reads the end of a tag, with the blanks that it takes along.
  private mutating func close(_ sign: Unicode.Scalar?, isOutput: Bool) {
    skip(sign == nil ? 2 : 3)
    isLineStart = false
    if sign == "-" {
      while position < source.count, isPythonBlank(source[position]) {
        isLineStart = source[position] == "\n"
        skip(1)
      }
    } else if sign == nil, !isOutput, position < source.count, source[position] == "\n" {
      skip(1)
      isLineStart = true
    }
  }

  private mutating func skipComment() throws {
    let start = line
    while position < source.count {
      if looking(at: "#}") { return close(nil, isOutput: false) }
      if looking(at: "-#}") { return close("-", isOutput: false) }
      if looking(at: "+#}") { return close("+", isOutput: false) }
      skip(1)
    }
    throw TemplateError(
      line: start, message: "a comment begins here and never ends", hint: "close it with #}")
  }

  // MARK: Raw text

  /// The length of ` raw` and the end of its tag, if that is what follows.
  private func rawTag(_ name: StaticString = "raw") -> (nameEnd: Int, sign: Unicode.Scalar?)? {
    var offset = 0
    while position + offset < source.count, isPythonBlank(source[position + offset]) { offset += 1 }
    guard looking(at: name, offset) else { return nil }
    offset += name.utf8CodeUnitCount
    while position + offset < source.count, isPythonBlank(source[position + offset]) { offset += 1 }
    if looking(at: "%}", offset) { return (offset, nil) }
    if looking(at: "-%}", offset) { return (offset, "-") }
    if looking(at: "+%}", offset) { return (offset, "+") }
    return nil
  }

  private mutating func raw(_ tag: (nameEnd: Int, sign: Unicode.Scalar?)) throws {
    let start = line
    skip(tag.nameEnd)
    // Only a minus takes anything here: the line end belongs to the text.
    if tag.sign == "-" {
      close("-", isOutput: true)
    } else {
      skip(tag.sign == nil ? 2 : 3)
      isLineStart = false
    }
    let begin = position
    while position < source.count {
      if looking(at: "{%") {
        let end = position
        let first = line
        skip(2)
        let sign = position < source.count ? source[position] : " "
        if sign == "-" || sign == "+" { skip(1) }
        if let closing = rawTag("endraw") {
          var textEnd = end
          if sign == "-" {
            while textEnd > begin, isPythonBlank(source[textEnd - 1]) { textEnd -= 1 }
          } else if sign != "+" {
            var lineStart = end
            while lineStart > begin, source[lineStart - 1] != "\n", isPythonBlank(source[lineStart - 1]) {
              lineStart -= 1
            }
            if lineStart > begin && source[lineStart - 1] == "\n" { textEnd = lineStart }
          }
          let text = String(String.UnicodeScalarView(source[begin..<textEnd]))
          tokens.append(Token(kind: .text(text), line: first))
          skip(closing.nameEnd)
          return close(closing.sign, isOutput: false)
        }
      } else {
        skip(1)
      }
    }
    throw TemplateError(
      line: start, message: "raw text begins here and never ends", hint: "close it with {% endraw %}")
  }

  // MARK: Within tags

  private mutating func tag(closing: StaticString) throws {
    let start = line
    let isOutput = closing.utf8Start[0] == UInt8(ascii: "}")
    var brackets: [Unicode.Scalar] = []
    while true {
      while position < source.count, isPythonBlank(source[position]) { skip(1) }
      guard position < source.count else {
        throw TemplateError(
          line: start, message: "a tag begins here and never ends", hint: "close it with \(closing)")
      }
      if brackets.isEmpty {
        for sign in [nil, "-", "+"] as [Unicode.Scalar?] where !(isOutput && sign == "+") {
          if let sign, source[position] != sign { continue }
          if looking(at: closing, sign == nil ? 0 : 1) {
            add(isOutput ? .outputEnd : .blockEnd)
            return close(sign, isOutput: isOutput)
          }
        }
      }
      try token(&brackets)
    }
  }

  private mutating func token(_ brackets: inout [Unicode.Scalar]) throws {
    let scalar = source[position]
    if scalar == "'" || scalar == "\"" { return try string() }
    if scalar.properties.numericType == .decimal && scalar.isASCII { return try number() }
    if scalar == "_" || scalar.properties.isXIDStart {
      var end = position + 1
      while end < source.count, source[end].properties.isXIDContinue { end += 1 }
      add(.name(String(String.UnicodeScalarView(source[position..<end]))))
      position = end
      return
    }
    if position + 1 < source.count {
      let pair = String(String.UnicodeScalarView(source[position...(position + 1)]))
      if Self.symbols2.contains(pair) {
        add(.symbol(pair))
        position += 2
        return
      }
    }
    guard Self.symbols1.unicodeScalars.contains(scalar) else {
      throw wrong("\(Value.quoted(String(scalar))) has no meaning within a tag")
    }
    switch scalar {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard brackets.popLast() == scalar else { throw wrong("\"\(scalar)\" closes nothing that was opened") }
    default: break
    }
    add(.symbol(String(scalar)))
    position += 1
  }

  private mutating func number() throws {
    func digits(_ start: Int) -> Int {
      var end = start
      while end < source.count,
        ("0"..."9").contains(source[end])
          || (source[end] == "_" && end > start && end + 1 < source.count
            && ("0"..."9").contains(source[end + 1]))
      { end += 1 }
      return end
    }
    var end = digits(position)
    var isWhole = true
    if end + 1 < source.count, source[end] == ".", ("0"..."9").contains(source[end + 1]) {
      isWhole = false
      end = digits(end + 1)
    }
    if end + 1 < source.count, source[end] == "e" || source[end] == "E" {
      let signed = source[end + 1] == "+" || source[end + 1] == "-" ? end + 2 : end + 1
      if case let stop = digits(signed), stop > signed {
        isWhole = false
        end = stop
      }
    }
    let text = String(String.UnicodeScalarView(source[position..<end].filter { $0 != "_" }))
    position = end
    if isWhole {
      guard let integer = Int(text) else { throw wrong("the number \(text.prefix(40)) is too large") }
      add(.integer(integer))
    } else {
      add(.number(Double(text) ?? .infinity))
    }
  }

  private mutating func string() throws {
    let quote = source[position]
    let start = line
    var result = String.UnicodeScalarView()
    skip(1)
    while position < source.count, source[position] != quote {
      let scalar = source[position]
      skip(1)
      guard scalar == "\\", position < source.count else {
        result.append(scalar)
        continue
      }
      let escaped = source[position]
      skip(1)
      switch escaped {
      case "n": result.append("\n")
      case "t": result.append("\t")
      case "r": result.append("\r")
      case "b": result.append("\u{8}")
      case "f": result.append("\u{c}")
      case "v": result.append("\u{b}")
      case "a": result.append("\u{7}")
      case "\n": break
      case "\\", "'", "\"": result.append(escaped)
      case "x": try result.append(code(2, radix: 16))
      case "u": try result.append(code(4, radix: 16))
      case "U": try result.append(code(8, radix: 16))
      case "0"..."7":
        position -= 1
        var value: UInt32 = 0
        for _ in 0..<3 where position < source.count && ("0"..."7").contains(source[position]) {
          value = value * 8 + source[position].value - 48
          position += 1
        }
        result.append(Unicode.Scalar(value)!)
      default: result.append(contentsOf: ["\\", escaped])
      }
    }
    guard position < source.count else {
      throw TemplateError(line: start, message: "a string begins here and never ends")
    }
    position += 1
    tokens.append(Token(kind: .string(String(result)), line: start))
  }

  private mutating func code(_ digits: Int, radix: Int) throws -> Unicode.Scalar {
    guard position + digits <= source.count,
      let value = UInt32(
        String(String.UnicodeScalarView(source[position..<(position + digits)])), radix: radix),
      let scalar = Unicode.Scalar(value)
    else { throw wrong("an escape in a string names no character") }
    position += digits
    return scalar
  }
}
