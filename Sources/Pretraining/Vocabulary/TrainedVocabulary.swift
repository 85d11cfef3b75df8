import Tokenization

/// A byte-level vocabulary learned from a text: three special tokens, the 256 bytes, then merges of pairs.
///
/// Source: Sennrich, Haddow and Birch, arXiv 1508.07909 (pairs); GPT-2 (bytes).
public struct TrainedVocabulary: Equatable, Sendable {
  /// Begins every document; what comes after a document.
  public static let endOfText = 0
  public static let startOfMessage = 1
  public static let endOfMessage = 2
  static let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
  static let firstByte = special.count
  /// The smallest vocabulary: one without merges.
  public static let smallest = firstByte + 256

  struct Pair: Hashable, Comparable, Sendable {
    let first: TokenID
    let second: TokenID
    static func < (a: Pair, b: Pair) -> Bool { (a.first, a.second) < (b.first, b.second) }
  }

  /// Two tokens that become one. Two merges may make the same token, from different halves.
  struct Merge: Equatable, Sendable {
    let pair: Pair
    let made: TokenID
  }

  /// In the order in which they apply.
  let merges: [Merge]
  /// The bytes of every token; none for special ones.
  let pieces: [[UInt8]]

  public var count: Int { pieces.count }

  static let unmerged: [[UInt8]] = special.map { _ in [] } + (0..<256).map { [UInt8($0)] }
}

/// Learns a vocabulary: merges the most frequent pair of neighbours, again and again.
///
/// Among equally frequent pairs the one of the smaller numbers wins, so that a text has one vocabulary.
///
/// Complexity: O(text) to count words. A merge looks at the words that have, or had, its pair, and takes O(log pairs) for
/// each pair whose count changes.
public struct VocabularyTrainer {
  private var counts: [ArraySlice<UInt8>: Int] = [:]

  public init() {}

  public mutating func add(_ text: String) {
    WordSplitter.forEachWord(in: text) { counts[$0, default: 0] += 1 }
  }

  /// - Parameter size: of the vocabulary; fewer where no pair occurs twice. At least `TrainedVocabulary.smallest`.
  public func train(size: Int) -> TrainedVocabulary {
    typealias Pair = TrainedVocabulary.Pair
    // An order of its own: dictionaries have another in every process.
    let sorted = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    var words = sorted.map { word in word.key.map { TokenID(TrainedVocabulary.firstByte + Int($0)) } }
    let weights = sorted.map(\.value)
    var frequency: [Pair: Int] = [:]
    // Words that have a pair, or once had it.
    var places: [Pair: [Int]] = [:]
    for (word, tokens) in words.enumerated() {
      for (first, second) in zip(tokens, tokens.dropFirst()) {
        let pair = Pair(first: first, second: second)
        frequency[pair, default: 0] += weights[word]
        if places[pair]?.last != word { places[pair, default: []].append(word) }
      }
    }
    var queue = PairQueue(frequency)
    var merges: [TrainedVocabulary.Merge] = []
    var pieces = TrainedVocabulary.unmerged
    var numbers: [[UInt8]: TokenID] = [:]
    while pieces.count < size, let pair = queue.first() {
      let piece = pieces[Int(pair.first)] + pieces[Int(pair.second)]
      let made = numbers[piece] ?? TokenID(pieces.count)
      if numbers[piece] == nil {
        numbers[piece] = made
        pieces.append(piece)
      }
      merges.append(.init(pair: pair, made: made))
      var changes: [Pair: Int] = [:]
      for word in places.removeValue(forKey: pair) ?? [] {
        Self.merge(pair, into: made, in: &words[word]) { changed, difference in
          changes[changed, default: 0] += difference * weights[word]
          if difference > 0, places[changed]?.last != word { places[changed, default: []].append(word) }
        }
      }
      for (pair, difference) in changes { queue.change(pair, by: difference) }
    }
    return TrainedVocabulary(merges: merges, pieces: pieces)
  }

  /// Replaces a pair in a word, from left to right, and tells of every pair of neighbours that comes (1) or goes (-1).
  static func merge(
    _ pair: TrainedVocabulary.Pair, into made: TokenID, in tokens: inout [TokenID],
    change: (TrainedVocabulary.Pair, Int) -> Void
  ) {
    var (read, written) = (0, 0)
    while read < tokens.count {
      guard read + 1 < tokens.count, tokens[read] == pair.first, tokens[read + 1] == pair.second else {
        tokens[written] = tokens[read]
        (read, written) = (read + 1, written + 1)
        continue
      }
      change(pair, -1)
      if written > 0 {
        change(.init(first: tokens[written - 1], second: pair.first), -1)
        change(.init(first: tokens[written - 1], second: made), 1)
      }
      if read + 2 < tokens.count {
        change(.init(first: pair.second, second: tokens[read + 2]), -1)
        change(.init(first: made, second: tokens[read + 2]), 1)
      }
      tokens[written] = made
      (read, written) = (read + 2, written + 1)
    }
    tokens.removeLast(read - written)
  }
}
