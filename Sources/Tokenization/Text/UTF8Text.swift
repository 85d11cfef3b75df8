/// Characters of text that need not be valid UTF-8.
///
/// A byte that begins no well-formed character is taken alone, as something that is neither letter, number nor blank:
/// byte-level tokenizers then keep every byte.
enum UTF8Text {
  /// Stands for a byte that begins no character.
  static let invalid: UInt32 = .max

  /// The character at `i < end`, and how many bytes it has. Well-formed as in Table 3-7 of the Unicode standard.
  @inline(__always)
  static func decode(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int) -> (scalar: UInt32, count: Int) {
    let first = UInt32(p[i])
    if first < 0x80 { return (first, 1) }
    return decodeLong(p, i, end)
  }

  @inline(never)
  static func decodeLong(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int) -> (scalar: UInt32, count: Int) {
    let first = UInt32(p[i])
    guard first >= 0xc2, first < 0xf5, i + 1 < end else { return (invalid, 1) }
    let second = UInt32(p[i + 1])
    guard second & 0xc0 == 0x80 else { return (invalid, 1) }
    if first < 0xe0 { return ((first & 0x1f) << 6 | second & 0x3f, 2) }
    guard i + 2 < end else { return (invalid, 1) }
    let third = UInt32(p[i + 2])
    guard third & 0xc0 == 0x80 else { return (invalid, 1) }
    if first < 0xf0 {
      let scalar = (first & 0xf) << 12 | (second & 0x3f) << 6 | third & 0x3f
      return scalar >= 0x800 && scalar & 0xf800 != 0xd800 ? (scalar, 3) : (invalid, 1)
    }
    guard i + 3 < end else { return (invalid, 1) }
    let fourth = UInt32(p[i + 3])
    guard fourth & 0xc0 == 0x80 else { return (invalid, 1) }
    let scalar = (first & 7) << 18 | (second & 0x3f) << 12 | (third & 0x3f) << 6 | fourth & 0x3f
    return scalar >= 0x10000 && scalar < 0x110000 ? (scalar, 4) : (invalid, 1)
  }

  /// Where the character begins that ends before `i > start`.
  static func previous(_ p: UnsafePointer<UInt8>, _ i: Int, _ start: Int) -> Int {
    for back in 1...4
    where i - back >= start && decode(p, i - back, i).count == back && p[i - back] & 0xc0 != 0x80 {
      return i - back
    }
    return i - 1
  }

  /// The first byte that begins no character; `nil` if there is none.
  static func firstInvalid(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
    guard let p = text.baseAddress else { return nil }
    var i = 0
    while i < text.count {
      while i + 8 <= text.count,
        UnsafeRawPointer(p + i).loadUnaligned(as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      { i += 8 }
      guard i < text.count else { break }
      let (scalar, count) = decode(p, i, text.count)
      if scalar == invalid { return i }
      i += count
    }
    return nil
  }
}

extension UTF8Text {
  /// How many bytes at the end of `bytes` are the beginning of a character whose rest is missing: 0 to 3.
  static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xc0 == 0x80 { continue }
      let needed = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1
      guard length < needed else { return 0 }
      if length == 1 { return 1 }
      let second = bytes[bytes.count - length + 1]
      let isPossible =
        switch lead {
        case 0xe0: second >= 0xa0
        case 0xed: second < 0xa0
        case 0xf0: second >= 0x90
        case 0xf4: second < 0x90
        default: true
        }
      return isPossible ? length : 0
    }
    return 0
  }
}
