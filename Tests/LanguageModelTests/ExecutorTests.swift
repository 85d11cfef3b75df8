import LanguageModel
import Tensors
import Testing

@Suite struct ExecutorTests {
  /// Token by token, in chunks and in long matrix products: every loop's states, logits and gates are the reference's.
  @Test(arguments: TinyModels.all) func equalsTheReference(_ model: LanguageModel) throws {
    let tokens = TinyModels.tokens(40)
    let c = model.configuration
    let wanted = ReferenceForward(model).run(tokens, loops: c.loops)
    let executor = LoopExecutor(model)
    for chunk in [1, 3, 16, 17, 40] {
      let cache = KVCache(c, format: .float32)
      let got = try statesOfEveryLoop(executor, cache, tokens, loops: c.loops, chunk: chunk)
      for loop in 0..<c.loops {
        let logits = Tensor(uninitialized: [tokens.count, c.vocabularySize])
        executor.logits(got[loop], rows: tokens.count, into: logits.pointer)
        let states = wanted.states[loop].joined().map(Float.init)
        #expect(largestDifference(got[loop], states) < 1e-4, "chunk \(chunk), loop \(loop)")
        #expect(largestDifference(logits.values, wanted.logits[loop].joined().map(Float.init)) < 1e-4)
        if model.gate != nil {
          let gates = executor.exitLogits(got[loop], rows: tokens.count)
          #expect(largestDifference(gates, wanted.gates[loop].map(Float.init)) < 1e-4)
        }
      }
    }
  }

  /// Any number of loops may be run: the first ones are the same, whatever the number.
  @Test func loopsMayBeOverridden() throws {
    let model = TinyModels.ouro()
    let tokens = TinyModels.tokens(5)
    let wanted = ReferenceForward(model).run(tokens, loops: 8)
    for loops in 1...8 {
      let got = try statesOfEveryLoop(
        LoopExecutor(model), KVCache(model.configuration, loops: loops, format: .float32), tokens,
        loops: loops,
        chunk: 512)
      for loop in 0..<loops {
        #expect(largestDifference(got[loop], wanted.states[loop].joined().map(Float.init)) < 2e-4)
      }
    }
  }

  /// Rows of several sequences at different loops in one pass: bit by bit what each computes alone.
  @Test(arguments: KVLayout.Format.allCases) func passesAreBatchInvariant(_ format: KVLayout.Format) throws {
    for model in [TinyModels.ouro(), TinyModels.ouro(keyValueHeads: 2, format: .bfloat16)] {
      let c = model.configuration
      let executor = LoopExecutor(model)
      let sequences = (0..<5).map { TinyModels.tokens(70 + 3 * $0, seed: UInt64($0)) }
      func caches() throws -> [KVCache] {
        try sequences.map { tokens in
          let cache = KVCache(c, format: format)
          try executor.prefill(tokens, into: cache, loops: 3)
          return cache
        }
      }
      // Alone: a token through three loops.
      let alone = try caches()
      var wanted: [[[Float]]] = []
      for (number, cache) in alone.enumerated() {
        let state = Tensor(uninitialized: [c.hiddenSize])
        executor.embed([Int32(number)], into: state.pointer)
        wanted.append(
          (0..<3).map { loop in
            executor.run(
              [LoopRow(cache: cache, cell: cache.count, position: cache.count, loop: loop)],
              states: state.pointer)
            return state.values
          })
      }
      // Together: sequence s starts at pass s, so that a pass holds rows at all loops.
      let together = try caches()
      let states = sequences.indices.map { number in
        let state = Tensor(uninitialized: [c.hiddenSize])
        executor.embed([Int32(number)], into: state.pointer)
        return state
      }
      for pass in 0..<7 {
        let members = sequences.indices.filter { (0..<3).contains(pass - $0) }
        let batch = Tensor(uninitialized: [members.count, c.hiddenSize])
        for (row, member) in members.enumerated() {
          (batch.pointer + row * c.hiddenSize).update(from: states[member].pointer, count: c.hiddenSize)
        }
        executor.run(
          members.map {
            LoopRow(
              cache: together[$0], cell: together[$0].count, position: together[$0].count, loop: pass - $0)
          }, states: batch.pointer)
        for (row, member) in members.enumerated() {
          states[member].pointer.update(from: batch.pointer + row * c.hiddenSize, count: c.hiddenSize)
          #expect(states[member].values == wanted[member][pass - member])
        }
      }
    }
  }

  /// Sixteen tokens of one sequence in one pass, a chunk, or one by one: the same bits.
  @Test func shortChunksEqualSingleTokensBitByBit() throws {
    let model = TinyModels.ouro(format: .bfloat16)
    let tokens = TinyModels.tokens(48)
    let single = try statesOfEveryLoop(
      LoopExecutor(model), KVCache(model.configuration), tokens, loops: 3, chunk: 1)
    for chunk in [2, 7, 16] {
      let got = try statesOfEveryLoop(
        LoopExecutor(model), KVCache(model.configuration), tokens, loops: 3, chunk: chunk)
      #expect(got == single)
    }
  }

  /// Two branches behind one prefix, interleaved in cells: each computes what it would alone, bit by bit, and the one
  /// that is adopted leaves a cache in which the next token computes the same.
  @Test func branchesSeeTheirOwnPath() throws {
    let model = TinyModels.ouro()
    let c = model.configuration
    let executor = LoopExecutor(model)
    let prefix = TinyModels.tokens(20)
    let branches = [TinyModels.tokens(3, seed: 1), TinyModels.tokens(3, seed: 2)]
    func fresh() throws -> KVCache {
      let cache = KVCache(c)
      try executor.prefill(prefix, into: cache, loops: 3)
      return cache
    }
    let alone = try branches.map { branch in
      try statesOfEveryLoop(executor, fresh(), branch + [5], loops: 3, chunk: 1)
    }
    let cache = try fresh()
    // The cells of branch b are 20 + b, 22 + b, 24 + b.
    var states = Tensor(uninitialized: [6, c.hiddenSize])
    executor.embed((0..<6).map { branches[$0 % 2][$0 / 2] }, into: states.pointer)
    for loop in 0..<3 {
      executor.run(
        (0..<6).map { node in
          LoopRow(
            cache: cache, cell: 20 + node, position: 20 + node / 2, loop: loop,
            path: stride(from: 20 + node % 2, to: 20 + node, by: 2).map { $0 })
        }, states: states.pointer)
      for node in 0..<6 {
        let got = states.values[node * c.hiddenSize..<(node + 1) * c.hiddenSize]
        let wanted = alone[node % 2][loop][node / 2 * c.hiddenSize..<(node / 2 + 1) * c.hiddenSize]
        #expect(got.elementsEqual(wanted), "node \(node), loop \(loop)")
      }
    }
    cache.adopt([21, 23, 25])
    #expect(cache.count == 23)
    states = Tensor(uninitialized: [1, c.hiddenSize])
    executor.embed([5], into: states.pointer)
    for loop in 0..<3 {
      executor.run([LoopRow(cache: cache, cell: 23, position: 23, loop: loop)], states: states.pointer)
      #expect(states.values.elementsEqual(alone[1][loop].suffix(c.hiddenSize)))
    }
  }

  @Test func shapesAreChecked() {
    let model = TinyModels.ouro()
    var layers = model.layers
    layers[1].down = layers[1].up
    #expect(
      throws: ModelShapeError(part: "down of layer 1", found: [96, 64], expected: [64, 96])
    ) {
      try LanguageModel(
        configuration: model.configuration, embedding: model.embedding, layers: layers,
        finalNorm: model.finalNorm, readout: model.readout, gate: model.gate)
    }
  }
}
