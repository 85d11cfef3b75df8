import Foundation
import LanguageModel
import Tensors
import Tokenization

/// A model with a cache: what `generate` uses once and `chat` turn after turn.
final class Conversation {
  struct Answer {
    var text: String
    var tokens: [GeneratedToken]
    var finishReason: FinishReason
    var statistics: GenerationStatistics
    /// What the wavefront did, in words; `nil` without one.
    var acceptance: String?
  }

  let loaded: LoadedModel
  let executor: LoopExecutor
  private var cache: KVCache
  /// The tokens whose keys and values the cache holds.
  private(set) var history: [TokenID] = []
  private let emptyCache: () -> KVCache
  /// Drafts, and remembers from answer to answer how often they are right.
  private lazy var engine = InferenceEngine(
    executor, settings: InferenceEngine.Settings(memoryLimit: .max), tokenBytes: loaded.tokenizer.bytes(of:))

  init(_ loaded: LoadedModel, model: ModelOptions, loop: LoopOptions, pool: WorkerPool) throws {
    self.loaded = loaded
    let configuration = loaded.model.configuration
    executor = LoopExecutor(loaded.model, pool: pool)
    let (loops, format, sharing) = (model.loops ?? configuration.loops, loop.format, loop.kvSharing)
    let contextLimit = model.contextSize
    emptyCache = {
      KVCache(configuration, loops: loops, format: format, sharing: sharing, contextLimit: contextLimit)
    }
    cache = emptyCache()
  }

  /// Answers a prompt. As much of it as the cache already holds is not computed again.
  /// - Parameter emit: gets the text as it becomes certain.
  func answer(
    _ prompt: [TokenID], settings: GenerationSettings, drafts: DraftSettings, emit: (String) throws -> Void
  ) throws -> Answer {
    // At least one token must be run to have something to read out.
    let kept = min(zip(history, prompt).prefix { $0 == $1 }.count, prompt.count - 1, cache.count)
    if kept < cache.count { cache.truncate(to: max(kept, 0)) }
    history = Array(prompt.prefix(cache.count))
    if drafts.mode != .off {
      return try draftedAnswer(prompt, settings: settings, drafts: drafts, emit: emit)
    }
    let generator = try Generator(
      executor, cache: cache, prompt: Array(prompt.dropFirst(cache.count)), settings: settings,
      history: history,
      bytes: loaded.tokenizer.bytes(of:))
    var answer = Answer(
      text: "", tokens: [], finishReason: .maximumTokens, statistics: GenerationStatistics(), acceptance: nil)
    while let token = try generator.next() {
      answer.tokens.append(token)
      answer.text += token.text
      if !token.text.isEmpty { try emit(token.text) }
      if Interrupt.isRequested { generator.cancellation.cancel() }
    }
    answer.text += generator.rest
    if !generator.rest.isEmpty { try emit(generator.rest) }
    answer.finishReason = generator.finishReason ?? .cancelled
    answer.statistics = generator.statistics
    history = Array((prompt + generator.tokens).prefix(cache.count))
    return answer
  }

  /// Begins from a file that `save` wrote, if there is one.
  /// - Throws: `PromptCacheError` if it belongs to another model or is damaged.
  func restore(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    let stored = try PromptCacheFile.read(
      path, configuration: loaded.model.configuration, fingerprint: loaded.model.fingerprint(),
      contextLimit: cache.contextLimit)
    guard stored.cache.loops == cache.loops, stored.cache.sharing == cache.sharing,
      stored.cache.layout.format == cache.layout.format
    else {
      throw CommandError(
        "\(path): error: was written with \(stored.cache.loops) loops, sharing \(stored.cache.sharing.rawValue) and "
          + "\(stored.cache.layout.format.rawValue) keys and values",
        hint: "use the same options, or another file")
    }
    (cache, history) = (stored.cache, stored.tokens)
  }

  /// Keeps what the prompt left.
  /// - Throws: `AtomicFile.Failure`.
  func save(_ path: String, prompt: [TokenID]) throws {
    cache.truncate(to: min(prompt.count, cache.count))
    try PromptCacheFile.write(
      cache, tokens: Array(prompt.prefix(cache.count)), fingerprint: loaded.model.fingerprint(), to: path)
  }

  /// The same answer from the engine that drafts.
  private func draftedAnswer(
    _ prompt: [TokenID], settings: GenerationSettings, drafts: DraftSettings, emit: (String) throws -> Void
  ) throws -> Answer {
    let id = try engine.submit(
      InferenceRequest(
        prompt: prompt, settings: settings, cacheFormat: cache.layout.format, sharing: cache.sharing,
        drafts: drafts, keepsCache: true),
      cache: cache)
    // The engine owns the cache until the answer has ended; it gives none back if the prompt was not read to its end.
    defer { (cache, history) = engine.takeCache(of: id) ?? (emptyCache(), []) }
    var answer = Answer(
      text: "", tokens: [], finishReason: .cancelled, statistics: GenerationStatistics(), acceptance: nil)
    func take(_ event: InferenceEvent) throws {
      switch event {
      case .token(_, let token, _):
        answer.tokens.append(token)
        answer.text += token.text
        if !token.text.isEmpty { try emit(token.text) }
      case .finished(_, let result):
        answer.finishReason = result.reason
        answer.text += result.rest
        if !result.rest.isEmpty { try emit(result.rest) }
        answer.statistics = result.statistics.generation
        answer.acceptance = Self.words(result.statistics)
      }
    }
    while !engine.isIdle {
      if Interrupt.isRequested, let event = engine.cancel(id) { try take(event) }
      for event in engine.step() { try take(event) }
    }
    return answer
  }

  private static func words(_ statistics: InferenceStatistics) -> String {
    let shares = statistics.acceptance.map { $0.map { String(format: "%.0f %%", $0 * 100) } ?? "–" }
    return String(
      format: "%.2f passes per token, %.2f rows per pass, %d drafts flushed", statistics.passesPerToken,
      statistics.rowsPerPass, statistics.flushes)
      + (shares.isEmpty ? "" : "; right after each loop: " + shares.joined(separator: " "))
  }
}
