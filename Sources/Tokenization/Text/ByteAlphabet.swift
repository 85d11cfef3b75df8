/// The letters that stand for bytes in the vocabularies of byte-level tokenizers.
///
/// Printable bytes of Latin-1 stand for themselves, the 68 others for U+0100 and what follows (GPT-2's `bytes_to_unicode`).
enum ByteAlphabet {
  static let letters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      switch UInt32(byte) {
      case 0x21...0x7e, 0xa1...0xac, 0xae...0xff: return Unicode.Scalar(UInt8(byte))
      default:
        defer { next += 1 }
        return Unicode.Scalar(next)!
      }
    }
  }()

  /// By the letter's value; -1 for what is no letter.
  private static let bytes: [Int16] = {
    var result = [Int16](repeating: -1, count: 0x144)
    for (byte, letter) in letters.enumerated() { result[Int(letter.value)] = Int16(byte) }
    return result
  }()

  /// The bytes that letters stand for; `nil` if some character is no letter of the alphabet.
  static func decode(_ piece: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    return append(letters: piece, to: &result) ? result : nil
  }

  /// Appends the bytes that letters stand for, or the piece itself if some character is no letter of the alphabet.
  static func append(_ piece: ArraySlice<UInt8>, to result: inout [UInt8]) {
    let start = result.count
    guard !append(letters: piece, to: &result) else { return }
    result.removeSubrange(start...)
    result += piece
  }

  private static func append(letters piece: some Collection<UInt8>, to result: inout [UInt8]) -> Bool {
    var first: UInt32 = 0
    for byte in piece {
      var value = UInt32(byte)
      if first != 0 {
        guard byte & 0xc0 == 0x80 else { return false }
        value = first << 6 | value & 0x3f
        first = 0
      } else if byte >= 0x80 {
        // All letters have at most two bytes.
        guard byte >= 0xc2, byte <= 0xc5 else { return false }
        first = value & 0x1f
        continue
      }
      guard value < 0x144, bytes[Int(value)] >= 0 else { return false }
      result.append(UInt8(bytes[Int(value)]))
    }
    return first == 0
  }

  /// The letters of `bytes`, as UTF-8.
  static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    bytes.flatMap { Array(Unicode.UTF8.encode(letters[Int($0)])!) }
  }
}
