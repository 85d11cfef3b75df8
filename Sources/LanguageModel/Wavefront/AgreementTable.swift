import Tokenization

/// How often what was drafted was right, measured while decoding.
///
/// For every loop t and rank k: how often the k-th likeliest token of the readout at loop t was the token chosen in the
/// end. Besides: how often a token was right that an earlier loop named and the latest no longer does, and a token that
/// was looked up, before and after a readout contradicted it. The averages forget: a hundred tokens ago weighs a third.
public struct AgreementTable: Equatable, Sendable {
  /// A forgetting average that starts from a prior.
  public struct Rate: Equatable, Sendable {
    private var hits: Double
    private var trials: Double
    /// The prior counts as so many trials.
    private static let priorWeight = 2.0
    private static let decay = 0.99

    init(prior: Double) {
      hits = prior * Self.priorWeight
      trials = Self.priorWeight
    }

    public var value: Double { hits / trials }

    mutating func note(_ hit: Bool) {
      hits = hits * Self.decay + (hit ? 1 : 0)
      trials = trials * Self.decay + 1
    }
  }

  /// [loop][rank].
  public private(set) var readout: [[Rate]]
  /// [loop].
  public private(set) var replaced: [Rate]
  public private(set) var lookup = Rate(prior: 0.3)
  /// [loop].
  public private(set) var contradicted: [Rate]

  init(loops: Int) {
    // Optimistic: what is not tried is not measured.
    readout = (0..<loops).map { loop in
      (0..<DraftSettings.mostBranches).map { rank in
        Rate(prior: (loop + 2 > loops ? 0.9 : 0.6) / Double(1 << (2 * rank)))
      }
    }
    replaced = (0..<loops).map { _ in Rate(prior: 0.05) }
    contradicted = (0..<loops).map { _ in Rate(prior: 0.1) }
  }

  /// How likely a child with this token is right, given its parent is.
  func likelihood(of token: TokenID, after node: DraftNode) -> Double {
    if let choice = node.choice { return choice.token == token ? 1 : 0 }
    guard let loop = node.predictions.lastIndex(where: { !$0.isEmpty }) else {
      return node.lookup == token ? lookup.value : 0
    }
    if let rank = node.predictions[loop].firstIndex(of: token) { return readout[loop][rank].value }
    return (node.lookup == token ? contradicted : replaced)[loop].value
  }

  /// Learns from a token whose successor is certain.
  mutating func learn(_ node: DraftNode, choice: TokenID) {
    if let token = node.lookup { lookup.note(token == choice) }
    var earlier: Set<TokenID> = []
    for (loop, ranked) in node.predictions.enumerated() where !ranked.isEmpty {
      for (rank, token) in ranked.enumerated() where rank < readout[loop].count {
        readout[loop][rank].note(token == choice)
      }
      for token in earlier where !ranked.contains(token) { replaced[loop].note(token == choice) }
      if let token = node.lookup, !ranked.contains(token) { contradicted[loop].note(token == choice) }
      earlier.formUnion(ranked)
    }
  }
}
