#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A text in the FLEQ language, and where it came from: what errors point into.
final class FleqSource: Sendable {
  let file: String
  let bytes: [UInt8]
  /// Whether it is the text of the standard functions.
  let isStandard: Bool

  init(file: String, bytes: [UInt8], isStandard: Bool = false) {
    self.file = file
    self.bytes = bytes
    self.isStandard = isStandard
  }

  func error(_ message: String, at offset: Int, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: bytes, offset: offset, message: message, hint: hint)
  }

}

struct FleqToken: Equatable {
  enum Kind: Equatable {
    case number(Double)
    case name(String)
    case keyword(String)
    case symbol(String)
    /// The end of a line, where a statement may end.
    case newline
    case end
  }

  var kind: Kind
  var offset: Int
  /// The byte behind it.
  var end: Int
}

/// Splits a text into tokens. `#` starts a comment; a line goes on inside brackets and behind an operator or comma.
struct FleqLexer {
  static let keywords: Set<String> = [
    "let", "var", "data", "func", "return", "if", "else", "while", "repeat", "for", "in", "and", "or", "not",
  ]
  private static let symbols = [
    ".*", "==", "!=", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "%", "'", "(", ")", "[", "]", "{", "}",
    ",", ":", ";",
  ].map { (text: $0, bytes: Array($0.utf8)) }
  private static let continuing: Set<String> = [
    ".*", "==", "!=", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", ",",
  ]

  let source: FleqSource
  let limits: FleqCompiler.Limits
  private var position = 0
  private var openBrackets = 0
  private var tokens: [FleqToken] = []

  init(_ source: FleqSource, limits: FleqCompiler.Limits) {
    self.source = source
    self.limits = limits
  }

  /// - Throws: `SourceError` for a byte that starts nothing, or a number or name that is too long or too large.
  /// - Complexity: O(source).
  static func tokens(of source: FleqSource, limits: FleqCompiler.Limits) throws -> [FleqToken] {
    var lexer = FleqLexer(source, limits: limits)
    while let byte = lexer.peek() { try lexer.scan(byte) }
    lexer.add(.newline, from: lexer.position)
    lexer.add(.end, from: lexer.position)
    return lexer.tokens
  }

  private func peek(_ distance: Int = 0) -> UInt8? {
    position + distance < source.bytes.count ? source.bytes[position + distance] : nil
  }

  private mutating func add(_ kind: FleqToken.Kind, from start: Int) {
    tokens.append(FleqToken(kind: kind, offset: start, end: position))
  }

  private mutating func scan(_ byte: UInt8) throws {
    let start = position
    switch byte {
    case 32, 9, 13: position += 1
    case 10:
      position += 1
      if openBrackets == 0, !lineContinues { add(.newline, from: start) }
    case UInt8(ascii: "#"): while let byte = peek(), byte != 10 { position += 1 }
    case _ where Self.isDigit(byte): try scanNumber()
    case _ where Self.isLetter(byte):
      while let byte = peek(), Self.isLetter(byte) || Self.isDigit(byte) { position += 1 }
      guard position - start <= limits.nameBytes else {
        throw source.error("a name has more than \(limits.nameBytes) characters", at: start)
      }
      let text = String(decoding: source.bytes[start..<position], as: UTF8.self)
      add(Self.keywords.contains(text) ? .keyword(text) : .name(text), from: start)
    default:
      guard let symbol = Self.symbols.first(where: { source.bytes[start...].starts(with: $0.bytes) }) else {
        throw source.error(
          byte > 32 && byte < 127
            ? "'\(Character(UnicodeScalar(byte)))' means nothing here" : "byte \(byte) means nothing here",
          at: start)
      }
      position += symbol.bytes.count
      if symbol.text == "(" || symbol.text == "[" { openBrackets += 1 }
      if symbol.text == ")" || symbol.text == "]" { openBrackets = max(0, openBrackets - 1) }
      add(symbol.text == ";" ? .newline : .symbol(symbol.text), from: start)
    }
  }

  private var lineContinues: Bool {
    if case .symbol(let text) = tokens.last?.kind { Self.continuing.contains(text) } else { false }
  }

  /// Digits, a fraction, an exponent: `3`, `0.25`, `1e-3`.
  private mutating func scanNumber() throws {
    let start = position
    func digits(_ lexer: inout FleqLexer) {
      while let byte = lexer.peek(), Self.isDigit(byte) { lexer.position += 1 }
    }
    digits(&self)
    if peek() == UInt8(ascii: "."), let next = peek(1), Self.isDigit(next) {
      position += 1
      digits(&self)
    }
    if let byte = peek(), byte | 32 == UInt8(ascii: "e") {
      let sign = peek(1) == UInt8(ascii: "-") || peek(1) == UInt8(ascii: "+") ? 2 : 1
      if let digit = peek(sign), Self.isDigit(digit) {
        position += sign
        digits(&self)
      }
    }
    guard position - start <= limits.nameBytes, peek().map({ !Self.isLetter($0) }) ?? true,
      let value = Double(String(decoding: source.bytes[start..<position], as: UTF8.self))
    else { throw source.error("not a number", at: start) }
    guard value <= FleqNetwork.largestValue else {
      throw source.error("the network holds numbers up to 2^26", at: start)
    }
    add(.number(value), from: start)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 32 >= 97 && byte | 32 <= 122) || byte == UInt8(ascii: "_")
  }
}
