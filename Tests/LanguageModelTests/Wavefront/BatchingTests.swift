import LanguageModel
import Tensors
import Testing
import Tokenization

@Suite struct BatchingTests {
  private let model = AgreeableModels.model(change: 0.2)

  /// Requests that differ in everything.
  private var requests: [InferenceRequest] {
    var requests: [InferenceRequest] = []
    for (i, policy) in WavefrontTests.policies.enumerated() {
      let settings = GenerationSettings(
        sampling: WavefrontTests.samplings[i % WavefrontTests.samplings.count], exit: policy,
        skippedLoops: i % 4 < 2 ? .compute : .copy, maximumTokens: 5 + i * 3 % 17,
        prefillChunk: [512, 16, 5][i % 3])
      requests.append(
        InferenceRequest(
          prompt: TinyModels.tokens(1 + i * 11 % 50, seed: UInt64(i)), settings: settings,
          cacheFormat: [.float16, .float32, .int8][i % 3],
          drafts: WavefrontTests.drafts[i % WavefrontTests.drafts.count],
          keepsLogits: true))
    }
    for (i, sharing) in KVSharing.allCases.enumerated() {
      let settings = GenerationSettings(
        sampling: WavefrontTests.samplings[i], exit: i % 2 == 0 ? .fixed() : .threshold(0.6),
        maximumTokens: 12,
        prefillChunk: 16)
      requests.append(
        InferenceRequest(
          prompt: TinyModels.tokens(30 + i, seed: UInt64(i)), settings: settings, sharing: sharing,
          drafts: i % 2 == 0 ? .off : .adaptive, keepsLogits: true))
    }
    return requests
  }

  @Test func sharedPassesEqualRunningAlone() throws {
    let requests = requests
    let wanted = try requests.map { try AgreeableModels.plain(model, $0) }
    for arrivals in [[], requests.indices.map { $0 * 5 % 23 }] {
      let got = try AgreeableModels.answers(model, requests, arrivals: arrivals)
      for i in requests.indices { #expect(got.answers[i] == wanted[i], "request \(i)") }
      #expect(got.engine.cacheBytes == 0 && got.engine.reservedBytes == 0)
    }
  }

  @Test func moreRequestsThanRowsTakeTurns() throws {
    let requests = (0..<20).map {
      InferenceRequest(
        prompt: TinyModels.tokens(3, seed: UInt64($0)), settings: GenerationSettings(maximumTokens: 8),
        drafts: .off,
        keepsLogits: true)
    }
    let got = try AgreeableModels.answers(model, requests)
    for i in requests.indices { #expect(got.answers[i] == (try AgreeableModels.plain(model, requests[i]))) }
    // 20 answers of seven tokens behind the first, four loops each: full passes but for arrivals and ends.
    #expect(got.engine.statistics.rows == 20 * 7 * 4)
    #expect(got.engine.statistics.passes < 20 * 7 * 4 / 12)
  }

  /// Right drafts, wrong ones, late ones, in few rows and in many.
  @Test(arguments: [ExitPolicy.fixed(), .threshold(0.5), .stateChange(0.9)], [SkippedLoops.copy, .compute])
  func whatIsDraftedChangesNothing(policy: ExitPolicy, skipped: SkippedLoops) throws {
    var request = InferenceRequest(
      prompt: TinyModels.tokens(12),
      settings: GenerationSettings(
        sampling: SamplingSettings(temperature: 1, seed: 8), exit: policy, skippedLoops: skipped,
        maximumTokens: 40),
      drafts: DraftSettings(mode: .fixed, branches: 3, lookup: 4), keepsLogits: true)
    let model = AgreeableModels.model(change: 0.4)
    let wanted = try AgreeableModels.plain(model, request)
    for rows in [2, 3, 5, 16] {
      request.drafts.maximumRows = rows
      let engine = InferenceEngine(LoopExecutor(model, pool: AgreeableModels.pool))
      var random = RandomStream(seed: UInt64(rows))
      engine.draftOracle = { _, index, _, _ in
        let right = index < wanted.tokens.count ? wanted.tokens[index] : 0
        let drafts = [right, TokenID(random.next() % 96), TokenID(random.next() % 96)]
        return Array(Set(drafts.shuffled(using: &random).prefix(Int(random.next() % 3) + 1)))
      }
      _ = try engine.submit(request)
      var (tokens, logits): ([TokenID], [[UInt32]]) = ([], [])
      engine.run { event in
        guard case .token(_, let token, let values) = event else { return }
        tokens.append(token.id)
        logits.append((values ?? []).map(\.bitPattern))
      }
      #expect(tokens == wanted.tokens)
      #expect(logits == wanted.logits)
    }
  }

  @Test(arguments: [SkippedLoops.copy, .compute], KVSharing.allCases)
  func conversationsGoOnWithTheirCache(skipped: SkippedLoops, sharing: KVSharing) throws {
    let settings = GenerationSettings(exit: .threshold(0.6), skippedLoops: skipped, maximumTokens: 15)
    var request = InferenceRequest(
      prompt: TinyModels.tokens(11), settings: settings, sharing: sharing, keepsLogits: true, keepsCache: true
    )
    let engine = InferenceEngine(LoopExecutor(model, pool: AgreeableModels.pool))
    let first = try engine.submit(request)
    engine.run()
    let (cache, tokens) = try #require(engine.takeCache(of: first))
    #expect(engine.takeCache(of: first) == nil)
    #expect(engine.cacheBytes == 0 && engine.reservedBytes == 0)
    let plainCache = KVCache(model.configuration, sharing: sharing)
    let answer = try AgreeableModels.plain(model, request, cache: plainCache)
    #expect(tokens == request.prompt + answer.tokens.dropLast())
    request.prompt = tokens + answer.tokens.suffix(1) + TinyModels.tokens(9, seed: 3)
    let second = try engine.submit(request, cache: cache)
    var (got, logits): ([TokenID], [[UInt32]]) = ([], [])
    engine.run { event in
      guard case .token(second, let token, let values) = event else { return }
      got.append(token.id)
      logits.append((values ?? []).map(\.bitPattern))
    }
    // A decoder that goes on pays what tokens owe before it reads on, as the engine does when the first answer ends.
    let decoder = SequenceDecoder(
      LoopExecutor(model, pool: AgreeableModels.pool), cache: KVCache(model.configuration, sharing: sharing),
      skippedLoops: skipped)
    try decoder.read(TinyModels.tokens(11), policy: settings.exit)
    for token in answer.tokens.dropLast() { try decoder.append(token, policy: settings.exit) }
    try decoder.read(request.prompt.dropFirst(tokens.count), policy: settings.exit)
    let values = Tensor(uninitialized: [model.configuration.vocabularySize])
    decoder.readOut(into: values.pointer)
    #expect(logits[0] == values.values.map(\.bitPattern))
    #expect(got.count == 15)
  }

  @Test func cancellingFreesAtOnceAndLeavesTheOthers() throws {
    let requests = (0..<4).map {
      InferenceRequest(
        prompt: TinyModels.tokens(20, seed: UInt64($0)),
        settings: GenerationSettings(maximumTokens: 30, prefillChunk: 8), drafts: DraftSettings(mode: .fixed))
    }
    for steps in [0, 1, 9, 40] {
      let engine = InferenceEngine(
        LoopExecutor(model, pool: AgreeableModels.pool), settings: .init(maximumRequests: 3))
      let ids = try requests.map { try engine.submit($0) }
      var answers: [RequestID: [TokenID]] = [:]
      func note(_ event: InferenceEvent) {
        if case .token(let id, let token, _) = event { answers[id, default: []].append(token.id) }
      }
      for _ in 0..<steps { engine.step().forEach(note) }
      let (before, reserved) = (engine.cacheBytes, engine.reservedBytes)
      // The second runs, if there was a step; the last one waits.
      for id in [ids[1], ids[3]] {
        guard case .finished(id, let result)? = engine.cancel(id) else {
          Issue.record("\(id) was not there")
          continue
        }
        #expect(result.reason == .cancelled)
        #expect(
          result.statistics.generation.rows == result.statistics.usefulRows + result.statistics.flushedRows)
      }
      #expect(steps == 0 || (engine.cacheBytes <= before && engine.reservedBytes < reserved))
      #expect(engine.cancel(ids[1]) == nil)
      engine.run(note)
      for i in [0, 2] { #expect(answers[ids[i]] == (try AgreeableModels.plain(model, requests[i])).tokens) }
      #expect(engine.isIdle && engine.cacheBytes == 0 && engine.reservedBytes == 0)
    }
  }

  @Test func memoryIsNeverMoreThanWasSetAside() throws {
    let probe = KVCache(model.configuration)
    let token = probe.bytesPerToken
    let limit = 300 * token
    var most = 0
    let requests = requests.map {
      var request = $0
      request.drafts = request.sharing == .full ? DraftSettings(mode: .fixed, branches: 3, lookup: 4) : .off
      return request
    }
    let got = try AgreeableModels.answers(model, requests, settings: .init(memoryLimit: limit)) { engine in
      #expect(engine.cacheBytes <= engine.reservedBytes)
      #expect(engine.reservedBytes <= limit)
      most = max(most, engine.runningCount)
    }
    #expect(most > 1 && most < requests.count)
    for i in requests.indices { #expect(got.answers[i] == (try AgreeableModels.plain(model, requests[i]))) }
    let engine = InferenceEngine(LoopExecutor(model), settings: .init(memoryLimit: 100 * token))
    #expect(throws: RequestMemoryError.self) {
      try engine.submit(
        InferenceRequest(prompt: [1], settings: GenerationSettings(maximumTokens: 200), sharing: .full))
    }
  }

  @Test func keptCachesMakeRoom() throws {
    let token = KVCache(model.configuration).bytesPerToken
    let engine = InferenceEngine(
      LoopExecutor(model, pool: AgreeableModels.pool), settings: .init(memoryLimit: 200 * token))
    let request = InferenceRequest(
      prompt: TinyModels.tokens(30), settings: GenerationSettings(maximumTokens: 20), keepsCache: true)
    let ids = try (0..<4).map { _ in try engine.submit(request) }
    engine.run()
    #expect(engine.isIdle && engine.reservedBytes <= 200 * token)
    #expect(engine.takeCache(of: ids[0]) == nil)
    #expect(engine.takeCache(of: ids[3]) != nil)
  }

  @Test func theContextEnds() throws {
    var request = InferenceRequest(
      prompt: TinyModels.tokens(240), settings: GenerationSettings(maximumTokens: 100),
      drafts: DraftSettings(mode: .fixed, branches: 3, lookup: 6), keepsLogits: true)
    let wanted = try AgreeableModels.plain(model, request)
    #expect(wanted.reason == .contextLimit && wanted.tokens.count == 256 - 240 + 1)
    #expect(try AgreeableModels.answers(model, [request]).answers[0] == wanted)
    request.prompt = TinyModels.tokens(257)
    let engine = InferenceEngine(LoopExecutor(model))
    #expect(throws: ContextLimitError(limit: 256, needed: 257)) { try engine.submit(request) }
  }

  @Test func answersEndWhereTheyShould() throws {
    var request = InferenceRequest(
      prompt: TinyModels.tokens(8),
      settings: GenerationSettings(sampling: SamplingSettings(temperature: 1, seed: 5), maximumTokens: 30),
      drafts: DraftSettings(mode: .fixed, branches: 2), keepsLogits: true)
    let whole = try AgreeableModels.plain(model, request)
    let characters = Array(whole.text)
    let variants: [(inout GenerationSettings) -> Void] = [
      { $0.endTokens = [whole.tokens[9]] }, { $0.stopStrings = [String(characters[6...8])] },
      { $0.stopStrings = [String(characters[0])] },
      { $0.stopStrings = [String(characters[20...]) + "never"] },
      { $0.maximumTokens = 1 }, { $0.maximumTokens = 2 },
    ]
    for variant in variants {
      variant(&request.settings)
      let wanted = try AgreeableModels.plain(model, request)
      let got = try AgreeableModels.answers(model, [request])
      #expect(got.answers[0] == wanted)
      request.settings = GenerationSettings(sampling: request.settings.sampling, maximumTokens: 30)
    }
    request.settings.maximumTokens = 0
    #expect(try AgreeableModels.answers(model, [request]).answers[0].reason == .maximumTokens)
  }

  @Test func statisticsAddUp() throws {
    let got = try AgreeableModels.answers(model, requests, arrivals: requests.indices.map { $0 * 2 })
    let (engine, all) = (got.engine, got.statistics)
    #expect(engine.executor.passes == engine.statistics.passes + engine.statistics.prefillPasses)
    #expect(engine.executor.rowsRun == engine.statistics.rows + engine.statistics.prefillRows)
    #expect(engine.statistics.rows == all.reduce(0) { $0 + $1.generation.rows })
    #expect(engine.statistics.tokens == all.reduce(0) { $0 + $1.generation.generatedTokens })
    #expect(
      engine.statistics.prefillRows
        == requests.reduce(0) { $0 + $1.prompt.count * $1.settings.exit.limit(model.configuration) })
    for (i, one) in all.enumerated() {
      #expect(one.generation.rows == one.usefulRows + one.flushedRows)
      // The first token's loops are the prompt's; loops that were skipped first come on top.
      let loops = got.answers[i].loops.dropFirst().reduce(0, +)
      #expect(requests[i].settings.skippedLoops == .copy ? one.usefulRows == loops : one.usefulRows >= loops)
      #expect(one.generation.loops == got.answers[i].loops.reduce(0, +))
      #expect(one.generation.passes <= one.generation.rows)
      #expect(one.generation.generatedTokens == got.answers[i].tokens.count)
      for loop in one.predicted.indices { #expect(one.agreed[loop] <= one.predicted[loop]) }
      if requests[i].drafts.mode == .off {
        #expect(one.flushes == 0 && one.flushedRows == 0 && one.generation.passes <= loops)
      }
    }
  }

  @Test func whatIsRefused() throws {
    let engine = InferenceEngine(LoopExecutor(model))
    for sharing in KVSharing.allCases where sharing != .full {
      #expect(throws: DraftSharingError(sharing: sharing)) {
        try engine.submit(
          InferenceRequest(prompt: [1], sharing: sharing, drafts: DraftSettings(mode: .fixed)))
      }
    }
    func refuses(_ change: (inout InferenceRequest) -> Void) {
      var request = InferenceRequest(prompt: [1, 2])
      change(&request)
      #expect(throws: SettingError.self) { try engine.submit(request) }
    }
    refuses { $0.drafts.branches = 0 }
    refuses { $0.drafts.firstLoop = 0 }
    refuses { $0.drafts.lookup = -1 }
    refuses { $0.drafts.maximumRows = 17 }
    refuses { $0.settings.stopStrings = ["x"] }
    refuses { $0.settings.sampling.temperature = -1 }
    refuses { $0.settings.exit = .fixed(0) }
    #expect(throws: PromptError.self) { try engine.submit(InferenceRequest(prompt: [])) }
    #expect(throws: PromptError.self) { try engine.submit(InferenceRequest(prompt: [96])) }
    #expect(engine.isIdle)
  }
}
