import Foundation
import Gradients
import Tensors

/// Tokens of many documents in one mapped file, checked before anything is believed.
///
///     0   8  "LOOPTOK1"
///     8   4  bytes per token: 2 or 4
///     12  4  1 if every token has a byte that says whether it is learned, else 0
///     16  8  vocabulary: every token is below
///     24  8  tokens        32  8  documents
///     40  4  CRC-32C of what follows the header        44  4  CRC-32C of the 44 bytes before
///     48     where each document begins, 8 bytes each; the tokens; the bytes of what is learned
///
/// Little-endian. The file is as long as its header says, to the byte.
public struct TokenShard: Sendable {
  static let magic = Array("LOOPTOK1".utf8)
  static let headerSize = 48

  public let path: String
  /// Every token is below this.
  public let vocabulary: Int
  public let count: Int
  /// Documents; the first begins at token 0.
  public let documents: Int
  /// Whether some tokens are there to be read and not to be learned.
  public let hasAnswers: Bool
  private let bytesPerToken: Int
  private let bytes: SharedBytes

  /// Maps a file and checks all of it.
  ///
  /// Complexity: one pass over the file. Memory: none of its own.
  /// - Throws: `MappingError` or `ShardError`, which name the file.
  public init(path: String) throws {
    try self.init(try SharedBytes.map(path), path: path)
  }

  /// The same for bytes that are in memory.
  init(_ bytes: SharedBytes, path: String) throws {
    func fault(_ problem: ShardError.Problem) -> ShardError { ShardError(file: path, problem: problem) }
    let buffer = bytes.buffer
    guard buffer.count >= Self.headerSize else { throw fault(.truncated(buffer.count, Self.headerSize)) }
    guard Array(buffer[..<8]) == Self.magic else { throw fault(.notAShard) }
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func long(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard word(44) == Self.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<44])) else {
      throw fault(.damaged("header"))
    }
    let (width, flags) = (Int(word(8)), word(12))
    guard width == 2 || width == 4, flags <= 1 else { throw fault(.contradiction("token size or flags")) }
    let limit: UInt64 = width == 2 ? 1 << 16 : 1 << 31
    guard (1...limit).contains(long(16)) else { throw fault(.contradiction("vocabulary")) }
    // Below 2^40 nothing of what follows overflows.
    guard long(24) < 1 << 40, long(32) <= long(24) else {
      throw fault(.contradiction("numbers of tokens and documents"))
    }
    let (tokens, documents) = (Int(long(24)), Int(long(32)))
    let size = Self.headerSize + 8 * documents + tokens * (width + Int(flags))
    guard buffer.count >= size else { throw fault(.truncated(buffer.count, size)) }
    guard buffer.count == size else {
      throw fault(.contradiction("size: \(buffer.count) bytes instead of \(size)"))
    }
    guard word(40) == Self.checksum(UnsafeRawBufferPointer(rebasing: buffer[Self.headerSize...])) else {
      throw fault(.damaged("data"))
    }
    (self.path, self.bytes, vocabulary) = (path, bytes, Int(long(16)))
    (count, self.documents, bytesPerToken, hasAnswers) = (tokens, documents, width, flags == 1)
    var previous = -1
    for document in 0..<documents {
      let start = start(of: document)
      guard start > previous, start < tokens, document > 0 || start == 0 else {
        throw fault(.contradiction("document \(document) begins at \(start)"))
      }
      previous = start
    }
    guard tokens == 0 || documents > 0 else { throw fault(.contradiction("tokens without a document")) }
    for i in 0..<tokens where token(i) >= vocabulary {
      throw fault(.contradiction("token \(i) is \(token(i)) of a vocabulary of \(vocabulary)"))
    }
  }

  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = CRC32C()
    crc.update(bytes)
    return crc.value
  }

  /// The first token of a document; of `documents`, the end of all.
  func start(of document: Int) -> Int {
    if document >= documents { return count }
    let value = bytes.buffer.loadUnaligned(fromByteOffset: Self.headerSize + 8 * document, as: UInt64.self)
    return Int(clamping: UInt64(littleEndian: value))
  }

  @inline(__always) func token(_ index: Int) -> Int32 {
    let offset = Self.headerSize + 8 * documents + index * bytesPerToken
    if bytesPerToken == 2 {
      return Int32(UInt16(littleEndian: bytes.buffer.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
    return Int32(
      bitPattern: UInt32(littleEndian: bytes.buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
  }

  /// Whether the token is one to be learned.
  func isLearned(_ index: Int) -> Bool {
    !hasAnswers || bytes.buffer[Self.headerSize + 8 * documents + count * bytesPerToken + index] != 0
  }

  /// The document that a token belongs to. Complexity: O(log documents).
  func document(of token: Int) -> Int {
    var (low, high) = (0, documents)
    while high - low > 1 {
      let middle = (low + high) / 2
      if start(of: middle) <= token { low = middle } else { high = middle }
    }
    return low
  }
}

/// What is wrong with a file of tokens.
public struct ShardError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    case notAShard
    case truncated(Int, Int)
    case damaged(String)
    case contradiction(String)
  }

  public let file: String
  public let problem: Problem

  public var description: String {
    let text =
      switch problem {
      case .notAShard: "is no file of tokens: it does not begin with LOOPTOK1"
      case .truncated(let found, let wanted): "has \(found) bytes where its header needs \(wanted)"
      case .damaged(let part): "is damaged: its \(part) does not have the checksum it was written with"
      case .contradiction(let what): "contradicts itself: \(what)"
      }
    return
      "\(file): error: \(text)\nhint: make it again with `looped pretrain shard`, or remove the run's data folder"
  }
}
