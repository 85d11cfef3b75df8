import LanguageModel
import Tensors
import Testing

@Suite struct KVCacheTests {
  /// Every way of sharing against its slow version: a prompt, in one chunk and in several, then tokens one by one.
  @Test(arguments: KVSharing.allCases, [512, 6]) func sharingEqualsItsReference(
    _ sharing: KVSharing, _ chunk: Int
  )
    throws
  {
    let model = TinyModels.ouro(keyValueHeads: 2)
    let c = model.configuration
    let executor = LoopExecutor(model)
    let (prompt, answer) = (TinyModels.tokens(20), TinyModels.tokens(8, seed: 3))
    let cache = KVCache(c, format: .float32, sharing: sharing)
    let decoder = SequenceDecoder(executor, cache: cache)
    var slow = SlowDecoder(model, sharing: sharing, loops: 3)
    let logits = Tensor(uninitialized: [c.vocabularySize])
    func expectEqual(_ state: [Double]) {
      decoder.readOut(into: logits.pointer)
      #expect(largestDifference(logits.values, slow.logits(state).map(Float.init)) < 1e-4)
    }
    let states = slow.append(prompt, loops: 3, chunk: chunk)
    try decoder.read(prompt, chunk: chunk)
    expectEqual(states[2].last!)
    for token in answer {
      let states = slow.append([token], loops: 3)
      try decoder.append(token)
      expectEqual(states[2][0])
    }
    // A second prompt behind the answer.
    let later = slow.append(prompt, loops: 3, chunk: chunk)
    try decoder.read(prompt, chunk: chunk)
    expectEqual(later[2].last!)
    #expect(cache.count == 48)
    #expect(cache.settledCount == (sharing == .full || sharing == .overwrite ? 0 : 48))
  }

  /// What table 14 of the paper is about: a prompt's own prediction is that of full sharing, later ones are not.
  @Test func onlyTokensBehindThePromptDrift() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let tokens = TinyModels.tokens(60)
    for sharing in [KVSharing.last, .averaged, .first] {
      func way(_ sharing: KVSharing) -> Divergence.Way {
        Divergence.Way(executor, cache: KVCache(model.configuration, format: .float32, sharing: sharing))
      }
      let prompt = try Divergence.decoding(
        Array(tokens.prefix(30)), prompt: 30, reference: way(.full), other: way(sharing))
      #expect(prompt.positions == 1 && prompt.largest == 0 && prompt.agreement == 1)
      let all = try Divergence.decoding(tokens, prompt: 30, reference: way(.full), other: way(sharing))
      #expect(all.positions == 30 && all.mean > 0 && all.largest >= all.mean)
    }
  }

  @Test func sharingTakesAThirdOfTheMemory() throws {
    let model = TinyModels.ouro()
    let c = model.configuration
    let executor = LoopExecutor(model)
    let tokens = TinyModels.tokens(512)
    func bytes(_ sharing: KVSharing) throws -> (now: Int, perToken: Int) {
      let cache = KVCache(c, sharing: sharing)
      try executor.prefill(tokens, into: cache, loops: 3)
      return (cache.byteCount, cache.bytesPerToken)
    }
    // 2 layers · (keys and values) · 4 heads · 16 · 2 bytes.
    let cell = 2 * 2 * 4 * 16 * 2
    #expect(try bytes(.full) == (512 * 3 * cell, 3 * cell))
    #expect(try bytes(.overwrite) == (512 * cell, cell))
    // And a block of 64 cells for what is being computed, for every loop, and in f32 for the sums.
    #expect(try bytes(.last) == ((512 + 3 * 64) * cell, cell))
    #expect(try bytes(.first) == ((512 + 3 * 64) * cell, cell))
    #expect(try bytes(.averaged) == ((512 + 3 * 64 + 2 * 64) * cell, cell))
  }

  /// A prompt in one chunk never has more than one loop's own keys and values besides the shared ones.
  @Test func promptsOfOneChunkFreeEachLoop() throws {
    let model = TinyModels.ouro()
    let cache = KVCache(model.configuration, sharing: .last)
    let cell = 2 * 2 * 4 * 16 * 2
    var most = 0
    try LoopExecutor(model).prefill(TinyModels.tokens(512), into: cache, loops: 3) { loop, _, _ in
      if loop < 2 { #expect(cache.byteCount == 64 * (loop + 1) * cell) }
      most = max(most, cache.byteCount)
    }
    #expect(most == (512 + 3 * 64) * cell)
  }

  /// Rounded keys and values: near the f32 ones, and nearer in f16 than in eight bits.
  @Test func formatsErrLittle() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let tokens = TinyModels.tokens(90)
    func drift(_ format: KVLayout.Format) throws -> Divergence {
      try Divergence.decoding(
        tokens, prompt: 40,
        reference: .init(executor, cache: KVCache(model.configuration, format: .float32)),
        other: .init(executor, cache: KVCache(model.configuration, format: format)))
    }
    let (half, bytes) = (try drift(.float16), try drift(.int8))
    #expect(half.mean < 1e-5 && half.agreement > 0.95)
    #expect(bytes.mean < 2e-3 && bytes.mean > half.mean && bytes.agreement > 0.8)
  }

  @Test func bytesPerCell() {
    #expect(KVLayout(heads: 16, headSize: 128, format: .float16).bytesPerCell == 8192)
    #expect(KVLayout(heads: 16, headSize: 128, format: .int8).bytesPerCell == 4096 + 128)
    #expect(KVCache(.ouro(), format: .float16).bytesPerToken == 768 << 10)
    #expect(KVCache(.ouro(), format: .float16, sharing: .last).bytesPerToken == 192 << 10)
  }

  /// After `truncate` the sequence goes on as if the rest had never been.
  @Test(arguments: KVSharing.allCases) func truncation(_ sharing: KVSharing) throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let tokens = TinyModels.tokens(150)
    func last(_ cache: KVCache) throws -> [Float] {
      let decoder = SequenceDecoder(executor, cache: cache)
      try decoder.append(5)
      let logits = Tensor(uninitialized: [96])
      decoder.readOut(into: logits.pointer)
      return logits.values
    }
    let whole = KVCache(model.configuration, sharing: sharing)
    try executor.prefill(tokens.prefix(70), into: whole, loops: 3)
    let short = whole.byteCount
    try executor.prefill(tokens.dropFirst(70), into: whole, loops: 3)
    #expect(whole.byteCount > short)
    whole.truncate(to: 70)
    // Without the blocks for what is being computed.
    #expect(whole.count == 70 && whole.byteCount <= short && whole.byteCount >= 70 * whole.bytesPerToken)
    let wanted = KVCache(model.configuration, sharing: sharing)
    try executor.prefill(tokens.prefix(70), into: wanted, loops: 3)
    #expect(try last(whole) == last(wanted))
  }

  @Test func theContextEnds() throws {
    let model = TinyModels.ouro()
    let cache = KVCache(model.configuration, contextLimit: 10)
    let executor = LoopExecutor(model)
    #expect(throws: ContextLimitError(limit: 10, needed: 11)) {
      try executor.prefill(TinyModels.tokens(11), into: cache, loops: 3)
    }
    #expect(cache.count == 0 && cache.byteCount == 0)
    try executor.prefill(TinyModels.tokens(10), into: cache, loops: 3)
    let decoder = SequenceDecoder(executor, cache: cache)
    #expect(throws: ContextLimitError(limit: 10, needed: 11)) { try decoder.append(1) }
    #expect(cache.count == 10)
  }

  /// Only loops that ran take memory.
  @Test func loopsThatNeverRanTakeNothing() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    func bytes(_ loops: Int) throws -> Int {
      let cache = KVCache(model.configuration, loops: loops)
      try executor.prefill(TinyModels.tokens(5), into: cache, loops: loops)
      return cache.byteCount
    }
    #expect(try bytes(1) * 4 == bytes(4))
  }
}
