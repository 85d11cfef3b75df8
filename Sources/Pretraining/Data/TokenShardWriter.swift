import Foundation
import Gradients
import Tensors

/// Gathers documents and writes them as a `TokenShard`.
///
/// Memory: 4 bytes per token (5 with answers) until written; large texts are cut into several shards by their caller.
public struct TokenShardWriter {
  public let vocabulary: Int
  public let hasAnswers: Bool
  private var starts: [UInt64] = []
  private var tokens: [Int32] = []
  private var learned: [UInt8] = []

  /// - Parameter hasAnswers: whether documents say which of their tokens are to be learned.
  public init(vocabulary: Int, hasAnswers: Bool = false) {
    precondition((1...Int(Int32.max)).contains(vocabulary), "a vocabulary of \(vocabulary)")
    self.vocabulary = vocabulary
    self.hasAnswers = hasAnswers
  }

  public var count: Int { tokens.count }
  public var documents: Int { starts.count }

  /// - Parameters:
  ///   - document: tokens below the vocabulary; none leaves no document.
  ///   - learned: of each token, whether it is to be learned; all are if not given.
  public mutating func add(_ document: [Int32], learned: [Bool]? = nil) {
    precondition(document.allSatisfy { (0..<vocabulary).contains(Int($0)) }, "a token beyond the vocabulary")
    precondition(learned.map { $0.count == document.count } ?? true)
    guard !document.isEmpty else { return }
    starts.append(UInt64(tokens.count))
    tokens += document
    if hasAnswers {
      self.learned += learned?.map { $0 ? 1 : 0 } ?? Array(repeating: 1, count: document.count)
    }
  }

  /// The parts of the file: header, documents, tokens, and what is learned.
  var parts: [[UInt8]] {
    let width = vocabulary <= 1 << 16 ? 2 : 4
    let places = starts.map(\.littleEndian).withUnsafeBytes { Array($0) }
    let data =
      width == 2
      ? tokens.map { UInt16($0).littleEndian }.withUnsafeBytes { Array($0) }
      : tokens.map(\.littleEndian).withUnsafeBytes { Array($0) }
    var crc = CRC32C()
    for part in [places, data, learned] { crc.update(part) }
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    var header = TokenShard.magic + bytes(UInt32(width)) + bytes(UInt32(hasAnswers ? 1 : 0))
    header += bytes(UInt64(vocabulary)) + bytes(UInt64(tokens.count)) + bytes(UInt64(starts.count))
    header += bytes(crc.value)
    return [header + bytes(header.withUnsafeBytes { TokenShard.checksum($0) }), places, data, learned]
  }

  /// - Throws: `AtomicFile.Failure`.
  public func write(to path: String) throws { try AtomicFile.write(parts, to: path) }
}
