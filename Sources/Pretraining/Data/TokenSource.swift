import Foundation
import Tensors

/// The sequences that training reads, as a function of their number: so a run that resumes needs only its step.
///
/// Sequence n belongs to epoch n / sequencesPerEpoch. An epoch cuts the shards into pieces of `length` tokens, from an
/// offset of its own on, and reads them in an order of its own, both from the seed. Documents are cut where a sequence
/// ends; a document that begins within a sequence begins a segment, so that attention does not cross from one to the
/// next. Where documents say what is to be learned (chats), they are kept whole instead, as many as fit in a sequence.
public final class TokenSource {
  public enum Layout: String, CaseIterable, Sendable {
    /// Cut anywhere: every token is read once per epoch.
    case stream
    /// Whole documents, as many as fit; one that is longer loses its end.
    case whole
  }

  private struct Piece {
    var shard: Int
    var range: Range<Int>
  }

  public let shards: [TokenShard]
  public let length: Int
  public let layout: Layout
  public let sequencesPerEpoch: Int
  private let seed: UInt64
  private let shuffles: Bool
  private let whole: [Piece]
  private var epoch = -1
  private var order: [UInt32] = []
  private var offsets: [Int] = []
  /// The number of the first sequence of each shard, in the layout `stream`.
  private let firsts: [Int]

  /// - Parameters:
  ///   - length: tokens of a sequence.
  ///   - shuffles: whether epochs have offsets and orders of their own; evaluation reads from the beginning.
  /// - Throws: `DataError` where the shards hold no sequence.
  public init(
    _ shards: [TokenShard], length: Int, layout: Layout? = nil, seed: UInt64, shuffles: Bool = true
  ) throws {
    precondition(length > 0)
    (self.shards, self.length, self.seed, self.shuffles) = (shards, length, seed, shuffles)
    let layout = layout ?? (shards.contains(where: \.hasAnswers) ? .whole : .stream)
    self.layout = layout
    whole = layout == .whole ? Self.packing(shards, length: length) : []
    var (firsts, total) = ([0], 0)
    for shard in shards {
      // One token more than the last sequence reads: its target. Any offset below the length leaves as many.
      let room = shard.count - 1 - (shuffles ? length - 1 : 0)
      total += max(0, room) / length
      firsts.append(total)
    }
    self.firsts = firsts
    sequencesPerEpoch = layout == .whole ? whole.count : total
    guard sequencesPerEpoch > 0, sequencesPerEpoch <= Int(UInt32.max) else {
      let tokens = shards.reduce(0) { $0 + $1.count }
      throw DataError(
        file: shards.first?.path ?? "data",
        message: "\(tokens) tokens make no sequence of \(length)",
        hint: "shorten training.sequence, or add text")
    }
  }

  /// Documents in their order, packed without cutting, [shard, range of tokens].
  private static func packing(_ shards: [TokenShard], length: Int) -> [Piece] {
    var pieces: [Piece] = []
    for (index, shard) in shards.enumerated() {
      var open: Range<Int>?
      for document in 0..<shard.documents {
        let (start, end) = (shard.start(of: document), shard.start(of: document + 1))
        if let range = open, end - range.lowerBound <= length {
          open = range.lowerBound..<end
        } else {
          if let open { pieces.append(Piece(shard: index, range: open)) }
          open = start..<min(end, start + length)
        }
      }
      if let open { pieces.append(Piece(shard: index, range: open)) }
    }
    return pieces
  }

  private func piece(_ sequence: Int) -> Piece {
    let (epoch, index) = sequence.quotientAndRemainder(dividingBy: sequencesPerEpoch)
    if epoch != self.epoch {
      self.epoch = epoch
      order = (0..<UInt32(sequencesPerEpoch)).map { $0 }
      offsets = shards.map { _ in 0 }
      if shuffles {
        // 2^16 epochs and more have a stream each.
        var random = RandomStream(seed: seed &+ UInt64(epoch) &* 0x9E37_79B9_7F4A_7C15, stream: 17)
        order.shuffle(using: &random)
        offsets = shards.map { _ in Int(random.next() % UInt64(length)) }
      }
    }
    let place = Int(order[index])
    if layout == .whole { return whole[place] }
    // The last shard that begins at or before the place; an empty shard has no place of its own.
    let shard = firsts.lastIndex { $0 <= place }!
    let start = (place - firsts[shard]) * length + offsets[shard]
    return Piece(shard: shard, range: start..<start + length)
  }

  /// Sequences first, first + 1, … of the endless stream of epochs.
  ///
  /// - Parameter noise: the share of what is read, not of what is to be predicted, that another token of the text stands in
  ///   for, in another way each epoch: a text that is read often is then learned by heart later. The unigram noise of Xie et
  ///   al., arXiv 1703.02573, section 3.
  public func batch(from first: Int, count: Int, noise: Double = 0) -> TokenBatch {
    var tokens = [Int32](repeating: Int32(TrainedVocabulary.endOfText), count: count * length)
    var targets = [Int32](repeating: -1, count: count * length)
    var segments: [Range<Int>] = []
    for row in 0..<count {
      let piece = piece(first + row)
      let (shard, start, base) = (shards[piece.shard], piece.range.lowerBound, row * length)
      for (place, index) in piece.range.enumerated() {
        tokens[base + place] = shard.token(index)
        let next = index + 1
        // Whole documents end within the piece; in a stream the next document's first token ends this one.
        let hasNext = layout == .stream ? next < shard.count : next < piece.range.upperBound
        if hasNext, shard.isLearned(next) { targets[base + place] = shard.token(next) }
      }
      var cuts = [base]
      var document = shard.document(of: start) + 1
      while document < shard.documents, shard.start(of: document) < piece.range.upperBound {
        cuts.append(base + shard.start(of: document) - start)
        // What a whole document's last token would predict is of another conversation.
        if layout == .whole { targets[cuts.last! - 1] = -1 }
        document += 1
      }
      if noise > 0 {
        exchange(noise, of: &tokens, at: base..<base + piece.range.count, in: shard, sequence: first + row)
      }
      if piece.range.count < length { cuts.append(base + piece.range.count) }
      cuts.append(base + length)
      segments += zip(cuts, cuts.dropFirst()).map { $0..<$1 }
    }
    return TokenBatch(sequences: count, length: length, tokens: tokens, targets: targets, segments: segments)
  }
}

extension TokenSource {
  /// Exchanges a share of the tokens for others of the shard; where documents begin stays.
  private func exchange(
    _ share: Double, of tokens: inout [Int32], at range: Range<Int>, in shard: TokenShard, sequence: Int
  ) {
    var random = RandomStream(seed: seed &+ UInt64(sequence) &* 0x9E37_79B9_7F4A_7C15, stream: 18)
    for place in range {
      let (chance, other) = (random.uniform(), Int(random.next() % UInt64(shard.count)))
      if Double(chance) < share, tokens[place] != Int32(TrainedVocabulary.endOfText) {
        tokens[place] = shard.token(other)
      }
    }
  }
}

/// Data that cannot be trained on.
public struct DataError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public var line: Int?
  public let message: String
  public var hint: String?

  init(file: String, line: Int? = nil, message: String, hint: String? = nil) {
    (self.file, self.line, self.message, self.hint) = (file, line, message, hint)
  }

  public var description: String {
    "\(file):\(line.map { "\($0):" } ?? "") error: \(message)" + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
