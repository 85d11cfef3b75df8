import Foundation

/// Reads JSON as it comes, without a tree: a vocabulary of 49,000 entries goes straight into its tables.
///
/// A scanner of its own, because Foundation's builds the whole tree, as objects, before any of it can be refused; that
/// is slow for a vocabulary and unbounded for a hostile file. Memory: what the caller keeps. Depth is limited, so that
/// nesting cannot exhaust the stack.
struct JSONScanner {
  static let largestDepth = 64
  /// Of all values kept as trees; vocabularies and merges are not.
  static let largestTree = 1 << 20

  let text: UnsafeBufferPointer<UInt8>
  var position = 0
  /// What leads to where the scanner is.
  private var path: [Part] = []

  private enum Part {
    case key(String)
    case index(Int)
  }
  private var depth = 0
  private var values = 0

  /// - Parameter text: must outlive the scanner.
  /// - Throws: `TokenizerError` if it is not UTF-8.
  init(_ text: UnsafeBufferPointer<UInt8>) throws {
    self.text = text
    if text.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    if let bad = UTF8Text.firstInvalid(text) {
      throw TokenizerError(file: "", message: "is not UTF-8: byte \(bad) begins no character")
    }
  }

  /// The place now, such as `model.merges[3]`.
  var place: String {
    path.reduce(into: "") { result, part in
      switch part {
      case .key(let key): result += result.isEmpty ? key : ".\(key)"
      case .index(let index): result += "[\(index)]"
      }
    }
  }

  func wrong(_ message: String, hint: String? = nil) -> TokenizerError {
    TokenizerError(file: "", place: place, message: "\(message) (byte \(position))", hint: hint)
  }

  /// Refuses whatever follows the value that was read.
  mutating func end() throws {
    skipBlanks()
    guard position == text.count else { throw wrong("something follows the end of the value") }
  }

  // MARK: Containers

  mutating func object(_ member: (inout Self, String) throws -> Void) throws {
    try enter("{")
    if !skip("}") {
      repeat {
        let key = try string()
        try expect(":")
        path.append(.key(key.utf8.count > 60 ? "\(key.prefix(60))…" : key))
        try member(&self, key)
        path.removeLast()
      } while skip(",")
      try expect("}")
    }
    depth -= 1
  }

  /// An object of many members, whose keys go to the end of `arena`. No key becomes part of the path.
  mutating func object(
    keysInto arena: inout [UInt8], _ member: (inout Self, Range<Int>) throws -> Void
  ) throws {
    try enter("{")
    if !skip("}") {
      repeat {
        let start = arena.count
        try string(into: &arena)
        try expect(":")
        try member(&self, start..<arena.count)
      } while skip(",")
      try expect("}")
    }
    depth -= 1
  }

  mutating func array(_ element: (inout Self) throws -> Void) throws {
    try enter("[")
    if !skip("]") {
      var index = 0
      repeat {
        path.append(.index(index))
        try element(&self)
        path.removeLast()
        index += 1
      } while skip(",")
      try expect("]")
    }
    depth -= 1
  }

  private mutating func enter(_ opening: Unicode.Scalar) throws {
    guard depth < Self.largestDepth else {
      throw wrong("values are nested more than \(Self.largestDepth) deep")
    }
    try expect(opening)
    depth += 1
  }

  // MARK: Values

  /// Whether the value that comes is null, which is then read.
  mutating func null() -> Bool {
    skipBlanks()
    return word("null")
  }

  /// The first character of the value that comes; 0 at the end.
  mutating func peek() -> UInt8 {
    skipBlanks()
    return position < text.count ? text[position] : 0
  }

  mutating func bool() throws -> Bool {
    skipBlanks()
    if word("true") { return true }
    if word("false") { return false }
    throw wrong("true or false is expected")
  }

  /// A whole number from 0 to `largest`.
  mutating func count(upTo largest: Int) throws -> Int {
    skipBlanks()
    let start = position
    var value = 0
    while position < text.count, case let digit = text[position] &- 48, digit < 10 {
      guard position - start < 18 else { throw wrong("a number from 0 to \(largest) is expected") }
      value = value * 10 + Int(digit)
      position += 1
    }
    guard position > start, value <= largest, position == start + 1 || text[start] != 48,
      position == text.count || ![46, 69, 101].contains(text[position])
    else {
      position = start
      throw wrong("a whole number from 0 to \(largest) is expected")
    }
    return value
  }

  /// Any value, as a tree.
  mutating func value() throws -> JSONValue {
    values += 1
    guard values <= Self.largestTree else {
      throw wrong("the file has more than \(Self.largestTree) values besides its vocabulary and merges")
    }
    switch peek() {
    case UInt8(ascii: "{"):
      var members: [JSONValue.Member] = []
      try object { scanner, key in members.append(.init(key: key, value: try scanner.value())) }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try array { elements.append(try $0.value()) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try bool())
    case UInt8(ascii: "n"):
      guard null() else { throw wrong("null is expected") }
      return .null
    default: return .number(try number())
    }
  }

  /// Reads a value and keeps nothing of it.
  mutating func skipValue() throws {
    switch peek() {
    case UInt8(ascii: "{"):
      try enter("{")
      if !skip("}") {
        repeat {
          try skipString()
          try expect(":")
          try skipValue()
        } while skip(",")
        try expect("}")
      }
      depth -= 1
    case UInt8(ascii: "["):
      try enter("[")
      if !skip("]") {
        repeat { try skipValue() } while skip(",")
        try expect("]")
      }
      depth -= 1
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
    case UInt8(ascii: "n"): guard null() else { throw wrong("null is expected") }
    default: _ = try number()
    }
  }

  mutating func number() throws -> Double {
    skipBlanks()
    let start = position
    while position < text.count, "+-.0123456789eE".utf8.contains(text[position]), position - start < 400 {
      position += 1
    }
    let digits = String(decoding: text[start..<position], as: UTF8.self)
    guard let first = digits.utf8.first, first == 45 || (48...57).contains(first), let value = Double(digits),
      value.isFinite
    else {
      position = start
      throw wrong(start < text.count ? "a value is expected" : "the file ends where a value is due")
    }
    return value
  }

  // MARK: Characters

  private mutating func skipBlanks() {
    while position < text.count, case let byte = text[position],
      byte == 32 || byte == 10 || byte == 13 || byte == 9
    {
      position += 1
    }
  }

  private mutating func word(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard position + count <= text.count else { return false }
    for index in 0..<count where text[position + index] != word.utf8Start[index] { return false }
    position += count
    return true
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard position < text.count, text[position] == UInt8(truncatingIfNeeded: character.value) else {
      return false
    }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard skip(character) else {
      throw wrong(
        position < text.count ? "\(character) is expected" : "the file ends where \(character) is due")
    }
  }
}
