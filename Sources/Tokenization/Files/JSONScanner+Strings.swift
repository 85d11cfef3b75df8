extension JSONScanner {
  mutating func string() throws -> String {
    var bytes: [UInt8] = []
    try string(into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func skipString() throws {
    var bytes: [UInt8] = []
    try string(into: &bytes)
  }

  /// Appends the string that comes, as UTF-8.
  mutating func string(into arena: inout [UInt8]) throws {
    guard peek() == UInt8(ascii: "\"") else {
      throw wrong(position < text.count ? "a string is expected" : "the file ends where a string is due")
    }
    position += 1
    while true {
      let start = position
      while position < text.count, case let byte = text[position], byte != 34, byte != 92, byte >= 32 {
        position += 1
      }
      arena.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<position]))
      guard position < text.count else { throw wrong("the file ends within a string") }
      let byte = text[position]
      position += 1
      if byte == 34 { return }
      guard byte == 92 else { throw wrong("a control character in a string") }
      arena.append(contentsOf: Unicode.UTF8.encode(try escape())!)
    }
  }

  /// What follows a backslash.
  private mutating func escape() throws -> Unicode.Scalar {
    guard position < text.count else { throw wrong("the file ends within a string") }
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
        guard let scalar = Unicode.Scalar(unit) else { throw wrong("half a surrogate pair") }
        return scalar
      }
      guard position + 1 < text.count, text[position] == 92, text[position + 1] == UInt8(ascii: "u") else {
        throw wrong("half a surrogate pair")
      }
      position += 2
      let low = try hexadecimal()
      guard (0xdc00..<0xe000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
      else { throw wrong("half a surrogate pair") }
      return scalar
    default: throw wrong("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard position + 4 <= text.count else { throw wrong("the file ends within a string") }
    var unit: UInt32 = 0
    for byte in text[position..<(position + 4)] {
      guard byte < 128, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw wrong("\\u needs four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
    }
    position += 4
    return unit
  }
}
