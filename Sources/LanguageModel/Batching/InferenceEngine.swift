import Foundation
import Tensors
import Tokenization

/// Runs any number of requests over one model: continuous batching at loop boundaries, and wavefront decoding.
///
/// Every step reads on in prompts for a while and makes one decoding pass. A decoding pass gathers rows of all
/// running requests, each at its own token and loop, since all loops share the weights: the token that every request
/// computes next, and drafts behind it, the likelier first. The answer to a request is the same, bit for bit, as if it
/// ran alone and without drafts.
///
/// Wavefront decoding: while a token goes through its later loops, the tokens that its earlier loops predict behind it
/// go through their first ones in the same passes. A prediction that a later loop changes is replaced; the loop at which
/// the token leaves decides. Because a choice is a function of the logits and of noise that belongs to its place, what
/// is decided is what plain decoding decides, whether greedy or sampled.
///
/// Not thread-safe: one thread calls it. The work inside a step is spread over the pool.
public final class InferenceEngine {
  public struct Settings: Equatable, Sendable {
    /// The most bytes of keys and values of all requests that run; others wait.
    public var memoryLimit: Int
    /// The most requests that run; others wait.
    public var maximumRequests: Int
    /// How many rows of prompts may be read between two decoding passes, if requests are decoding: what they wait for.
    /// One loop over a chunk is read in any case, however long the request's chunks are.
    public var promptRows: Int

    public init(memoryLimit: Int = 4 << 30, maximumRequests: Int = 64, promptRows: Int = 256) {
      self.memoryLimit = memoryLimit
      self.maximumRequests = maximumRequests
      self.promptRows = promptRows
    }
  }

  public let executor: LoopExecutor
  public let settings: Settings
  public private(set) var statistics = EngineStatistics()
  /// How long passes took.
  public internal(set) var cost = PassCost()
  var waiting: [ActiveSequence] = []
  var running: [ActiveSequence] = []
  /// Of finished requests.
  var kept: [RequestID: (cache: KVCache, tokens: [TokenID])] = [:]
  /// What new requests start from, by loop limit.
  var agreements: [Int: AgreementTable] = [:]
  let tokenBytes: ((TokenID) -> [UInt8])?
  /// For benchmarks alone: changes what an early readout predicts. (request, index in the answer, loop, ranked)
  package var draftOracle: ((RequestID, Int, Int, [TokenID]) -> [TokenID])?
  let states: Tensor
  let readStates: Tensor
  let logits: Tensor
  private var submitted = 0
  private var lastPrompt: RequestID?

  /// - Parameter tokenBytes: what a token stands for; without it there is no text, and there are no stop strings.
  public init(
    _ executor: LoopExecutor, settings: Settings = Settings(), tokenBytes: ((TokenID) -> [UInt8])? = nil
  ) {
    self.executor = executor
    self.settings = settings
    self.tokenBytes = tokenBytes
    let c = executor.model.configuration
    states = Tensor(uninitialized: [LoopExecutor.decodeRows, c.hiddenSize])
    readStates = Tensor(uninitialized: [LoopExecutor.decodeRows, c.hiddenSize])
    logits = Tensor(uninitialized: [LoopExecutor.decodeRows, c.vocabularySize])
  }

  /// Whether there is nothing to do.
  public var isIdle: Bool { waiting.isEmpty && running.isEmpty }
  public var waitingCount: Int { waiting.count }
  public var runningCount: Int { running.count }
  /// Bytes of keys and values that are in use.
  public var cacheBytes: Int {
    running.reduce(0) { $0 + $1.cache.byteCount } + kept.values.reduce(0) { $0 + $1.cache.byteCount }
  }
  /// Bytes of keys and values that the running requests may come to use, and those of kept ones.
  public var reservedBytes: Int {
    running.reduce(0) { $0 + $1.reservedBytes } + kept.values.reduce(0) { $0 + $1.cache.byteCount }
  }

  /// Takes a request; it runs from the next step on, if memory allows, and in the order of arrival.
  /// - Parameter given: holds the first tokens of the prompt, at most all but one, none of which owes loops; the engine
  ///   owns it from now on. Its format and sharing replace the request's.
  /// - Throws: `SettingError`, `PromptError`, `ContextLimitError`, `DraftSharingError`, `RequestMemoryError`.
  public func submit(_ request: InferenceRequest, cache given: KVCache? = nil) throws -> RequestID {
    let c = executor.model.configuration
    var request = request
    if let given { (request.cacheFormat, request.sharing) = (given.layout.format, given.sharing) }
    try request.check(c, knowsText: tokenBytes != nil)
    let limit = request.settings.exit.limit(c)
    let contextLimit = min(given?.contextLimit ?? c.contextLength, c.contextLength)
    let answer = min(request.settings.maximumTokens, contextLimit)
    let cells = min(request.prompt.count + answer + Self.spareCells, contextLimit)
    let cache =
      given
      ?? KVCache(
        c, loops: limit, format: request.cacheFormat, sharing: request.sharing, contextLimit: cells)
    try check(cache, request, limit: limit)
    let bytes = Self.reservation(cache, cells: cells, prompt: request.prompt.count)
    guard bytes <= settings.memoryLimit else {
      throw RequestMemoryError(needed: bytes, limit: settings.memoryLimit)
    }
    submitted += 1
    let id = RequestID(number: submitted)
    waiting.append(
      ActiveSequence(
        id: id, request: request, cache: cache, configuration: c,
        agreement: agreements[limit] ?? AgreementTable(loops: limit), contextLimit: contextLimit,
        cellLimit: cells, reservedBytes: bytes))
    return id
  }

  private func check(_ cache: KVCache, _ request: InferenceRequest, limit: Int) throws {
    // Tokens of the prompt that skip loops of the cache would owe them.
    let needsAll = request.settings.skippedLoops == .compute && cache.sharing == .full
    guard needsAll ? limit == cache.loops : limit <= cache.loops else {
      throw SettingError(
        name: "number of loops", value: "\(limit)",
        range: "\(needsAll ? "" : "at most ")the \(cache.loops) that the cache was made for")
    }
    guard cache.count < request.prompt.count else {
      throw SettingError(
        name: "cache", value: "of \(cache.count) tokens",
        range: "shorter than the prompt of \(request.prompt.count)")
    }
    try cache.reserve(request.prompt.count)
  }

  /// The keys and values of a request that kept them, and the tokens they belong to: prompt and answer but for the
  /// answer's last token, which is the first one of what follows.
  /// - Returns: `nil` unless the request has finished, if they were taken before, and if they had to make room for
  ///   another request.
  public func takeCache(of id: RequestID) -> (cache: KVCache, tokens: [TokenID])? {
    kept.removeValue(forKey: id)
  }

  /// Ends a request, running or waiting, and frees its memory at once.
  /// - Returns: its end; `nil` if it is not here.
  public func cancel(_ id: RequestID) -> InferenceEvent? {
    if let place = waiting.firstIndex(where: { $0.id == id }) {
      return .finished(
        id, InferenceResult(reason: .cancelled, rest: "", statistics: waiting.remove(at: place).statistics))
    }
    guard let sequence = running.first(where: { $0.id == id }) else { return nil }
    return finish(sequence, .cancelled)
  }

  /// One step: admits requests, reads on in prompts, and runs one decoding pass.
  public func step() -> [InferenceEvent] {
    var events: [InferenceEvent] = []
    admit(&events)
    let before = statistics.prefillRows
    var reads = true
    while reads && statistics.prefillRows - before < max(settings.promptRows, 1) {
      reads = readPrompt(&events)
    }
    decode(&events)
    return events
  }

  /// Steps until nothing is left to do.
  public func run(_ body: (InferenceEvent) -> Void = { _ in }) {
    while !isIdle { step().forEach(body) }
  }

  /// Takes in waiting requests in their order. One that does not fit yet keeps its place: none overtakes it.
  private func admit(_ events: inout [InferenceEvent]) {
    while let next = waiting.first, running.count < settings.maximumRequests {
      // Kept caches make room, the oldest first.
      while reservedBytes + next.reservedBytes > settings.memoryLimit,
        let oldest = kept.keys.min(by: { $0.number < $1.number })
      {
        kept[oldest] = nil
      }
      guard reservedBytes + next.reservedBytes <= settings.memoryLimit else { return }
      running.append(waiting.removeFirst())
      if next.request.settings.maximumTokens == 0 {
        events.append(finish(next, .maximumTokens))
      } else {
        beginChunk(next)
      }
    }
  }

  func finish(_ sequence: ActiveSequence, _ reason: FinishReason) -> InferenceEvent {
    sequence.forgetTree()
    sequence.statistics.generation.cacheBytes = sequence.cache.byteCount
    if sequence.request.keepsCache, sequence.prompt == nil { keep(sequence) }
    sequence.prompt = nil
    running.removeAll { $0 === sequence }
    agreements[sequence.limit] = sequence.agreement
    if let first = sequence.firstToken {
      sequence.statistics.generation.generationSeconds = Self.seconds(since: first)
    }
    return .finished(
      sequence.id,
      InferenceResult(reason: reason, rest: sequence.text.finish(), statistics: sequence.statistics))
  }

  /// Sets a finished request's cache aside, with no drafts in it, and every token through all loops.
  private func keep(_ sequence: ActiveSequence) {
    sequence.cache.truncate(to: sequence.cache.count)
    while let loop = sequence.owing.map(\.loops).min() {
      let rows = sequence.owing.filter { $0.loops == loop }.prefix(LoopExecutor.decodeRows)
      run(rows.map { Candidate(sequence: sequence, node: $0, depth: 0) })
    }
    kept[sequence.id] = (sequence.cache, Array(sequence.tokens.prefix(sequence.cache.count)))
  }

  // MARK: Prompts

  /// One loop over a chunk of one prompt; prompts take turns by chunks.
  /// - Returns: whether there was one.
  private func readPrompt(_ events: inout [InferenceEvent]) -> Bool {
    let reading = running.filter { $0.prompt != nil }
    guard
      let sequence = reading.first(where: { $0.id.number > lastPrompt?.number ?? 0 }) ?? reading.first,
      var prompt = sequence.prompt
    else { return false }
    let start = ContinuousClock.now
    executor.run(
      prompt.positions.map { LoopRow(cache: sequence.cache, cell: $0, position: $0, loop: prompt.loop) },
      states: prompt.states.pointer)
    statistics.prefillPasses += 1
    statistics.prefillRows += prompt.positions.count
    prompt.loop += 1
    if prompt.foldsEarly {
      sequence.cache.fold(loop: prompt.loop - 1, of: sequence.limit, end: prompt.positions.upperBound)
    }
    sequence.prompt = prompt
    let isLast = prompt.positions.upperBound == sequence.tokens.count
    if isLast { readLast(sequence, prompt) }
    statistics.prefillSeconds += Self.seconds(since: start)
    guard prompt.loop == sequence.limit else { return true }
    lastPrompt = sequence.id
    sequence.cache.commit(prompt.positions.upperBound)
    for cell in prompt.positions { sequence.cache.copyToDeeperLoops(cell: cell, from: sequence.limit - 1) }
    if isLast {
      sequence.cache.settle(loops: sequence.limit)
      sequence.prompt = nil
      commit(sequence, &events)
    } else {
      beginChunk(sequence)
    }
    return true
  }

  private func beginChunk(_ sequence: ActiveSequence) {
    if sequence.promptStart == nil {
      sequence.promptStart = .now
      sequence.statistics.waitingSeconds = Self.seconds(since: sequence.arrival)
    }
    let first = sequence.cache.count
    let positions = first..<min(first + sequence.request.settings.prefillChunk, sequence.tokens.count)
    let states = Tensor(uninitialized: [positions.count, executor.model.configuration.hiddenSize])
    executor.embed(sequence.tokens[positions], into: states.pointer)
    sequence.prompt = ActiveSequence.PromptReading(
      positions: positions, states: states,
      foldsEarly: positions.upperBound == sequence.tokens.count && sequence.cache.settledCount == first)
  }

  /// The prompt's last token chooses the first one of the answer, at the loop where its exit policy says so.
  private func readLast(_ sequence: ActiveSequence, _ prompt: ActiveSequence.PromptReading) {
    let hidden = executor.model.configuration.hiddenSize
    let last = prompt.positions.upperBound - 1
    let node = sequence.root ?? sequence.makeNode(sequence.tokens[last], parent: nil, position: last)
    sequence.root = node
    guard !node.isFinished else { return }
    let state = prompt.states.pointer + (prompt.positions.count - 1) * hidden
    let leaves = advance(node, of: sequence, state: state)
    readOut(needingReadout([Reading(sequence: sequence, node: node, leaves: leaves)]))
  }

  static func seconds(since start: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - start).inSeconds
  }
}

extension InferenceEngine {
  /// Cells behind a sequence for drafts.
  static let spareCells = 32

  /// Bytes that a cache may come to need.
  static func reservation(_ cache: KVCache, cells: Int, prompt: Int) -> Int {
    func blocks(_ cells: Int) -> Int {
      (cells + KVLayout.cellsPerBlock - 1) / KVLayout.cellsPerBlock * cache.layout.blockBytes * cache.layers
    }
    switch cache.sharing {
    case .full: return blocks(cells) * cache.loops
    case .overwrite: return blocks(cells)
    // While the prompt is read, every loop keeps its own.
    case .last, .first: return blocks(cells) + blocks(prompt) * cache.loops
    // And their sums, in f32.
    case .averaged: return blocks(cells) + blocks(prompt) * (cache.loops + 4)
    }
  }

  func count(rows: Int, seconds: Double) {
    statistics.passes += 1
    statistics.rows += rows
    statistics.passSeconds += seconds
  }

  func countToken() { statistics.tokens += 1 }
}

/// A request whose keys and values never fit.
public struct RequestMemoryError: Error, Equatable, CustomStringConvertible {
  public let needed: Int
  public let limit: Int

  public var description: String {
    "keys and values may need \(needed) bytes, and \(limit) are allowed for all requests: ask for fewer tokens, share "
      + "keys and values between loops, keep them as int8, or raise the limit"
  }
}
