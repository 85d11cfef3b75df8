/// Byte-pair encoding: what a word becomes.
///
/// Begin with a token per byte (byte-level vocabularies) or per character; then, as long as two neighbours have a merge,
/// apply the merge of the lowest rank, the leftmost of equal ones (Sennrich et al. 2016; ranks as in GPT-2).
final class BytePairModel: Sendable {
  let pieces: PieceTable
  /// (left, right) → rank · 2³² + merged.
  let merges: PairTable
  /// Whether pieces are written in the letters of `ByteAlphabet`.
  let isByteLevel: Bool
  let ignoresMerges: Bool
  let fallsBackToBytes: Bool
  let unknown: Int32?
  let fusesUnknown: Bool
  /// What a word begins with, by byte: a token, or -1 if the vocabulary lacks the byte's letter.
  let byteTokens: [Int32]
  /// The tokens <0x00> to <0xFF>, or -1.
  let fallbackTokens: [Int32]

  init(
    pieces: PieceTable, merges: PairTable, isByteLevel: Bool, ignoresMerges: Bool = false,
    fallsBackToBytes: Bool = false, unknown: Int32? = nil, fusesUnknown: Bool = false
  ) {
    self.pieces = pieces
    self.merges = merges
    self.isByteLevel = isByteLevel
    self.ignoresMerges = ignoresMerges
    self.fallsBackToBytes = fallsBackToBytes
    self.unknown = unknown
    self.fusesUnknown = fusesUnknown
    byteTokens = ByteAlphabet.letters.map { pieces.id(of: Unicode.UTF8.encode($0)!) ?? -1 }
    fallbackTokens = (0..<256).map { pieces.id(of: Array(Self.fallbackPiece(UInt8($0)).utf8)) ?? -1 }
  }

  static func fallbackPiece(_ byte: UInt8) -> String {
    "<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>"
  }

  /// The number of a piece that is given in plain bytes.
  func id(ofText p: UnsafePointer<UInt8>, _ count: Int) -> Int32? {
    guard isByteLevel else { return pieces.id(p, count) }
    return pieces.id(of: ByteAlphabet.encode(UnsafeBufferPointer(start: p, count: count)))
  }
}
