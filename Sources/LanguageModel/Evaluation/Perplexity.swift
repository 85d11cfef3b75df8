import Foundation
import Tensors
import Tokenization

/// How well a model predicts a text: exp of the mean of -log p(token | tokens before), after every loop and under exit
/// policies.
///
/// The text is cut into windows that overlap by `window - stride` tokens; every token is scored once, in the first
/// window that gives it enough context. All loops run over all positions, as the reference code does, so that a
/// policy's figure is the quality of its choice of loops, without what shared or copied keys and values change.
public struct Perplexity {
  public struct Settings: Equatable, Sendable {
    /// Tokens of a window.
    public var window: Int
    /// From one window's start to the next; `nil` for windows that do not overlap.
    public var stride: Int?
    /// Tokens of a window that a token must have before it to be scored there; at least 1. Tokens that no window gives
    /// so many are left out.
    public var minimumContext: Int
    /// Loops to run, `nil` for the model's.
    public var loops: Int?
    /// Exit policies to score besides the loops.
    public var policies: [ExitPolicy]

    public init(
      window: Int = 512, stride: Int? = nil, minimumContext: Int = 1, loops: Int? = nil,
      policies: [ExitPolicy] = []
    ) {
      self.window = window
      self.stride = stride
      self.minimumContext = minimumContext
      self.loops = loops
      self.policies = policies
    }
  }

  /// A sum over tokens.
  public struct Score: Equatable, Sendable {
    public internal(set) var tokens = 0
    /// Σ -log p, in nats.
    public internal(set) var loss = 0.0
    var squares = 0.0

    mutating func add(_ value: Double) {
      tokens += 1
      loss += value
      squares += value * value
    }

    /// Nats per token.
    public var mean: Double { tokens > 0 ? loss / Double(tokens) : .nan }
    public var perplexity: Double { exp(mean) }
    /// Of the perplexity, as if tokens were independent.
    public var standardError: Double {
      guard tokens > 1 else { return .nan }
      let variance = max(squares / Double(tokens) - mean * mean, 0)
      return perplexity * (variance / Double(tokens - 1)).squareRoot()
    }
  }

  public struct PolicyScore: Equatable, Sendable {
    public let policy: ExitPolicy
    public internal(set) var score = Score()
    var loops = 0
    public var meanLoops: Double { score.tokens > 0 ? Double(loops) / Double(score.tokens) : .nan }
  }

  public struct Result: Equatable, Sendable {
    /// One for every loop.
    public internal(set) var loops: [Score]
    public internal(set) var policies: [PolicyScore]
    var exits: [Double]
    /// The mean exit distribution over the scored tokens; empty without a gate.
    public var exitProbabilities: [Double] {
      let tokens = Double(loops.first?.tokens ?? 0)
      return exits.map { $0 / tokens }
    }
  }

  let executor: LoopExecutor
  let settings: Settings
  let loops: Int

  /// - Throws: `SettingError` for windows or policies that mean nothing.
  public init(_ executor: LoopExecutor, _ settings: Settings = Settings()) throws {
    let configuration = executor.model.configuration
    self.executor = executor
    self.settings = settings
    loops = settings.loops ?? configuration.loops
    try ExitPolicy.fixed(loops).check(configuration)
    for policy in settings.policies { try policy.check(configuration) }
    guard settings.policies.allSatisfy({ $0.limit(configuration) <= loops }) else {
      throw SettingError(name: "loops of a policy", value: "more", range: "at most the \(loops) that run")
    }
    func require(_ holds: Bool, _ name: String, _ value: Int, _ range: String) throws {
      guard holds else { throw SettingError(name: name, value: "\(value)", range: range) }
    }
    let window = settings.window
    try require(
      window >= 2 && window <= configuration.contextLength, "window", window,
      "from 2 to the context of \(configuration.contextLength)")
    try require(
      (1...window).contains(settings.stride ?? 1), "stride", settings.stride ?? 1, "from 1 to the window")
    try require(
      (1..<window).contains(settings.minimumContext), "minimum context", settings.minimumContext,
      "from 1 to \(window - 1)")
  }

  /// Scores a text.
  /// - Parameter progress: called after every window with the tokens read so far and the result so far.
  /// - Throws: `PromptError` for tokens that are not the model's, and what `progress` throws.
  /// - Complexity: loops · tokens · (window / stride) positions through the block, and a readout of each.
  public func score(
    _ tokens: [TokenID], progress: (_ read: Int, _ result: Result) throws -> Void = { _, _ in }
  ) throws -> Result {
    try PromptError.check(tokens, executor.model.configuration)
    var result = Result(
      loops: [Score](repeating: Score(), count: loops),
      policies: settings.policies.map { PolicyScore(policy: $0) },
      exits: executor.model.gate == nil ? [] : [Double](repeating: 0, count: loops))
    var scored = 1
    var start = 0
    while start + 1 < tokens.count {
      let end = min(start + settings.window, tokens.count)
      // Targets are places in the text; the state before a target predicts it.
      let first = max(scored, start + settings.minimumContext)
      if first < end {
        try score(tokens[start..<end], targets: first..<end, into: &result)
        scored = end
      }
      try progress(end, result)
      if end == tokens.count { break }
      start += settings.stride ?? settings.window
    }
    return result
  }

  private func score(_ window: ArraySlice<TokenID>, targets: Range<Int>, into result: inout Result) throws {
    let hidden = executor.model.configuration.hiddenSize
    let cache = KVCache(
      executor.model.configuration, loops: loops, format: .float32, contextLimit: window.count)
    let scorer = WindowScorer(executor, settings.policies, loops: loops)
    try executor.prefill(window.dropLast(), into: cache, loops: loops) { loop, positions, states in
      let wanted = positions.clamped(to: targets.lowerBound - 1 - window.startIndex..<window.count - 1)
      guard !wanted.isEmpty else { return }
      let next = window.startIndex + 1
      scorer.finishLoop(
        loop, states + (wanted.lowerBound - positions.lowerBound) * hidden,
        targets: window[wanted.lowerBound + next..<wanted.upperBound + next], into: &result)
    }
  }
}
