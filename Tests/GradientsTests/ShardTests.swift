import Gradients
import Layers
import Tensors
import Testing

/// A batch in shards has the loss and the gradient of the batch.
@Suite struct ShardTests {
  @Test(arguments: [1, 2, 3, 7]) func shardsHaveTheGradientOfTheWhole(_ count: Int) {
    // Σ w_s · mean of (table[s] · x · y)²: a parameter of all shards, one row of a table per shard, a constant, and a
    // variable from the tape outside.
    var random = RandomStream(seed: 1)
    let parameter = Parameter(random.normal([5]))
    let leaf = Variable.leaf(random.normal([5]))
    let constants = (0..<count).map { _ in random.normal([5]) }
    let weights = (0..<count).map { Float($0 + 1) / Float(count) }
    func loss(_ outside: Variable, _ shard: Int) -> Variable {
      squaredError(parameter * (outside * Variable(constants[shard])), Tensor(zeros: [5]))
    }
    func run(_ whole: (Variable) -> Variable) -> (Float, [Float], [Float]) {
      parameter.clearGradient()
      let input = Variable.leaf(leaf.value)
      let tape = Tape()
      let value = tape.record { Float(3) * whole(gelu(input)) }
      tape.backward(from: value, seed: 0.5)
      return (value.value.scalar, parameter.gradient!.values, input.gradient!.values)
    }
    let ours = run { outside in sharded(weights) { loss(outside, $0) } }
    let wanted = run { outside in
      (1..<count).reduce(weights[0] * loss(outside, 0)) { $0 + weights[$1] * loss(outside, $1) }
    }
    func isClose(_ a: Float, _ b: Float) -> Bool { abs(a - b) <= 1e-5 * (1 + abs(b)) }
    #expect(isClose(ours.0, wanted.0))
    #expect(zip(ours.1, wanted.1).allSatisfy(isClose) && zip(ours.2, wanted.2).allSatisfy(isClose))
    // And again bit by bit.
    let again = run { outside in sharded(weights) { loss(outside, $0) } }
    #expect(ours.0 == again.0 && ours.1 == again.1 && ours.2 == again.2)
    // Without a tape there is a value and nothing else.
    parameter.clearGradient()
    let value = sharded(weights) { loss(leaf, $0) }
    #expect(
      isClose(
        3 * value.value.scalar, 3 * (0..<count).reduce(0) { $0 + weights[$1] * loss(leaf, $1).value.scalar }))
    #expect(value.slot == nil && parameter.gradient == nil)
  }

  @Test func shardsInsideShards() {
    let parameter = Parameter(Tensor([2]))
    let tape = Tape()
    let value = tape.record {
      sharded([0.5, 0.5]) { outer in
        sharded([1, 2, 3]) { inner in Float(outer + inner + 1) * squaredError(parameter, Tensor([0])) }
      }
    }
    tape.backward(from: value)
    // Σ 0.5 · w · (outer + inner + 1) = 0.5 · ((1 + 4 + 9) + (2 + 6 + 12)) = 17, times x² and 2 x.
    #expect(value.value.scalar == 17 * 4)
    #expect(parameter.gradient?.values == [17 * 4])
  }

  @Test(arguments: [(64, 81, 1024, 2), (64, 21, 256, 2), (1, 900, 900, 4), (5, 300, 300, 4), (3, 1, 1, 2)])
  func rangesAreAllOfTheBatch(_ size: (Int, Int, Int, Int)) {
    let (sequences, rows, columns, threads) = size
    let ranges = Shards.ranges(sequences: sequences, rows: rows, columns: columns, threads: threads)
    #expect(ranges.flatMap { Array($0) } == Array(0..<sequences) && ranges.allSatisfy { !$0.isEmpty })
    // As many for every thread, unless there are fewer sequences than would do.
    let isSmall = sequences * rows * columns <= 1 << 14
    #expect(
      isSmall ? ranges.count == 1 : ranges.count % min(threads, sequences) == 0 || ranges.count == sequences)
  }

  @Test func aModelInShardsTrainsAsInOne() {
    // Large enough for shards, and by hand in one piece.
    var random = RandomStream(seed: 3)
    let model = LoopedGPT2(inputs: 3, tokens: 8, width: 32, heads: 4, random: &random)
    let (prompts, targets) = (random.normal([24, 8, 3]), random.normal([24, 4, 1]))
    #expect(Shards.ranges(sequences: 24, rows: 7, columns: 128, threads: 2).count > 1)
    func gradients(_ loss: () -> Variable) -> [[Float]] {
      for parameter in model.parameters { parameter.clearGradient() }
      let tape = Tape()
      tape.backward(from: tape.record(loss))
      return model.parameters.map { $0.gradient?.values ?? [] }
    }
    let ours = gradients { model.loss(prompts, targets: targets, window: LoopWindow(loops: 3, window: 2)) }
    let wanted = gradients {
      let prompt = model.readIn(Variable(prompts))
      let first = Tape.withoutRecording { model.loop(model.initialState(prompt), prompt) }
      let second = model.loop(first, prompt)
      let third = model.loop(second, prompt)
      return mean(
        of: [second, third].map { squaredError(model.readOut(takingTokens($0, by: 2)), targets) })
    }
    for (a, b) in zip(ours, wanted) {
      #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 * (1 + abs($1)) })
    }
  }
}
