import Tokenization

/// How the next token is chosen from the logits.
///
/// Applied in this order: logit bias, penalties, temperature, top-k, top-p, min-p, choice.
public struct SamplingSettings: Equatable, Sendable {
  /// Divides the logits; 0 takes the most probable token (the lowest id among equals).
  public var temperature: Float
  /// Only so many of the most probable tokens may be chosen; 0 for all.
  public var topK: Int
  /// Only the smallest set of most probable tokens whose probabilities together reach this; 1 for all.
  /// Source: Holtzman et al., arXiv 1904.09751.
  public var topP: Float
  /// Only tokens at least this probable, as a part of the most probable one; 0 for all.
  /// Source: Nguyen et al., arXiv 2407.01082.
  public var minP: Float
  /// Divides the positive and multiplies the negative logits of tokens in the window; 1 for none.
  /// Source: Keskar et al., arXiv 1909.05858.
  public var repetitionPenalty: Float
  /// Taken from the logits of tokens in the window, however often they are there; 0 for none.
  public var presencePenalty: Float
  /// Taken from the logits of tokens in the window once for every time they are there; 0 for none.
  public var frequencyPenalty: Float
  /// How many of the last tokens, prompt and generated, the penalties look at; `nil` for all.
  public var penaltyWindow: Int?
  /// Added to logits; -infinity forbids a token.
  public var logitBias: [TokenID: Float]
  /// The same seed gives the same choices.
  public var seed: UInt64
  /// How many of the most probable tokens are reported with each token, besides itself; `nil` for none at all.
  public var logProbabilities: Int?

  public init(
    temperature: Float = 0, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1,
    presencePenalty: Float = 0, frequencyPenalty: Float = 0, penaltyWindow: Int? = 64,
    logitBias: [TokenID: Float] = [:], seed: UInt64 = 0, logProbabilities: Int? = nil
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.presencePenalty = presencePenalty
    self.frequencyPenalty = frequencyPenalty
    self.penaltyWindow = penaltyWindow
    self.logitBias = logitBias
    self.seed = seed
    self.logProbabilities = logProbabilities
  }

  public static let greedy = SamplingSettings()

  /// - Throws: `SettingError` for values that mean nothing.
  public func check(vocabularySize: Int) throws {
    func require(_ holds: Bool, _ name: String, _ value: Any, _ range: String) throws {
      guard holds else { throw SettingError(name: name, value: "\(value)", range: range) }
    }
    try require(temperature >= 0 && temperature.isFinite, "temperature", temperature, "0 or more")
    try require(topK >= 0, "top-k", topK, "0 (all) or more")
    try require(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1")
    try require(minP >= 0 && minP <= 1, "min-p", minP, "from 0 to 1")
    try require(
      repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition penalty", repetitionPenalty, "above 0")
    try require(presencePenalty.isFinite, "presence penalty", presencePenalty, "a finite number")
    try require(frequencyPenalty.isFinite, "frequency penalty", frequencyPenalty, "a finite number")
    try require((penaltyWindow ?? 0) >= 0, "penalty window", penaltyWindow ?? 0, "0 or more")
    try require(
      (0...vocabularySize).contains(logProbabilities ?? 0), "number of log-probabilities",
      logProbabilities ?? 0, "from 0 to the size of the vocabulary")
    for (token, bias) in logitBias {
      try require(
        token >= 0 && Int(token) < vocabularySize, "biased token", token, "from 0 to \(vocabularySize - 1)")
      try require(!bias.isNaN && bias < .infinity, "bias of token \(token)", bias, "a number, or -infinity")
    }
    let forbidden = logitBias.values.count { $0 == -.infinity }
    try require(
      forbidden < vocabularySize, "number of forbidden tokens", forbidden, "fewer than the vocabulary has")
  }
}

/// A setting outside its range.
public struct SettingError: Error, Equatable, CustomStringConvertible {
  public let name: String
  public let value: String
  public let range: String

  public init(name: String, value: String, range: String) {
    self.name = name
    self.value = value
    self.range = range
  }

  public var description: String { "\(name) \(value): it must be \(range)" }
}
