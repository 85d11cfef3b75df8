/// Reads the JSON of a safetensors header: that JSON and no other.
///
/// A scanner of its own, because Foundation's accepts duplicate keys silently and builds the whole tree before any
/// of it can be refused. Memory: O(text). No recursion, so depth cannot exhaust the stack.
struct SafetensorsHeaderScanner {
  struct Failure: Error { let problem: SafetensorsError.Problem }

  /// No array in use has as many dimensions; more would only serve to fill memory.
  static let largestRank = 64

  private let text: [UInt8]
  private var position = 0
  private(set) var entries: [SafetensorsFile.Entry] = []
  private(set) var metadata: [String: String] = [:]

  init(text: [UInt8]) { self.text = text }

  /// - Throws: `Failure`.
  mutating func scan() throws {
    guard text.first == UInt8(ascii: "{") else { throw malformed("a header starts with {") }
    var hasMetadata = false
    var names: Set<String> = []
    try object { scanner, key in
      if key == "__metadata__" {
        if hasMetadata { throw Failure(problem: .duplicateKey(key)) }
        hasMetadata = true
        try scanner.object { scanner, key in
          let value = try scanner.string()
          guard scanner.metadata.updateValue(value, forKey: key) == nil else {
            throw Failure(problem: .duplicateKey(key))
          }
        }
      } else {
        guard names.insert(key).inserted else { throw Failure(problem: .duplicateKey(key)) }
        scanner.entries.append(try scanner.entry(named: key))
      }
    }
    skipBlanks()
    guard position == text.count else { throw malformed("something follows the header's closing }") }
  }

  private mutating func entry(named name: String) throws -> SafetensorsFile.Entry {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    let start = position
    try object { scanner, key in
      let isNew: Bool
      switch key {
      case "dtype":
        isNew = typeName == nil
        typeName = try scanner.string()
      case "shape":
        isNew = shape == nil
        shape = try scanner.numbers()
      case "data_offsets":
        isNew = offsets == nil
        offsets = try scanner.numbers()
      default: throw scanner.malformed("tensor \(name) has a key \"\(key)\" that the format does not know")
      }
      guard isNew else { throw Failure(problem: .duplicateKey("\(name).\(key)")) }
    }
    guard let typeName, let shape, let offsets else {
      position = start
      throw malformed("tensor \(name) needs \"dtype\", \"shape\" and \"data_offsets\"")
    }
    guard let type = ElementType(rawValue: typeName) else {
      throw Failure(problem: .unknownType(tensor: name, type: typeName))
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      position = start
      throw malformed("tensor \(name): \"data_offsets\" is [start, end] with start <= end")
    }
    return .init(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  // MARK: JSON

  private func malformed(_ why: String) -> Failure {
    Failure(problem: .malformedHeader(offset: 8 + position, why: why))
  }

  private mutating func skipBlanks() {
    while position < text.count, [32, 9, 10, 13].contains(text[position]) { position += 1 }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    guard skip(character) else {
      throw malformed(position < text.count ? "\(character) expected" : "it ends where \(character) is due")
    }
  }

  private mutating func object(member: (inout Self, String) throws -> Void) throws {
    try expect("{")
    if skip("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while skip(",")
    try expect("}")
  }

  private mutating func numbers() throws -> [Int] {
    var numbers: [Int] = []
    try expect("[")
    if skip("]") { return numbers }
    repeat {
      guard numbers.count < Self.largestRank else { throw malformed("more than \(Self.largestRank) numbers") }
      numbers.append(try number())
    } while skip(",")
    try expect("]")
    return numbers
  }

  private mutating func number() throws -> Int {
    skipBlanks()
    let start = position
    while position < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[position]) {
      position += 1
    }
    let digits = text[start..<position]
    guard !digits.isEmpty, digits.count == 1 || digits.first != UInt8(ascii: "0"), digits.count <= 19,
      let value = Int(String(decoding: digits, as: UTF8.self))
    else {
      position = start
      throw malformed("a whole number from 0 to \(Int.max) expected")
    }
    return value
  }

  private mutating func string() throws -> String {
    try expect("\"")
    var bytes: [UInt8] = []
    while position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw malformed("a string is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try bytes.append(contentsOf: String(escape()).utf8)
      case 0..<32: throw malformed("a control character in a string")
      default: bytes.append(byte)
      }
    }
    throw malformed("it ends within a string")
  }

  /// What follows a backslash.
  private mutating func escape() throws -> Unicode.Scalar {
    guard position < text.count else { throw malformed("it ends within a string") }
    let byte = text[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try hexadecimal()
      guard (0xd800..<0xdc00).contains(unit) else {
        guard let scalar = Unicode.Scalar(unit) else { throw malformed("half a surrogate pair") }
        return scalar
      }
      guard position + 1 < text.count, text[position] == UInt8(ascii: "\\"),
        text[position + 1] == UInt8(ascii: "u")
      else { throw malformed("half a surrogate pair") }
      position += 2
      let low = try hexadecimal()
      guard (0xdc00..<0xe000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
      else { throw malformed("half a surrogate pair") }
      return scalar
    default: throw malformed("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard position + 4 <= text.count else { throw malformed("it ends within a string") }
    var unit: UInt32 = 0
    for byte in text[position..<(position + 4)] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 128 else {
        throw malformed("\\u needs four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
    }
    position += 4
    return unit
  }
}
