import Collectives
import Foundation
import Layers
import Tensors
import Testing

@testable import Gradients

/// Training on several ranks is training on one, but for rounding.
@Suite struct SharedTrainingTests {
  @Test(arguments: [(1, [5]), (4, [3, 1, 9]), (7, [100]), (1 << 20, [2, 3])])
  func bucketsAreAllParameters(_ numbers: Int, _ sizes: [Int]) {
    let plan = GradientBuckets(sizes, numbers: numbers)
    let total = sizes.reduce(0, +)
    #expect(plan.buckets.reduce(0) { $0 + $1.count } == total)
    #expect(plan.buckets.allSatisfy { $0.count <= numbers && $0.count > 0 } && plan.room <= numbers)
    // Every number of every parameter once, the last parameter first.
    let numbers = plan.buckets.flatMap { bucket in
      bucket.pieces.flatMap { piece in piece.range.map { (piece.parameter, $0) } }
    }
    let wanted = sizes.indices.reversed().flatMap { parameter in
      (0..<sizes[parameter]).map { (parameter, $0) }
    }
    #expect(numbers.map(\.0) == wanted.map(\.0) && numbers.map(\.1) == wanted.map(\.1))
    // And cut once more, by ranks.
    for bucket in plan.buckets {
      let cut = bucket.count / 3
      let parts = bucket.pieces(in: 0..<cut) + bucket.pieces(in: cut..<bucket.count)
      #expect(parts.reduce(0) { $0 + $1.range.count } == bucket.count)
      #expect(parts.map(\.offset) == parts.map(\.offset).sorted())
    }
    #expect(GradientBuckets([]).buckets.isEmpty && GradientBuckets([0, 0]).room == 0)
  }

  @Test(arguments: [1, 2, 5]) func marksDeliverWhileThePassGoesOn(_ shards: Int) {
    let parameters = [Parameter(Tensor([2])), Parameter(Tensor([3]))]
    let delivery = GradientDelivery(parameters, scale: 1)
    var found: [Float] = []
    let tape = Tape()
    GradientDelivery.$current.withValue(delivery) {
      let loss = tape.record {
        // What is recorded first, the backward pass comes to last.
        Tape.append([]) {
          found = [0, 1].map { place in
            delivery.take(place).reduce(0) { $0 + $1.factor * $1.tensor.values[0] }
          }
        }
        return sharded(Array(repeating: 1, count: shards)) { _ in
          let x = parameters[1] * Variable(Tensor([1]))
          Tape.marksFirstUse(of: [parameters[0]])
          return squaredError(parameters[0] * x, Tensor([0]))
        }
      }
      tape.backward(from: loss)
    }
    // Of (a b)²: 2 a b² is there before the pass is over, and nowhere else; 2 a² b, unmarked, is where it always was.
    #expect(found == [Float(shards) * 36, 0])
    #expect(parameters[0].gradient == nil && parameters[1].gradient?.values == [Float(shards) * 24])
  }

  /// A small loop over shards, with one parameter that every batch uses late, one that no batch uses, and one that only
  /// the last shard of all does.
  struct Model {
    let matrix: Parameter
    let gain: Parameter
    let bias: Parameter
    let unused = Parameter(Tensor([3, 4]))
    let rare = Parameter(Tensor([0.5, 1, 2, 0, 1], shape: [1, 5]))
    let inputs: [Tensor]
    let trainer: Trainer
    let communicator: any Communicator

    init(_ communicator: any Communicator, numbers: Int = 7, accumulation: Int = 2) {
      var random = RandomStream(seed: 4)
      matrix = Parameter(random.normal([5, 5]))
      gain = Parameter(random.normal([1, 5]))
      bias = Parameter(Tensor(zeros: [1, 5]))
      inputs = (0..<12).map { _ in random.normal([1, 5]) }
      let parameters = [rare, gain, matrix, unused, bias]
      for (number, parameter) in parameters.enumerated() { parameter.name = "p\(number)" }
      var settings = Adam.Settings()
      settings.decay = 0.1
      self.communicator = communicator
      trainer = Trainer(
        parameters, rate: LearningRate(peak: 0.02), adam: settings, clipping: 2, accumulation: accumulation,
        communicator: communicator, bucketNumbers: numbers)
    }

    var values: [[Float]] { trainer.adam.parameters.map(\.value.values) }

    /// - Parameter marks: says where parameters are first used; the gain too late if `isWrong`.
    func step(marks: Bool = true, isWrong: Bool = false) throws -> Trainer.Report {
      let own = communicator.share(of: inputs.count)
      return try trainer.train { batch in
        let target = Tensor(repeating: Float(trainer.step % 3 + batch), [1, 5])
        return sharded(own.map { _ in 1 / Float(inputs.count) }) { shard in
          let number = own.lowerBound + shard
          if marks, !isWrong { Tape.marksFirstUse(of: [gain]) }
          var x = gain * Variable(inputs[number])
          for loop in 0..<3 {
            if marks, loop == 0 { Tape.marksFirstUse(of: [matrix]) }
            if isWrong, loop == 1 { Tape.marksFirstUse(of: [gain]) }
            x = gain * linear(gelu(x), matrix)
          }
          if number == inputs.count - 1 { x = x + rare }
          if marks { Tape.marksFirstUse(of: [bias]) }
          return squaredError(x + bias, target)
        }
      }
    }
  }

  private func isClose(_ a: Float, _ b: Float) -> Bool { abs(a - b) <= 2e-5 * (1 + abs(b)) }

  @Test(arguments: [2, 3, 4], [7, 1000])
  func ranksTrainAsOne(_ size: Int, _ numbers: Int) throws {
    let one = Model(SingleProcess())
    let before = one.values
    let wanted = try (0..<10).map { _ in try one.step() }
    #expect(one.values[3] == before[3] && wanted.contains { $0.clipped })
    for marks in [true, false] {
      let results = try LocalGroup.run(size) { ranks in
        let model = Model(ranks, numbers: numbers)
        // Only the first rank's weights count.
        if !ranks.isFirst { model.matrix.value.fill(9) }
        return (try (0..<10).map { _ in try model.step(marks: marks) }, model.values)
      }
      for (reports, values) in results {
        #expect(values == results[0].1 && reports == results[0].0, "the same on all ranks")
        #expect(values[3] == before[3], "without a gradient nothing decays")
        for (a, b) in zip(reports, wanted) {
          #expect(abs(a.loss - b.loss) <= 1e-5 * abs(b.loss))
          #expect(abs(a.gradientNorm - b.gradientNorm) <= 1e-5 * b.gradientNorm)
        }
        for (a, b) in zip(values.joined(), one.values.joined()) { #expect(isClose(a, b)) }
      }
    }
  }

  @Test func markedGradientsAreTheSameBitByBit() throws {
    func run(_ marks: Bool) throws -> [[Float]] {
      try LocalGroup.run(2) { ranks in
        let model = Model(ranks, accumulation: 1)
        for _ in 0..<5 { _ = try model.step(marks: marks) }
        return model.values
      }[0]
    }
    #expect(try run(true) == run(true))
    for (a, b) in zip(try run(true).joined(), try run(false).joined()) { #expect(isClose(a, b)) }
  }

  @Test func aShareOfAdamIsAdam() throws {
    // The same gradients, so that there is nothing to round: moments and weights are equal bit by bit.
    var random = RandomStream(seed: 8)
    let shapes = [[4, 9], [3], [17]]
    nonisolated(unsafe) let start = shapes.map { random.normal($0) }
    nonisolated(unsafe) let gradients = (0..<4).map { _ in shapes.map { random.normal($0) } }
    @Sendable func parameters() -> [Parameter] { start.map { Parameter($0.copy()) } }
    var settings = Adam.Settings()
    settings.decay = 0.3
    let whole = Adam(parameters(), settings: settings)
    for step in gradients {
      whole.clearGradients()
      for (parameter, gradient) in zip(whole.parameters, step) { parameter.slot!.accumulate(gradient) }
      whole.step(rate: 0.1, gradientScale: 0.5)
    }
    let final = settings
    let results = try LocalGroup.run(3) { ranks in
      let adam = Adam(parameters(), settings: final, hasMoments: false)
      let sharing = SharedTraining(adam.parameters, ranks, numbers: 10)
      for step in gradients {
        let delivery = GradientDelivery(adam.parameters, scale: 1)
        // One rank has the gradient, the others none.
        if ranks.rank == 1 {
          for (parameter, gradient) in zip(adam.parameters, step) {
            parameter.slot!.accumulate(gradient.copy())
          }
        }
        delivery.close()
        try sharing.startReduction(delivery).0.wait()
        try sharing.update(adam, rate: 0.1, gradientScale: 0.5, isPresent: [true, true, true])
      }
      let moments = try sharing.gatherMoments()?.flatMap { [$0.first.values, $0.second.values] }
      #expect((moments != nil) == ranks.isFirst)
      #expect(sharing.use.bytes > 0)
      return (adam.parameters.map(\.value.values), moments)
    }
    #expect(results.allSatisfy { $0.0 == whole.parameters.map(\.value.values) })
    #expect(results[0].1 == whole.moments.flatMap { [$0.first.values, $0.second.values] })
  }

  @Test func checkpointsAreOfAnyNumberOfRanks() throws {
    let folder = try CheckpointTests.Folder()
    let base = folder.path
    let whole = Model(SingleProcess())
    let losses = try (0..<12).map { _ in try whole.step().loss }
    // 4 ranks, then 2, then 1, then 3.
    var step = 0
    for size in [4, 2, 1, 3] {
      let (from, to) = ("\(base)/\(step)", "\(base)/\(step + 3)")
      let start = step
      let results = try LocalGroup.run(size) { ranks in
        let model = Model(ranks)
        if start > 0 { #expect(try Checkpoint.resume(model.trainer, from: from).step == start) }
        let losses = try (0..<3).map { _ in try model.step().loss }
        try Checkpoint.save(model.trainer, to: to)
        try ranks.barrier()
        return losses
      }
      for (a, b) in zip(results[0], losses[step..<step + 3]) { #expect(abs(a - b) <= 1e-5 * abs(b)) }
      step += 3
    }
    let last = Model(SingleProcess())
    _ = try Checkpoint.resume(last.trainer, from: "\(base)/12")
    for (a, b) in zip(last.values.joined(), whole.values.joined()) { #expect(isClose(a, b)) }
    for (a, b) in zip(last.trainer.adam.moments, whole.trainer.adam.moments) {
      for (a, b) in zip(a.second.values, b.second.values) { #expect(abs(a - b) <= 1e-4 * abs(b) + 1e-9) }
    }
    // As many ranks again: bit by bit.
    let results = try LocalGroup.run(2) { ranks in
      let model = Model(ranks)
      _ = try Checkpoint.resume(model.trainer, from: "\(base)/3")
      for _ in 0..<3 { _ = try model.step() }
      return model.values
    }
    let two = Model(SingleProcess())
    _ = try Checkpoint.resume(two.trainer, from: "\(base)/6")
    #expect(results[0] == two.values && results[1] == two.values)
  }

  @Test func ranksStopTogether() throws {
    struct Trouble: Error {}
    let folder = try CheckpointTests.Folder()
    let path = folder.path + "/checkpoint"
    let outcomes = LocalGroup.outcomes(3) { ranks -> Int in
      let model = Model(ranks)
      for step in 0..<6 {
        if step == 4, ranks.rank == 1 { throw Trouble() }
        _ = try model.step()
        if step == 2 { try Checkpoint.save(model.trainer, to: path) }
      }
      return model.trainer.step
    }
    for (rank, outcome) in outcomes.enumerated() {
      do {
        _ = try outcome.get()
        Issue.record("rank \(rank) went on")
      } catch { #expect(rank == 1 ? error is Trouble : "\(error)".contains("rank 1 failed"), "\(error)") }
    }
    let model = Model(SingleProcess())
    #expect(try Checkpoint.resume(model.trainer, from: path).step == 3)
    // A number on one rank that is none ends the step on all, before a parameter has changed.
    let errors = LocalGroup.outcomes(2) { ranks -> Int in
      let model = Model(ranks)
      _ = try model.step()
      let before = model.values
      if ranks.rank == 1 { for i in 0..<5 { model.inputs[8].pointer[i] = .nan } }
      do { _ = try model.step() } catch let divergence as Divergence {
        #expect(model.values == before && divergence.step == 2 && divergence.loss.isNaN)
        #expect(Set(divergence.brokenGradients) == ["p1", "p2", "p4"])
        throw divergence
      }
      return 0
    }
    for error in errors { #expect(throws: Divergence.self) { try error.get() } }
    // Ranks that stand at different steps say so.
    let apart = LocalGroup.outcomes(2) { ranks -> Int in
      let model = Model(ranks)
      if ranks.rank == 1 { _ = try Checkpoint.resume(model.trainer, from: path) }
      return try model.step().step
    }
    for outcome in apart { #expect(throws: CollectiveError.self) { try outcome.get() } }
  }

  @Test func aWrongMarkStopsTheProgram() async {
    await #expect(processExitsWith: .failure) {
      _ = try LocalGroup.run(2) { ranks in try Model(ranks).step(isWrong: true).loss }
    }
  }
}
