import Foundation
import LanguageModel
import Tensors
import Tokenization

extension InferenceWorker {
  /// Runs until `stop`, on the calling thread.
  func run(_ loaded: LoadedModel, pool: WorkerPool) {
    let executor = LoopExecutor(loaded.model, pool: pool)
    let engine = InferenceEngine(
      executor, settings: engineSettings, tokenBytes: loaded.tokenizer.bytes(of:))
    let shift = Shift(self, engine)
    while let work = wait(for: shift) {
      shift.cancel(work.cancellations)
      for waiting in work.started { shift.start(waiting) }
      shift.advance()
      metrics.setEngine(
        running: engine.runningCount + shift.scorers.count, cacheBytes: engine.cacheBytes,
        prefixBytes: shift.prefixes.bytes, statistics: engine.statistics)
    }
    shift.endAll(.stopping)
    for waiting in condition.withLock({ queue.remove { _ in true } }) {
      waiting.generation.receive(.failed(.stopping))
    }
    condition.withLock { active = 0 }
  }

  private struct Work {
    var cancellations: [Ticket]
    var started: [Waiting]
  }

  /// Sleeps while there is nothing to do.
  /// - Returns: what came in; `nil` at the end.
  private func wait(for shift: Shift) -> Work? {
    condition.lock()
    defer { condition.unlock() }
    while !isStopping && queue.isEmpty && cancellations.isEmpty && shift.isIdle { condition.wait() }
    guard !isStopping else { return nil }
    let work = Work(cancellations: cancellations, started: takeWaiting(shift))
    cancellations = []
    return work
  }

  private func takeWaiting(_ shift: Shift) -> [Waiting] {
    let cancelled = Set(cancellations)
    for waiting in queue.remove(where: { cancelled.contains($0.ticket) }) {
      active -= 1
      waiting.generation.receive(.failed(.cancelled))
    }
    var started: [Waiting] = []
    while shift.runningCount + started.count < engineSettings.maximumRequests, let next = queue.popFirst() {
      started.append(next)
    }
    metrics.setWaiting(queue.count)
    return started
  }

  func finish(_ count: Int = 1) { condition.withLock { active -= count } }
}

extension ServingError {
  /// The client has gone: nobody reads this.
  static var cancelled: ServingError {
    ServingError(.init(code: 499), "the request was cancelled", type: "cancelled")
  }
}

/// What the engine's thread holds: the engine, and who gets what it brings.
private final class Shift {
  struct Running {
    var ticket: InferenceWorker.Ticket
    var generation: Generation
    var arrival: ContinuousClock.Instant
    var hasBegun = false
  }

  let worker: InferenceWorker
  let engine: InferenceEngine
  var prefixes: PrefixStore
  var scorers: [(scorer: PromptScorer, arrival: ContinuousClock.Instant)] = []
  private var running: [RequestID: Running] = [:]

  init(_ worker: InferenceWorker, _ engine: InferenceEngine) {
    self.worker = worker
    self.engine = engine
    prefixes = PrefixStore(limit: worker.limits.prefixBytes)
  }

  var isIdle: Bool { engine.isIdle && scorers.isEmpty }
  var runningCount: Int { engine.runningCount + engine.waitingCount + scorers.count }

  func start(_ waiting: InferenceWorker.Waiting) {
    if waiting.generation.scoresPrompt != nil {
      scorers.append(
        (PromptScorer(engine.executor, waiting.generation, ticket: waiting.ticket), waiting.arrival))
    } else {
      submit(waiting.generation, waiting.ticket, waiting.arrival, cache: nil)
    }
  }

  private func submit(
    _ generation: Generation, _ ticket: InferenceWorker.Ticket, _ arrival: ContinuousClock.Instant,
    cache given: KVCache?
  ) {
    var request = generation.request
    let configuration = engine.executor.model.configuration
    let loops = request.settings.exit.limit(configuration)
    let shares = generation.usesPrefixes && request.sharing == .full && prefixes.limit > 0
    let kind = PrefixStore.Kind(loops: loops, format: request.cacheFormat)
    var cache = given
    if cache == nil, shares {
      // A cache of ours may grow to the whole context, so that the next turn can go on in it.
      cache =
        prefixes.take(request.prompt, kind: kind)
        ?? KVCache(configuration, loops: loops, format: request.cacheFormat, sharing: request.sharing)
    }
    request.keepsCache = shares && given == nil
    do {
      let id = try engine.submit(request, cache: cache)
      running[id] = Running(ticket: ticket, generation: generation, arrival: arrival)
    } catch {
      generation.receive(.failed(ServingError(inference: error)))
      worker.finish()
    }
  }

  func cancel(_ tickets: [InferenceWorker.Ticket]) {
    guard !tickets.isEmpty else { return }
    let cancelled = Set(tickets)
    for (id, sequence) in running where cancelled.contains(sequence.ticket) {
      if let event = engine.cancel(id) { take(event) }
    }
    for place in scorers.indices.reversed() where cancelled.contains(scorers[place].scorer.ticket) {
      scorers.remove(at: place).scorer.generation.receive(.failed(.cancelled))
      worker.finish()
    }
  }

  /// One chunk of one prompt that is scored, and one step of the engine.
  func advance() {
    if !scorers.isEmpty {
      let next = scorers.removeFirst()
      let generation = next.scorer.generation
      do {
        if try next.scorer.advance(isShared: !engine.isIdle) {
          generation.receive(.scored(next.scorer.result))
          continueScored(next.scorer, next.arrival)
        } else {
          scorers.append(next)
        }
      } catch {
        generation.receive(.failed(ServingError(inference: error)))
        worker.finish()
      }
    }
    if !engine.isIdle { for event in engine.step() { take(event) } }
  }

  private func continueScored(_ scorer: PromptScorer, _ arrival: ContinuousClock.Instant) {
    let generation = scorer.generation
    if generation.request.settings.maximumTokens == 0 {
      var statistics = InferenceStatistics()
      statistics.generation.promptTokens = generation.request.prompt.count
      generation.receive(
        .finished(InferenceResult(reason: .maximumTokens, rest: "", statistics: statistics)))
      worker.finish()
      return
    }
    // The last token chooses the answer's first one; all before it are read.
    let reuses = generation.request.sharing == .full && scorer.cache.count > 0
    submit(generation, scorer.ticket, arrival, cache: reuses ? scorer.cache : nil)
  }

  private func take(_ event: InferenceEvent) {
    switch event {
    case .token(let id, let token, _):
      guard let sequence = running[id] else { return }
      if !sequence.hasBegun {
        running[id]?.hasBegun = true
        worker.metrics.noteFirstToken(seconds: (ContinuousClock.now - sequence.arrival) / .seconds(1))
      }
      sequence.generation.receive(.token(token))
    case .finished(let id, let result):
      keep(id)
      guard let sequence = running.removeValue(forKey: id) else { return }
      worker.metrics.noteFinished(result)
      sequence.generation.receive(.finished(result))
      worker.finish()
    }
  }

  /// Moves the keys and values that a request left into the store.
  private func keep(_ id: RequestID) {
    guard let (cache, tokens) = engine.takeCache(of: id), let sequence = running[id] else { return }
    let request = sequence.generation.request
    var count = tokens.count
    // Tokens that left early left copies: others would read them through all loops.
    if !request.settings.exit.runsAllLoops { count = min(count, request.prompt.count - 1) }
    if count < cache.count { cache.truncate(to: count) }
    prefixes.insert(
      cache, tokens: Array(tokens.prefix(count)),
      kind: PrefixStore.Kind(loops: cache.loops, format: cache.layout.format))
  }

  func endAll(_ error: ServingError) {
    for (id, sequence) in running {
      _ = engine.cancel(id)
      sequence.generation.receive(.failed(error))
    }
    running = [:]
    for (scorer, _) in scorers { scorer.generation.receive(.failed(error)) }
    scorers = []
  }
}
