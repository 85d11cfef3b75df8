import Tokenization

/// Finds where the last tokens of a text stood before, so that what followed there can be drafted here.
///
/// Source: Saxena, "Prompt lookup decoding", 2023; Yang et al., arXiv 2304.04487. Memory: O(tokens).
struct PromptLookup {
  private static let lengths = [3, 2]
  /// Where the n tokens that hash to the key last ended (the index behind them), apart from the very last ones.
  private var places: [[Key: Int]] = lengths.map { _ in [:] }
  /// Tokens whose endings are in `places`.
  private var indexed = 0

  private struct Key: Hashable {
    let tokens: (TokenID, TokenID, TokenID)
    static func == (a: Key, b: Key) -> Bool { a.tokens == b.tokens }
    func hash(into hasher: inout Hasher) {
      hasher.combine(tokens.0)
      hasher.combine(tokens.1)
      hasher.combine(tokens.2)
    }
  }

  private static func key(_ tokens: [TokenID], end: Int, length: Int) -> Key {
    Key(tokens: (length > 2 ? tokens[end - 3] : -1, tokens[end - 2], tokens[end - 1]))
  }

  /// What followed the last tokens where they stood last.
  /// - Parameters:
  ///   - tokens: the certain ones, which only ever grow between calls.
  ///   - path: drafted ones behind them.
  mutating func continuation(of tokens: [TokenID], path: [TokenID], count: Int) -> [TokenID] {
    // An ending is entered when something follows it.
    while indexed < tokens.count - 1 {
      indexed += 1
      for (i, length) in Self.lengths.enumerated() where indexed >= length {
        places[i][Self.key(tokens, end: indexed, length: length)] = indexed
      }
    }
    let last = tokens.suffix(3) + path.suffix(3)
    for (i, length) in Self.lengths.enumerated() where last.count >= length {
      if let place = places[i][Self.key(Array(last), end: last.count, length: length)] {
        return Array(tokens[place..<min(place + count, tokens.count)])
      }
    }
    return []
  }
}
