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
/// Complexity: O(text) to count words; each merge looks at every kind of pair, and at the words that have it.
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
    var places: [Pair: Set<Int>] = [:]
    for (word, tokens) in words.enumerated() {
      for pair in zip(tokens, tokens.dropFirst()).map({ Pair(first: $0, second: $1) }) {
        frequency[pair, default: 0] += weights[word]
        places[pair, default: []].insert(word)
      }
    }
    var merges: [TrainedVocabulary.Merge] = []
    var pieces = TrainedVocabulary.unmerged
    var numbers: [[UInt8]: TokenID] = [:]
    while pieces.count < size {
      var best: (pair: Pair, count: Int)?
      for (pair, count) in frequency where count > 1 {
        if let found = best, (-found.count, found.pair) < (-count, pair) { continue }
        best = (pair, count)
      }
      guard let pair = best?.pair else { break }
      let piece = pieces[Int(pair.first)] + pieces[Int(pair.second)]
      let made = numbers[piece] ?? TokenID(pieces.count)
      if numbers[piece] == nil {
        numbers[piece] = made
        pieces.append(piece)
      }
      merges.append(.init(pair: pair, made: made))
      for word in places[pair] ?? [] {
        let old = words[word]
        let new = Self.merging(old, pair, into: made)
        for gone in zip(old, old.dropFirst()).map({ Pair(first: $0, second: $1) }) {
          frequency[gone]! -= weights[word]
          if frequency[gone] == 0 { frequency[gone] = nil }
        }
        for come in zip(new, new.dropFirst()).map({ Pair(first: $0, second: $1) }) {
          frequency[come, default: 0] += weights[word]
          places[come, default: []].insert(word)
        }
        words[word] = new
      }
      frequency[pair] = nil
      places[pair] = nil
    }
    return TrainedVocabulary(merges: merges, pieces: pieces)
  }

  static func merging(
    _ tokens: [TokenID], _ pair: TrainedVocabulary.Pair, into made: TokenID
  ) -> [TokenID] {
    var (result, i): ([TokenID], Int) = ([], 0)
    result.reserveCapacity(tokens.count)
    while i < tokens.count {
      if i + 1 < tokens.count, tokens[i] == pair.first, tokens[i + 1] == pair.second {
        result.append(made)
        i += 2
      } else {
        result.append(tokens[i])
        i += 1
      }
    }
    return result
  }
}
