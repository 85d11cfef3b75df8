import Tokenization

/// What one answer is asked for, and how it is computed: every request has settings of its own.
public struct InferenceRequest: Sendable {
  public var prompt: [TokenID]
  public var settings: GenerationSettings
  /// How keys and values are kept.
  public var cacheFormat: KVLayout.Format
  /// Which loops share them.
  public var sharing: KVSharing
  public var drafts: DraftSettings
  /// Whether every token comes with the logits it was chosen from.
  public var keepsLogits: Bool
  /// Whether the keys and values are kept when the answer ends, for `InferenceEngine.takeCache`.
  public var keepsCache: Bool
  /// How many of the most probable tokens are reported for every loop of every token, `GeneratedToken.predictions`; `nil`
  /// for none. Every loop is read out then.
  public var predictionsPerLoop: Int?

  public init(
    prompt: [TokenID], settings: GenerationSettings = GenerationSettings(),
    cacheFormat: KVLayout.Format = .float16,
    sharing: KVSharing = .full, drafts: DraftSettings = .adaptive, keepsLogits: Bool = false,
    keepsCache: Bool = false, predictionsPerLoop: Int? = nil
  ) {
    self.prompt = prompt
    self.settings = settings
    self.cacheFormat = cacheFormat
    self.sharing = sharing
    self.drafts = drafts
    self.keepsLogits = keepsLogits
    self.keepsCache = keepsCache
    self.predictionsPerLoop = predictionsPerLoop
  }

  /// - Throws: `SettingError`, `PromptError`, `ContextLimitError`, `DraftSharingError`.
  func check(_ configuration: ModelConfiguration, knowsText: Bool) throws {
    try PromptError.check(prompt, configuration)
    try settings.check(configuration)
    guard prompt.count <= configuration.contextLength else {
      throw ContextLimitError(limit: configuration.contextLength, needed: prompt.count)
    }
    guard knowsText || settings.stopStrings.allSatisfy(\.isEmpty) else {
      throw SettingError(
        name: "stop strings", value: "\(settings.stopStrings)",
        range: "none, because the engine has no tokenizer")
    }
    try SamplingSettings(logProbabilities: predictionsPerLoop).check(
      vocabularySize: configuration.vocabularySize)
    try drafts.check()
    guard drafts.mode != .fixed || sharing == .full else { throw DraftSharingError(sharing: sharing) }
  }
}

/// Drafts were asked for where loops share keys and values.
///
/// There a draft sees its parent as the parent's last loop leaves it (or the loops' mean, or what the parent's first
/// loop left in a slot that is shared only when the parent is done), so that it cannot start before the parent is done:
/// started earlier, the output would differ from plain decoding.
public struct DraftSharingError: Error, Equatable, CustomStringConvertible {
  public let sharing: KVSharing

  public init(sharing: KVSharing) { self.sharing = sharing }

  public var description: String {
    "drafts need keys and values of every loop, and the sharing policy is \(sharing.rawValue): use full, or turn the "
      + "wavefront off"
  }
}

/// A request in an engine.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
  public let number: Int

  public var description: String { "\(number)" }
}

/// What a step of an engine brings.
public enum InferenceEvent: Sendable {
  /// A token of an answer; the logits it was chosen from, [vocabulary], if the request keeps them.
  case token(RequestID, GeneratedToken, logits: [Float]?)
  case finished(RequestID, InferenceResult)
}

/// How an answer ended.
public struct InferenceResult: Sendable {
  public var reason: FinishReason
  /// Text that was held back: the answer's last.
  public var rest: String
  public var statistics: InferenceStatistics

  public init(reason: FinishReason, rest: String, statistics: InferenceStatistics) {
    self.reason = reason
    self.rest = rest
    self.statistics = statistics
  }
}
