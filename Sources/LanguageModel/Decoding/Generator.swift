import Tensors
import Tokenization

/// Generates one answer, token by token: the plain way, one token's loops after the other.
///
/// ```swift
/// let generator = try Generator(
///   executor, cache: KVCache(model.configuration), prompt: tokens, settings: settings, bytes: tokenizer.bytes(of:))
/// while let token = try generator.next() { print(token.text, terminator: "") }
/// print(generator.rest)
/// ```
///
/// The last token's keys and values are not in the cache when the answer ends: a conversation goes on with it as the
/// first token of its next prompt (`unread`).
public final class Generator {
  public let settings: GenerationSettings
  public let cancellation: CancellationSign
  /// Why the answer ended; `nil` while it goes on.
  public private(set) var finishReason: FinishReason?
  /// Tokens of the answer, with an end token if there was one.
  public private(set) var tokens: [TokenID] = []
  /// Text that was held back when the answer ended: at the end of what the tokens' texts make.
  public private(set) var rest = ""
  private let decoder: SequenceDecoder
  private let clock = ContinuousClock()
  private var prompt: [TokenID]
  private var sampler: Sampler
  private var text: TextAssembler
  private let bytes: (TokenID) -> [UInt8]
  private let logits: Tensor
  private var history: [TokenID]
  private var numbers = GenerationStatistics()
  private var passesBefore = 0
  private var rowsBefore = 0

  /// - Parameters:
  ///   - cache: holds what came before the prompt, if anything.
  ///   - history: those tokens, for penalties and the count of prompt tokens.
  ///   - bytes: what a token stands for.
  /// - Throws: `SettingError`, `PromptError`, and `ContextLimitError` if the prompt alone is too long.
  public init(
    _ executor: LoopExecutor, cache: KVCache, prompt: [TokenID], settings: GenerationSettings,
    history: [TokenID] = [], cancellation: CancellationSign = CancellationSign(),
    bytes: @escaping (TokenID) -> [UInt8]
  ) throws {
    let configuration = executor.model.configuration
    try settings.check(configuration)
    guard settings.exit.limit(configuration) <= cache.loops else {
      throw SettingError(
        name: "number of loops", value: "\(settings.exit.limit(configuration))",
        range: "at most the \(cache.loops) that the cache was made for")
    }
    try PromptError.check(prompt, configuration)
    try cache.reserve(cache.count + prompt.count)
    self.settings = settings
    self.cancellation = cancellation
    self.prompt = prompt
    self.history = history + prompt
    self.bytes = bytes
    decoder = SequenceDecoder(executor, cache: cache, skippedLoops: settings.skippedLoops)
    sampler = Sampler(settings.sampling, vocabularySize: configuration.vocabularySize)
    text = TextAssembler(stops: settings.stopStrings)
    logits = Tensor(uninitialized: [configuration.vocabularySize])
    numbers.promptTokens = cache.count + prompt.count
    numbers.cachedTokens = cache.count
  }

  public var cache: KVCache { decoder.cache }

  public var statistics: GenerationStatistics {
    var statistics = numbers
    statistics.generatedTokens = tokens.count
    statistics.cacheBytes = cache.byteCount
    if statistics.promptSeconds > 0 {
      statistics.passes = decoder.executor.passes - passesBefore
      statistics.rows = decoder.executor.rowsRun - rowsBefore
    }
    return statistics
  }

  /// The tokens that the cache does not hold yet: what a continuing prompt must begin with.
  public var unread: [TokenID] { prompt + tokens.suffix(1) }

  /// The next token, or `nil` when the answer has ended.
  /// - Throws: what cannot happen to a generator that was made: the prompt fits, and the limit ends the answer.
  public func next() throws -> GeneratedToken? {
    guard finishReason == nil else { return nil }
    if cancellation.isCancelled { return end(.cancelled) }
    if tokens.count >= settings.maximumTokens { return end(.maximumTokens) }
    var tracker: ExitTracker?
    let seconds = try clock.measure { tracker = try advance() }.inSeconds
    guard let tracker else { return end(cancellation.isCancelled ? .cancelled : .contextLimit) }
    var choice: Sampler.Choice?
    let readout = clock.measure {
      decoder.readOut(into: logits.pointer)
      choice = sampler.choose(logits.pointer, index: tokens.count, history: history)
    }.inSeconds
    guard let choice else { return nil }
    if tokens.isEmpty {
      numbers.promptSeconds = seconds + readout
      passesBefore = decoder.executor.passes
      rowsBefore = decoder.executor.rowsRun
    } else {
      numbers.generationSeconds += seconds + readout
    }
    return accept(choice, tracker)
  }

  /// Brings the sequence to where the next token can be read out; `nil` if it is full or was cancelled.
  private func advance() throws -> ExitTracker? {
    if let last = tokens.last {
      guard cache.count < cache.contextLimit else { return nil }
      return try decoder.append(last, policy: settings.exit)
    }
    do {
      let tracker = try decoder.read(
        prompt, policy: settings.exit, chunk: settings.prefillChunk, isCancelled: { cancellation.isCancelled }
      )
      prompt = []
      return tracker
    } catch is CancellationError {
      return nil
    }
  }

  private func accept(_ choice: Sampler.Choice, _ tracker: ExitTracker) -> GeneratedToken {
    tokens.append(choice.token)
    history.append(choice.token)
    numbers.loops += tracker.loops
    var token = GeneratedToken(
      id: choice.token, text: "", logProbability: choice.logProbability, alternatives: choice.alternatives,
      loops: tracker.loops, exitProbabilities: tracker.exitProbabilities)
    if settings.endTokens.contains(choice.token) {
      end(.endToken(choice.token))
    } else {
      token.text = text.add(bytes(choice.token))
      if let stop = text.stop { end(.stopString(stop)) }
    }
    return token
  }

  @discardableResult
  private func end(_ reason: FinishReason) -> GeneratedToken? {
    finishReason = reason
    rest = text.finish()
    return nil
  }
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension PromptError {
  /// - Throws: `PromptError` if the tokens are none, or not the model's.
  public static func check(_ prompt: [TokenID], _ configuration: ModelConfiguration) throws {
    guard !prompt.isEmpty else { throw PromptError(.empty) }
    for token in prompt where token < 0 || Int(token) >= configuration.vocabularySize {
      throw PromptError(.unknownToken(token, vocabulary: configuration.vocabularySize))
    }
  }
}
