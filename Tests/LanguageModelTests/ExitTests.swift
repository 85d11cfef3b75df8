import Foundation
import LanguageModel
import Tensors
import Testing

@Suite struct ExitTests {
  @Test func distributionByTheDefinition() {
    // λ = 1/2, 1/4; the last gate is not used.
    let distribution = ExitDistribution(gates: [0, -log(3), 100])
    #expect(distribution.probabilities == [0.5, 0.125, 0.375])
    #expect(distribution.cumulative == [0.5, 0.625, 1])
    #expect(distribution.loops(threshold: 0) == 1)
    #expect(distribution.loops(threshold: 0.5) == 1)
    #expect(distribution.loops(threshold: 0.51) == 2)
    #expect(distribution.loops(threshold: 0.7) == 3)
    #expect(distribution.loops(threshold: 1) == 3)
    #expect(distribution.loops(threshold: 0.1, minimum: 2) == 2)
    #expect(ExitDistribution(gates: [3]).probabilities == [1])
  }

  @Test func distributionsSumToOneAndNeverFall() {
    var random = RandomStream(seed: 4)
    for loops in 1...8 {
      for _ in 0..<200 {
        let distribution = ExitDistribution(gates: random.normal([loops], deviation: 5).values)
        #expect(abs(distribution.probabilities.reduce(0, +) - 1) < 1e-6)
        #expect(distribution.probabilities.allSatisfy { $0 >= 0 })
        #expect(zip(distribution.cumulative, distribution.cumulative.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(distribution.cumulative.last == 1)
      }
    }
  }

  /// A saturated gate rounds the cumulative probability to 1 before the last loop: q = 1 still runs all loops.
  @Test func oneIsTheLastLoop() {
    let distribution = ExitDistribution(gates: [90, 90, 90])
    #expect(distribution.cumulative == [1, 1, 1])
    #expect(distribution.loops(threshold: 1) == 3)
    #expect(distribution.loops(threshold: 0.999) == 1)
    var tracker = ExitTracker(.threshold(1), configuration: TinyModels.ouro().configuration)
    #expect(!tracker.finishLoop(gate: 90) { 0 })
    #expect(!tracker.finishLoop(gate: 90) { 0 })
    #expect(tracker.finishLoop(gate: 90) { 0 })
  }

  /// The tracker, which sees one gate at a time, leaves where the whole distribution says.
  @Test func trackerEqualsTheDistribution() {
    var random = RandomStream(seed: 4)
    var configuration = TinyModels.ouro().configuration
    configuration.loops = 6
    for q in [-1, 0, 0.1, 0.5, 0.9, 0.999, 1, 2] as [Float] {
      for minimum in [1, 3, 6] {
        for _ in 0..<50 {
          let gates = random.normal([6], deviation: 2).values
          var tracker = ExitTracker(.threshold(q, minimumLoops: minimum), configuration: configuration)
          while !tracker.finishLoop(gate: gates[tracker.loops], change: { 0 }) {}
          let distribution = ExitDistribution(gates: gates)
          #expect(tracker.loops == distribution.loops(threshold: q, minimum: minimum))
          #expect(tracker.exitProbabilities == Array(distribution.probabilities.prefix(tracker.loops)))
        }
      }
    }
  }

  @Test func policiesAreChecked() {
    let (ouro, llama) = (TinyModels.ouro().configuration, TinyModels.llama().configuration)
    for policy in [
      ExitPolicy.fixed(0), .fixed(65), .threshold(.nan), .stateChange(.nan), ExitPolicy(minimumLoops: 0),
      ExitPolicy(loops: 2, minimumLoops: 3),
    ] {
      #expect(throws: SettingError.self) { try policy.check(ouro) }
    }
    for policy in [ExitPolicy.threshold(0.5), .weighted()] {
      #expect(throws: SettingError.self) { try policy.check(llama) }
      #expect(throws: Never.self) { try policy.check(ouro) }
    }
    for policy in [ExitPolicy.fixed(), .threshold(1), .threshold(0), .stateChange(1)] {
      #expect(throws: Never.self) { try policy.check(llama) }
    }
  }

  // MARK: With a model

  /// Decodes tokens behind a prompt; the logits behind every one, and how many loops each ran.
  private func decode(
    _ model: LanguageModel, _ policy: ExitPolicy, _ skipped: SkippedLoops = .copy, sharing: KVSharing = .full,
    cacheLoops: Int? = nil
  ) throws -> (logits: [[Float]], loops: [Int], passes: Int, decoder: SequenceDecoder) {
    let executor = LoopExecutor(model)
    let cache = KVCache(model.configuration, loops: cacheLoops, format: .float32, sharing: sharing)
    let decoder = SequenceDecoder(executor, cache: cache, skippedLoops: skipped)
    try decoder.read(TinyModels.tokens(10), policy: policy)
    let before = executor.passes
    var (logits, loops) = ([[Float]](), [Int]())
    for token in TinyModels.tokens(25, seed: 9) {
      loops.append(try decoder.append(token, policy: policy).loops)
      let line = Tensor(uninitialized: [model.configuration.vocabularySize])
      decoder.readOut(into: line.pointer)
      logits.append(line.values)
    }
    return (logits, loops, executor.passes - before, decoder)
  }

  /// The exits of every token of a sequence that nobody leaves early, from the reference's gates.
  private func wantedExits(_ model: LanguageModel, q: Float) -> (
    loops: [Int], result: ReferenceForward.Result
  ) {
    let result = ReferenceForward(model).run(
      TinyModels.tokens(10) + TinyModels.tokens(25, seed: 9), loops: model.configuration.loops)
    let loops = (10..<35).map { position in
      ExitDistribution(gates: result.gates.map { Float($0[position]) }).loops(threshold: q)
    }
    return (loops, result)
  }

  /// `compute` leaves the keys and values as if nobody had left: exits and logits are those of the reference, which runs
  /// all loops and selects afterwards, and the passes are as many as loops were run.
  @Test func computingSkippedLoopsIsExact() throws {
    let model = TinyModels.ouro(loops: 4)
    for q in [0.3, 0.6, 0.8] as [Float] {
      let (loops, result) = wantedExits(model, q: q)
      let got = try decode(model, .threshold(q), .compute)
      #expect(got.loops == loops)
      // Some leave early and later ones go deeper, or the test would show nothing.
      #expect(Set(loops).count > 1)
      for (place, logits) in got.logits.enumerated() {
        let wanted = result.logits[loops[place] - 1][10 + place].map(Float.init)
        #expect(largestDifference(logits, wanted) < 2e-4)
      }
      #expect(got.passes == loops.reduce(0, +))
      #expect(got.decoder.passesSaved == 4 * 25 - loops.reduce(0, +))
      #expect(got.decoder.loopsRun == got.passes)
    }
  }

  /// More debts than a pass has rows: fifty tokens of one loop, then one that goes deep.
  @Test func manyDebtsArePaidInOrder() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let tokens = TinyModels.tokens(60)
    let decoder = SequenceDecoder(
      executor, cache: KVCache(model.configuration, format: .float32), skippedLoops: .compute)
    try decoder.read(tokens.prefix(9), policy: .fixed(2))
    // The prompt owes the third loop as well.
    #expect(decoder.debtCount == 9)
    for token in tokens[9..<59] { try decoder.append(token, policy: .fixed(1)) }
    #expect(decoder.debtCount == 59 && executor.passes == 2 + 50)
    try decoder.append(tokens[59], policy: .fixed(3))
    #expect(decoder.debtCount == 0)
    // The first loop alone; the second with 50 debts: 3 passes of 16 and one of 3 rows; the third with 59: 3 of 16, 12.
    #expect(executor.passes == 52 + 1 + 4 + 4)
    let logits = Tensor(uninitialized: [96])
    decoder.readOut(into: logits.pointer)
    let wanted = ReferenceForward(model).run(tokens, loops: 3).logits[2][59].map(Float.init)
    #expect(largestDifference(logits.values, wanted) < 2e-4)
  }

  /// Paying debts in the pass of another token gives the bits of a decoder that never left early.
  @Test func debtsAreBitIdentical() throws {
    let model = TinyModels.ouro(format: .bfloat16)
    let executor = LoopExecutor(model)
    func last(_ policies: [ExitPolicy]) throws -> [Float] {
      let decoder = SequenceDecoder(executor, cache: KVCache(model.configuration), skippedLoops: .compute)
      try decoder.read([1])
      for (token, policy) in zip(TinyModels.tokens(policies.count), policies) {
        try decoder.append(token, policy: policy)
      }
      let logits = Tensor(uninitialized: [96])
      decoder.readOut(into: logits.pointer)
      return logits.values
    }
    let early = [1, 2, 1, 1, 3, 2, 1, 2, 2, 1, 3].map { ExitPolicy.fixed($0) }
    #expect(try last(early) == last(Array(repeating: .fixed(3), count: early.count)))
  }

  /// `copy` and `overwrite` against their slow versions, with exits at fixed loops that differ from token to token.
  @Test(arguments: [KVSharing.full, .overwrite]) func copiesEqualTheirReference(_ sharing: KVSharing) throws {
    let model = TinyModels.ouro(loops: 4)
    let executor = LoopExecutor(model)
    let decoder = SequenceDecoder(
      executor, cache: KVCache(model.configuration, format: .float32, sharing: sharing))
    var slow = SlowDecoder(model, sharing: sharing, loops: 4)
    try decoder.read(TinyModels.tokens(10))
    _ = slow.append(TinyModels.tokens(10), loops: 4)
    let before = executor.passes
    let exits = [2, 4, 1, 3, 4, 1, 1, 4, 2, 3]
    for (token, loops) in zip(TinyModels.tokens(exits.count, seed: 9), exits) {
      try decoder.append(token, policy: .fixed(loops))
      let wanted = slow.append([token], loops: loops, copiesDeeper: true)[loops - 1][0]
      let logits = Tensor(uninitialized: [96])
      decoder.readOut(into: logits.pointer)
      #expect(largestDifference(logits.values, slow.logits(wanted).map(Float.init)) < 2e-4)
    }
    #expect(executor.passes - before == exits.reduce(0, +))
    #expect(decoder.debtCount == 0)
  }

  @Test func weightedLogitsAreTheMixture() throws {
    let model = TinyModels.ouro()
    let got = try decode(model, .weighted())
    let result = ReferenceForward(model).run(TinyModels.tokens(10) + TinyModels.tokens(25, seed: 9), loops: 3)
    for (place, logits) in got.logits.enumerated() {
      let position = 10 + place
      let p = ExitDistribution(gates: result.gates.map { Float($0[position]) }).probabilities
      let wanted = (0..<96).map { i in
        Float((0..<3).reduce(0) { $0 + Double(p[$1]) * result.logits[$1][position][i] })
      }
      #expect(largestDifference(logits, wanted) < 2e-4)
    }
    #expect(got.loops.allSatisfy { $0 == 3 })
  }

  @Test func stateChangeLeavesWhenTheStateRests() throws {
    let model = TinyModels.ouro(loops: 6)
    let result = ReferenceForward(model).run(TinyModels.tokens(10) + TinyModels.tokens(25, seed: 9), loops: 6)
    func change(_ loop: Int, _ position: Int) -> Double {
      zip(result.states[loop][position], result.states[loop - 1][position]).reduce(0) {
        $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
      }.squareRoot()
    }
    // The median change of the third loop: about half the tokens leave there or before.
    let epsilon = (10..<35).map { change(2, $0) }.sorted()[12] + 1e-4
    let got = try decode(model, .stateChange(Float(epsilon)), .compute)
    let wanted = (10..<35).map { position in
      (1..<6).first { change($0, position) < epsilon }.map { $0 + 1 } ?? 6
    }
    #expect(got.loops == wanted)
    #expect(Set(wanted).count > 1 && wanted.allSatisfy { $0 >= 2 })
  }

  /// A policy's own number of loops is T of its distribution, also in a cache made for more.
  @Test func loopsOfAPolicyAreItsT() throws {
    let model = TinyModels.ouro(loops: 4)
    let got = try decode(model, .threshold(0.99999, loops: 2))
    #expect(got.loops.allSatisfy { $0 == 2 })
    let all = try decode(model, .fixed(), cacheLoops: 6)
    let same = try decode(model, .fixed())
    #expect(all.logits == same.logits)
  }
}
