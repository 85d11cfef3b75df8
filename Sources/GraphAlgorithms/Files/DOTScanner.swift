import TextFiles

/// The words and signs of a DOT file.
struct DOTScanner {
  enum Token: Equatable {
    /// A name, a number or a quoted text. Quoted ones are never keywords.
    case id([UInt8], isQuoted: Bool)
    /// `{ } [ ] ; , : =`
    case sign(UInt8)
    /// `->` or `--`
    case edge(isDirected: Bool)
    case end
  }

  let text: GraphText
  private var position: Int
  /// Where the current token begins.
  private(set) var start = 0
  private(set) var token = Token.end

  init(_ text: GraphText) throws {
    self.text = text
    position = text.position
    try advance()
  }

  func error(_ message: String, at offset: Int? = nil, hint: String? = nil) -> SourceError {
    text.error(message, at: offset ?? start, hint: hint)
  }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    position + ahead < text.bytes.count ? text.bytes[position + ahead] : 0
  }
  private var isAtEnd: Bool { position >= text.bytes.count }

  mutating func advance() throws {
    try skipComments()
    start = position
    guard !isAtEnd else {
      token = .end
      return
    }
    let first = byte()
    switch first {
    case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ";"),
      UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "="):
      token = .sign(first)
      position += 1
    case UInt8(ascii: "-") where byte(1) == UInt8(ascii: ">") || byte(1) == UInt8(ascii: "-"):
      token = .edge(isDirected: byte(1) == UInt8(ascii: ">"))
      position += 2
    case UInt8(ascii: "\""): token = .id(try quoted(), isQuoted: true)
    case UInt8(ascii: "<"): token = .id(try markup(), isQuoted: true)
    default:
      let isNumber = first &- 48 < 10 || first == UInt8(ascii: "-") || first == UInt8(ascii: ".")
      while Self.isName(byte()) || (isNumber && byte() == UInt8(ascii: "."))
        || (position == start && isNumber)
      {
        position += 1
      }
      guard position > start else { throw error("unexpected \(text.quoted(start..<start + 1))") }
      token = .id(Array(text.bytes[start..<position]), isQuoted: false)
    }
  }

  private static func isName(_ byte: UInt8) -> Bool {
    byte >= 128 || byte | 32 >= 97 && byte | 32 <= 122 || byte &- 48 < 10 || byte == UInt8(ascii: "_")
  }

  private mutating func skipComments() throws {
    while !isAtEnd {
      if byte() <= 32 && byte() != 0 {
        position += 1
      } else if byte() == UInt8(ascii: "/") && byte(1) == UInt8(ascii: "*") {
        let open = position
        position += 2
        while !isAtEnd && !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) { position += 1 }
        guard !isAtEnd else { throw error("the comment is not closed", at: open) }
        position += 2
      } else if byte() == UInt8(ascii: "/") && byte(1) == UInt8(ascii: "/")
        || byte() == UInt8(ascii: "#") && (position == 0 || text.bytes[position - 1] == 10)
      {
        while !isAtEnd && byte() != 10 { position += 1 }
      } else {
        return
      }
    }
  }

  /// A text in quotes, and those joined to it by +. As in Graphviz only \" and an escaped newline are replaced;
  /// two backslashes stay two, and escape nothing.
  private mutating func quoted() throws -> [UInt8] {
    var content: [UInt8] = []
    while true {
      let open = position
      position += 1
      while true {
        guard !isAtEnd else { throw error("the quote is not closed", at: open) }
        let next = byte()
        position += 1
        if next == UInt8(ascii: "\"") { break }
        if next == UInt8(ascii: "\\"), byte() == UInt8(ascii: "\"") {
          content.append(UInt8(ascii: "\""))
          position += 1
        } else if next == UInt8(ascii: "\\"), byte() == 10 {
          position += 1
        } else if next == UInt8(ascii: "\\"), byte() == UInt8(ascii: "\\") {
          content += [next, next]
          position += 1
        } else {
          content.append(next)
        }
      }
      let end = position
      try skipComments()
      guard byte() == UInt8(ascii: "+") else {
        position = end
        return content
      }
      position += 1
      try skipComments()
      guard byte() == UInt8(ascii: "\"") else { throw error("a quoted text expected behind +", at: position) }
    }
  }

  /// `<…>` with balanced angle brackets.
  private mutating func markup() throws -> [UInt8] {
    var depth = 0
    repeat {
      guard !isAtEnd else { throw error("the < is not closed") }
      if byte() == UInt8(ascii: "<") { depth += 1 }
      if byte() == UInt8(ascii: ">") { depth -= 1 }
      position += 1
    } while depth > 0
    return Array(text.bytes[start + 1..<position - 1])
  }
}
