import Tokenization

/// How often what was drafted was right, measured while decoding.
///
/// For every loop and rank: how often the k-th likeliest token of the readout after this loop was the token chosen in
/// the end, by how far the first was ahead of the second; a readout that was sure is right more often. Besides: how often
/// a token was right that an earlier loop named and the latest no longer does, and a token that was looked up, before
/// and after a readout contradicted it. The averages forget: a hundred tokens ago weighs a third.
public struct AgreementTable: Equatable, Sendable {
  /// A forgetting average.
  public struct Rate: Equatable, Sendable {
    private var hits = 0.0
    private var trials = 0.0
    private static let decay = 0.99

    init() {}

    /// An average that starts as if `prior` had been seen in two trials.
    init(prior: Double) { (hits, trials) = (2 * prior, 2) }

    public var value: Double { hits / trials }

    /// The average, with a prior that weighs as much as four trials.
    func value(prior: Double) -> Double { (hits + 4 * prior) / (trials + 4) }

    mutating func note(_ hit: Bool) {
      hits = hits * Self.decay + (hit ? 1 : 0)
      trials = trials * Self.decay + 1
    }
  }

  /// Where the classes of margins begin, in logits.
  private static let margins: [Float] = [0.25, 0.5, 1, 2, 4]

  /// [loop][rank], whatever the margin.
  public private(set) var readout: [[Rate]]
  /// [loop][class of margin][rank].
  private var sure: [[[Rate]]]
  /// [loop].
  public private(set) var replaced: [Rate]
  public private(set) var lookup = Rate(prior: 0.3)
  /// [loop].
  public private(set) var contradicted: [Rate]

  init(loops: Int) {
    let ranks = DraftSettings.mostBranches
    // Optimistic: what is not tried is not measured.
    readout = (0..<loops).map { loop in
      (0..<ranks).map { rank in Rate(prior: (loop + 2 > loops ? 0.9 : 0.6) / Double(1 << (2 * rank))) }
    }
    sure = readout.map { ranks in
      [[Rate]](repeating: ranks.map { _ in Rate() }, count: Self.margins.count + 1)
    }
    replaced = (0..<loops).map { _ in Rate(prior: 0.05) }
    contradicted = (0..<loops).map { _ in Rate(prior: 0.1) }
  }

  private static func marginClass(_ margin: Float) -> Int { margins.count { $0 <= margin } }

  /// How likely a child with this token is right, given its parent is.
  func likelihood(of token: TokenID, after node: DraftNode) -> Double {
    if let choice = node.choice { return choice.token == token ? 1 : 0 }
    guard let loop = node.predictions.lastIndex(where: { $0 != nil }), let prediction = node.predictions[loop]
    else { return node.lookup == token ? lookup.value : 0 }
    if let rank = prediction.tokens.firstIndex(of: token) {
      return sure[loop][Self.marginClass(prediction.margin)][rank].value(prior: readout[loop][rank].value)
    }
    return (node.lookup == token ? contradicted : replaced)[loop].value
  }

  /// Learns from a token whose successor is certain.
  mutating func learn(_ node: DraftNode, choice: TokenID) {
    if let token = node.lookup { lookup.note(token == choice) }
    var earlier: Set<TokenID> = []
    for (loop, prediction) in node.predictions.enumerated() {
      guard let prediction else { continue }
      for (rank, token) in prediction.tokens.enumerated() where rank < readout[loop].count {
        readout[loop][rank].note(token == choice)
        sure[loop][Self.marginClass(prediction.margin)][rank].note(token == choice)
      }
      for token in earlier where !prediction.tokens.contains(token) { replaced[loop].note(token == choice) }
      if let token = node.lookup, !prediction.tokens.contains(token) {
        contradicted[loop].note(token == choice)
      }
      earlier.formUnion(prediction.tokens)
    }
  }
}
