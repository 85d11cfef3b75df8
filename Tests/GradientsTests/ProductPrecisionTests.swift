import Gradients
import Layers
import Tensors
import Testing

/// Products in bf16: the gradients are those of f32 but for what rounding the factors does, wherever they are made.
@Suite struct ProductPrecisionTests {
  /// ‖a - b‖ / ‖b‖.
  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    func length(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
    return length(zip(a, b).map { $0 - $1 }) / max(length(b), 1e-30)
  }

  /// What a factor of eight bits is off by at most, of itself: two factors of a product by twice that, and in the mean of
  /// many, which are off in either direction, by less.
  private let rounding = 0x1p-8

  private func gradients(
    _ inputs: [Tensor], _ precision: ProductPrecision, _ body: ([Variable]) -> Variable
  ) -> [[Float]] {
    let leaves = inputs.map { Variable.leaf($0) }
    let tape = Tape()
    // The backward pass is outside: it follows what was recorded.
    let loss = precision.forProducts { tape.record { body(leaves) } }
    tape.backward(from: loss)
    return [[loss.value.scalar]] + leaves.map { $0.gradient!.values }
  }

  @Test(arguments: [(3, 5, 7), (40, 33, 50), (96, 64, 128)]) func linearLayers(_ size: (Int, Int, Int)) {
    let (rows, inputs, outputs) = size
    var random = RandomStream(seed: 1)
    let tensors = [
      random.normal([rows, inputs]), random.normal([outputs, inputs]), random.normal([outputs]),
      random.normal([rows, outputs]),
    ]
    let weights = Variable(random.normal([rows, outputs]))
    for activates in [false, true] {
      func loss(_ x: [Variable]) -> Variable {
        let y = activates ? linearGELU(x[0], x[1], x[2]) + x[3] : linear(x[0], x[1], x[2], addingTo: x[3])
        return squaredError(y * weights, Tensor(zeros: y.shape))
      }
      let (ours, wanted) = (gradients(tensors, .bfloat16, loss), gradients(tensors, .float32, loss))
      for (number, (a, b)) in zip(ours, wanted).enumerated() {
        #expect(distance(a, b) < 2 * rounding, "\(number): \(distance(a, b))")
        // And it is rounded at all. (A loss may be the same by chance.)
        if number > 0 { #expect(distance(a, b) > rounding / 128, "\(number): \(distance(a, b))") }
      }
    }
  }

  /// Factors that are bf16 already: the products are exact, and so are those of f32.
  @Test func whatNeedsNoRoundingIsTheSame() {
    var random = RandomStream(seed: 2)
    func signs(_ shape: [Int]) -> Tensor {
      let x = random.uniform(shape, from: -1.5, to: 1.5)
      for i in 0..<x.count { x.pointer[i].round() }
      return x
    }
    let tensors = [signs([8, 6]), signs([4, 6])]
    // Sums of six, and slopes that are those over a power of two.
    func loss(_ x: [Variable]) -> Variable { squaredError(linear(x[0], x[1]), Tensor(zeros: [8, 4])) }
    let same = gradients(tensors, .bfloat16, loss) == gradients(tensors, .float32, loss)
    #expect(same)
  }

  @Test func theReadoutOfAllLoops() {
    var random = RandomStream(seed: 5)
    let (rows, width, classes) = (70, 24, 50)
    let targets = (0..<rows).map { $0 % 9 == 0 ? -1 : Int32(random.next() % UInt64(classes)) }
    let tensors =
      (0..<3).map { _ in random.normal([rows, width]) } + (0..<3).map { _ in random.normal([rows, 1]) }
      + [random.normal([classes, width], deviation: 0.5)]
    func loss(_ x: [Variable]) -> Variable {
      expectedLoss(
        states: Array(x[..<3]), gates: Array(x[3..<6]), readout: x[6], targets: targets, entropyWeight: 0.1
      ).loss
    }
    let (ours, wanted) = (gradients(tensors, .bfloat16, loss), gradients(tensors, .float32, loss))
    for (number, (a, b)) in zip(ours, wanted).enumerated() {
      #expect(distance(a, b) < 2 * rounding, "\(number): \(distance(a, b))")
      // The last gate is not read: its gradient is zero.
      if number > 0, number != 6 { #expect(distance(a, b) > rounding / 128, "\(number): \(distance(a, b))") }
    }
  }

  /// On one thread or several, and computed again or not: shards of equal weights, powers of two, round the same numbers.
  @Test func shardsAndCheckpoints() {
    var random = RandomStream(seed: 3)
    let model = LoopedGPT2(inputs: 3, tokens: 8, width: 32, heads: 4, random: &random)
    let (prompts, targets) = (random.normal([32, 8, 3]), random.normal([32, 4, 1]))
    func gradients(_ precision: ProductPrecision, _ loss: () -> Variable) -> [[Float]] {
      for parameter in model.parameters { parameter.clearGradient() }
      let tape = Tape()
      let value = precision.forProducts { tape.record(loss) }
      tape.backward(from: value)
      return model.parameters.map { $0.gradient?.values ?? [] }
    }
    func inShards(_ precision: ProductPrecision, checkpoints: Bool = false) -> [[Float]] {
      gradients(precision) {
        model.loss(
          prompts, targets: targets, window: LoopWindow(loops: 3, window: 3, checkpoints: checkpoints))
      }
    }
    // The backward pass of one piece is outside of `forProducts`, and makes the loops again.
    func inOne(checkpoints: Bool) -> [[Float]] {
      gradients(.bfloat16) {
        let prompt = model.readIn(Variable(prompts))
        let (_, losses) = LoopWindow(loops: 3, window: 3, checkpoints: checkpoints).run(
          model.initialState(prompt)
        ) { state, _ in
          model.loop(state, prompt)
        } loss: { state, _ in
          squaredError(model.readOut(takingTokens(state, by: 2)), targets)
        }
        return mean(of: losses)
      }
    }
    let (ours, wanted) = (inShards(.bfloat16), inShards(.float32))
    for (a, b) in zip(ours, wanted) where !b.isEmpty {
      #expect(distance(a, b) < 8 * rounding && distance(a, b) > rounding / 128, "\(distance(a, b))")
    }
    let (again, kept, remade) = (
      inShards(.bfloat16, checkpoints: true), inOne(checkpoints: false), inOne(checkpoints: true)
    )
    #expect(again == ours)
    #expect(remade == kept)
    for (a, b) in zip(ours, kept) where !b.isEmpty {
      // One piece weighs the rows of a loss otherwise, and its sums go over all rows.
      #expect(distance(a, b) < 2 * rounding, "\(distance(a, b))")
    }
  }
}
