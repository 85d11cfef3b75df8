import Gradients
import Layers
import Tensors
import Testing

/// In-context linear regression, small: prompts x₁ y₁ x₂ y₂ … with y = w·x.
struct RegressionPrompts {
  var random: RandomStream
  let batch: Int
  let dimension: Int
  let points: Int

  mutating func next() -> (prompts: Tensor, targets: Tensor) {
    let prompts = Tensor(zeros: [batch, 2 * points, dimension])
    let targets = Tensor(zeros: [batch, points, 1])
    for b in 0..<batch {
      let w = random.normal([dimension])
      for p in 0..<points {
        let x = random.normal([dimension])
        var y: Float = 0
        for c in 0..<dimension {
          prompts[b, 2 * p, c] = x[c]
          y += w[c] * x[c]
        }
        prompts[b, 2 * p + 1, 0] = y
        targets[b, p, 0] = y
      }
    }
    return (prompts, targets)
  }
}

@Suite struct LoopedTrainingTests {
  static func model(injection: Injection = .additive, seed: UInt64 = 1) -> LoopedGPT2 {
    var random = RandomStream(seed: seed)
    return LoopedGPT2(inputs: 3, tokens: 12, width: 16, heads: 2, injection: injection, random: &random)
  }

  static func prompts(seed: UInt64 = 2, batch: Int = 4) -> RegressionPrompts {
    RegressionPrompts(random: RandomStream(seed: seed), batch: batch, dimension: 3, points: 5)
  }

  private func gradients(_ model: LoopedGPT2, _ loss: () -> Variable) -> (loss: Float, gradients: [[Float]]) {
    let tape = Tape()
    for parameter in model.parameters { parameter.clearGradient() }
    let value = tape.record(loss)
    tape.backward(from: value)
    return (value.value.scalar, model.parameters.map { $0.gradient?.values ?? [] })
  }

  @Test(arguments: Injection.allCases) func aTruncatedWindowHasTheGradientBuiltByHand(_ injection: Injection)
  {
    let model = Self.model(injection: injection)
    var data = Self.prompts()
    let (prompts, targets) = data.next()
    let window = LoopWindow(loops: 5, window: 2)
    let ours = gradients(model) { model.loss(prompts, targets: targets, window: window) }
    // By hand: three loops whose result is copied out of the graph, then two with a loss each.
    let hand = gradients(model) {
      let prompt = model.readIn(Variable(prompts))
      var state = model.initialState(prompt)
      for _ in 0..<3 { state = model.loop(state, prompt) }
      state = Variable(state.value.copy())
      state = model.loop(state, prompt)
      let first = squaredError(model.readOut(takingTokens(state, by: 2)), targets)
      state = model.loop(state, prompt)
      let second = squaredError(model.readOut(takingTokens(state, by: 2)), targets)
      return Float(0.5) * (first + second)
    }
    #expect(abs(ours.loss - hand.loss) < 1e-6 * abs(hand.loss))
    for (a, b) in zip(ours.gradients, hand.gradients) {
      #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 * (1 + abs($1)) })
    }
    // The whole depth has another gradient, so the comparison above says something.
    let whole = gradients(model) {
      model.loss(prompts, targets: targets, window: LoopWindow(loops: 5, window: 5))
    }
    #expect(whole.gradients != ours.gradients)
    // Without injection the loops before the window cut the input off.
    #expect(ours.gradients[0].allSatisfy { $0 == 0 } == (injection == .none))
  }

  @Test(arguments: Injection.allCases) func checkpointedLoopsAreBitIdentical(_ injection: Injection) {
    let model = Self.model(injection: injection)
    var data = Self.prompts()
    let (prompts, targets) = data.next()
    func run(_ checkpoints: Bool) -> (loss: Float, gradients: [[Float]]) {
      gradients(model) {
        model.loss(
          prompts, targets: targets, window: LoopWindow(loops: 6, window: 4, checkpoints: checkpoints))
      }
    }
    let (plain, checkpointed) = (run(false), run(true))
    #expect(plain.loss == checkpointed.loss && plain.loss.isFinite)
    #expect(plain.gradients == checkpointed.gradients)
  }

  @Test func checkpointsNest() {
    let x = Variable.leaf(Tensor([1, -2, 3]))
    func run(_ wrapped: Bool) -> [Float] {
      let tape = Tape()
      let leaf = Variable.leaf(x.value)
      let y = tape.record {
        let inner = { checkpointed { [gelu(leaf), leaf * leaf] } }
        let pair = wrapped ? checkpointed(inner) : [gelu(leaf), leaf * leaf]
        return squaredError(pair[0] + pair[1] + leaf, Tensor(zeros: [3]))
      }
      tape.backward(from: y)
      return leaf.gradient!.values
    }
    #expect(run(true) == run(false))
  }

  @Test func tenLossesDecreaseAndRepeat() throws {
    func losses() throws -> [Double] {
      let model = Self.model()
      let trainer = Trainer(model.parameters, rate: LearningRate(peak: 3e-3))
      var data = Self.prompts(batch: 16)
      let (prompts, targets) = data.next()
      return try (0..<10).map { _ in
        try trainer.train { _ in
          model.loss(prompts, targets: targets, window: LoopWindow(loops: 4, window: 3))
        }.loss
      }
    }
    let first = try losses()
    #expect(zip(first, first.dropFirst()).allSatisfy { $0 > $1 })
    #expect(first[9] < 0.9 * first[0])
    #expect(try losses() == first)
  }

  @Test func aLoopedModelLearnsRegressionInContext() throws {
    // One dimension: y₁ / x₁ is the function. After three hundred steps the second to fifth point are predicted far
    // better than by zero, on prompts never seen.
    var random = RandomStream(seed: 4)
    let model = LoopedGPT2(inputs: 1, tokens: 8, width: 32, heads: 2, random: &random)
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 3e-3), clipping: 1)
    var data = RegressionPrompts(random: RandomStream(seed: 5), batch: 64, dimension: 1, points: 4)
    for _ in 0..<300 {
      let (prompts, targets) = data.next()
      _ = try trainer.train { _ in
        model.loss(prompts, targets: targets, window: LoopWindow(loops: 4, window: 4))
      }
    }
    var test = RegressionPrompts(random: RandomStream(seed: 6), batch: 256, dimension: 1, points: 4)
    let (prompts, targets) = test.next()
    let last = model.predictions(prompts, loops: 4).last!
    let errors = (0..<256).map { (last[$0, 3, 0] - targets[$0, 3, 0]) * (last[$0, 3, 0] - targets[$0, 3, 0]) }
    let zero = (0..<256).map { targets[$0, 3, 0] * targets[$0, 3, 0] }
    #expect(errors.reduce(0, +) < 0.5 * zero.reduce(0, +))
  }

  @Test func predictionsDoNotSeeTheirOwnAnswer() {
    let model = Self.model()
    var data = Self.prompts(batch: 1)
    let (prompts, _) = data.next()
    let changed = prompts.copy()
    changed[0, 5, 0] += 10  // y₃
    let (a, b) = (model.predictions(prompts, loops: 3)[2], model.predictions(changed, loops: 3)[2])
    #expect((0...2).allSatisfy { a[0, $0, 0] == b[0, $0, 0] } && a[0, 3, 0] != b[0, 3, 0])
  }

  @Test func theSteadyStateAllocatesNothing() throws {
    let model = Self.model()
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-3))
    var data = Self.prompts()
    let (prompts, targets) = data.next()
    // Tests beside this one allocate too, and take blocks that are free: one quiet step shows that a step needs
    // nothing, and it may have to wait for them.
    let start = ContinuousClock.now
    let quiet = try (0..<1_000_000).contains { step in
      if ContinuousClock.now - start > .seconds(60) { return false }
      let before = TensorMemory.shared.use.systemAllocations
      _ = try trainer.train { _ in
        model.loss(prompts, targets: targets, window: LoopWindow(loops: 4, window: 2))
      }
      return step > 2 && TensorMemory.shared.use.systemAllocations == before
    }
    #expect(quiet)
  }
}
