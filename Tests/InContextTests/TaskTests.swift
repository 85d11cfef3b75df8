import Foundation
import InContext
import Tensors
import Testing

@Suite struct TaskTests {
  private static func tasks() -> [(String, FunctionTask)] {
    var random = RandomStream(seed: 1)
    let phi = Representation(inputs: 4, outputs: 6, layers: 2, random: &random)
    return [
      ("linear", FunctionTask(LinearFunctions(), dimension: 4)),
      ("sparse", FunctionTask(SparseLinearFunctions(support: 2), dimension: 6)),
      ("tree", FunctionTask(DecisionTreeFunctions(depth: 3), dimension: 4)),
      ("relu", FunctionTask(ReLUNetworkFunctions(hidden: 8), dimension: 4)),
      ("representation", FunctionTask(RepresentationFunctions(phi), dimension: 4)),
    ]
  }

  @Test func predictingZeroScoresOne() {
    for (name, task) in Self.tasks() {
      var random = RandomStream(seed: 2)
      let prompts = (0..<4000).map { _ in task.prompt(points: 8, random: &random) }
      let score = Evaluator.meanSquare(prompts) / task.normaliser
      #expect(abs(score - 1) < 0.1, "\(name): \(score)")
    }
  }

  @Test func promptsAreXAndYInTurn() {
    let task = FunctionTask(LinearFunctions(), dimension: 3)
    var (random, again) = (RandomStream(seed: 5), RandomStream(seed: 5))
    let batch = task.batch(size: 2, points: 4, active: 2, random: &random)
    let prompt = task.prompt(points: 4, active: 2, random: &again)
    #expect(batch.tokens.shape == [2, 8, 3] && batch.readings[0].targets.shape == [2, 4, 1])
    for i in 0..<4 {
      #expect((0..<3).allSatisfy { batch.tokens[0, 2 * i, $0] == prompt.x[3 * i + $0] })
      #expect(batch.tokens[0, 2 * i, 2] == 0 && batch.tokens[0, 2 * i, 0] != 0)
      #expect(
        batch.tokens[0, 2 * i + 1, 0] == prompt.y[i] && batch.readings[0].targets[0, i, 0] == prompt.y[i])
      #expect(batch.tokens[0, 2 * i + 1, 1] == 0)
    }
  }

  @Test func sparseSupportIsAmongActiveCoordinates() {
    // So no function is zero early in a curriculum of dimensions.
    let task = FunctionTask(SparseLinearFunctions(support: 2), dimension: 8)
    var random = RandomStream(seed: 3)
    let zeros = (0..<200).count { _ in
      task.prompt(points: 4, active: 2, random: &random).y.allSatisfy { $0 == 0 }
    }
    #expect(zeros == 0)
  }

  @Test func treesLookAtSignsAlone() {
    var random = RandomStream(seed: 4)
    let tree = DecisionTreeFunctions(depth: 4).draw(dimension: 16, active: 16, random: &random)
    var values: Set<Float> = []
    for _ in 0..<2000 {
      let x = normals(16, &random)
      #expect(tree(x[...]) == tree(x.map { 9 * $0 }[...]))
      values.insert(tree(x[...]))
    }
    #expect(values.count > 4 && values.count <= 16, "\(values.count)")
  }

  @Test func aPoolRepeatsItsPromptsAndNoOthers() {
    let task = FunctionTask(LinearFunctions(), dimension: 2, pool: 5, poolSeed: 9)
    var random = RandomStream(seed: 6)
    let firsts = (0..<100).map { _ in task.trainingPrompt(points: 2, active: nil, random: &random).x[0] }
    #expect(Set(firsts).count == 5)
    // Held-out prompts are fresh.
    #expect(!firsts.contains(task.prompt(points: 2, random: &random).x[0]))
  }

  @Test func noiseHasItsDeviation() {
    let task = FunctionTask(LinearFunctions(), dimension: 3, noise: 2)
    var random = RandomStream(seed: 7)
    let prompts = (0..<4000).map { _ in task.prompt(points: 3, random: &random) }
    #expect(abs(Evaluator.meanSquare(prompts) / (3 + 4) - 1) < 0.1)
  }

  @Test(arguments: [1, 2, 3]) func aSeriesStaysBounded(_ order: Int) {
    var random = RandomStream(seed: 8)
    let phi = Representation(inputs: order * 5, outputs: 8, layers: 2, random: &random)
    let task = AutoregressionTask(dimension: 5, order: order, noise: 0.1, representation: phi)
    var sum = 0.0
    for _ in 0..<200 {
      let series = task.series(length: 42, random: &random)
      #expect(series.count == 210 && series.allSatisfy { $0.isFinite })
      sum += series.suffix(50).reduce(0) { $0 + Double($1 * $1) } / 50
    }
    // E x² = 1 + noise².
    let square = sum / 200
    #expect(abs(square - 1.01) < 0.15, "\(square)")
    let batch = task.batch(size: 2, points: 6, active: nil, random: &random)
    #expect(batch.tokens[1, 3, 4] == batch.readings[0].targets[1, 2, 4])
  }

  @Test func aChainOfThoughtLeadsToItsAnswer() {
    let task = ChainOfThoughtTask(dimension: 3, hidden: 4, steps: 2)
    var random = RandomStream(seed: 10)
    let batch = task.batch(size: 3, points: 2, active: nil, random: &random)
    #expect(batch.tokens.shape == [3, 8, 8] && batch.readings.count == 3)
    #expect(batch.readings.map(\.first) == [2, 0, 1] && batch.readings.allSatisfy { $0.step == 4 })
    for step in 0..<2 {
      for c in 0..<4 {
        #expect(batch.tokens[1, 4 + step + 1, 3 + c] == batch.readings[1 + step].targets[1, 1, c])
      }
    }
    #expect(batch.tokens[1, 7, 7] == batch.readings[0].targets[1, 1, 0])
    var square = 0.0
    for _ in 0..<4000 {
      let y = task.chain(random: &random)(normals(3, &random)).y
      square += Double(y * y) / 4000
    }
    #expect(abs(square / task.normaliser - 1) < 0.25, "\(square)")
  }

  @Test func stepsFedBackAreTheNetworksOwn() throws {
    let run = TrainingRun(
      tinyRecipe { ($0.family, $0.depth, $0.hidden, $0.points) = (.chainOfThought, 2, 4, 4) })
    for _ in 0..<3 { _ = try run.step() }
    let task = run.task as! ChainOfThoughtTask
    var random = RandomStream(seed: 13)
    let batch = task.batch(size: 6, points: 4, active: nil, random: &random)
    // With the true steps in their place, prompt by prompt what one pass over the whole prompt says.
    let isLast = { (loop: Int) in loop == 4 }
    var wanted: [[Double]] = []
    run.model.predictions(batch, loops: 4, shown: isLast) { _, predictions in
      wanted = Evaluator.errors(predictions, batch.readings[0].targets)
    }
    let given = Evaluator(run).chainErrors(batch, task, givesSteps: true)
    for (a, b) in zip(given.joined(), wanted.joined()) { #expect(abs(a - b) < 1e-4 * (1 + b)) }
    // Its own are others; the true steps of the question are not read then.
    let own = Evaluator(run).chainErrors(batch, task)
    #expect(own != given && own.allSatisfy { $0.count == 4 })
    let changed = batch.tokens.copy()
    for b in 0..<6 { for token in 13..<16 { for c in 0..<task.inputs { changed[b, token, c] = 7 } } }
    let blind = Evaluator(run).chainErrors(PromptBatch(tokens: changed, readings: batch.readings), task)
    #expect(blind == own)
  }

  @Test(arguments: [Recipe.Family.autoregression, .chainOfThought]) func sequencesTrainAndAreEvaluated(
    _ family: Recipe.Family
  ) throws {
    let run = TrainingRun(
      tinyRecipe {
        $0.family = family
        ($0.depth, $0.hidden, $0.points) = (2, 4, 5)
      })
    let first = try run.step()
    #expect(first.values[0].value.isFinite)
    #expect(Evaluator(run).evaluate()?.curve.mean.count == 5)
  }
}

@Suite struct DistributionShiftTests {
  private let task = FunctionTask(LinearFunctions(), dimension: 4)

  private func prompts(_ name: String, count: Int = 300) -> [RegressionPrompt] {
    var random = RandomStream(seed: 11)
    return DistributionShift(name: name)!.prompts(task, points: 7, count: count, random: &random)
  }

  /// Σ over coordinates of E[x xᵀ]², and the trace, as 4 × 4 moments.
  private func covariance(_ prompts: [RegressionPrompt]) -> [[Double]] {
    let rows = prompts.flatMap { p in (0..<p.points).map { p.x[$0 * 4..<$0 * 4 + 4].map(Double.init) } }
    return (0..<4).map { a in (0..<4).map { b in rows.reduce(0) { $0 + $1[a] * $1[b] } / Double(rows.count) }
    }
  }

  @Test func skewedInputsKeepTheirPowerAndLoseTheirShape() {
    let moments = covariance(prompts("skewed", count: 2000))
    let trace = (0..<4).reduce(0) { $0 + moments[$1][$1] }
    #expect(abs(trace / 4 - 1) < 0.05)
    // Eigenvalues of the covariance are those of T squared, c / i²: their squares sum to c² Σ 1/i⁴.
    let c = 4 / (1 + 1 / 4.0 + 1 / 9.0 + 1 / 16.0)
    let wanted = c * c * (1 + 1 / 16.0 + 1 / 81.0 + 1 / 256.0)
    let squares = moments.joined().reduce(0) { $0 + $1 * $1 }
    #expect(abs(squares / wanted - 1) < 0.1)
  }

  @Test func subspaceInputsAreDegenerate() {
    // Two dimensions of four: after two points, least squares knows everything.
    let held = prompts("subspace")
    let errors = LeastSquares().predictions(held[...]).enumerated().map { p, row in
      abs(row[2] - Double(held[p].answer(2)))
    }
    #expect(errors.max()! < 1e-2)
  }

  @Test func queriesAreWhatTheNamesSay() {
    for prompt in prompts("orthogonal", count: 20) {
      let q = prompt.query(2)
      for j in 0..<2 { #expect(abs(dot(q, prompt.x[4 * j..<4 * j + 4])) < 1e-4) }
      #expect(abs(dot(q, q) - dot(prompt.x[8..<12], prompt.x[8..<12])) < 1e-3)
      #expect(prompt.answer(2) != prompt.y[2])
    }
    for prompt in prompts("overlapping", count: 20) {
      let place = (0..<5).first { prompt.x[4 * $0..<4 * $0 + 4].elementsEqual(prompt.query(5)) }
      #expect(place != nil && prompt.answer(5) == prompt.y[place!])
    }
    for prompt in prompts("opposite-quadrants", count: 20) {
      for i in 0..<7 { #expect((0..<4).allSatisfy { prompt.x[4 * i + $0] * prompt.x[$0] >= 0 }) }
      #expect(zip(prompt.query(3), prompt.x).allSatisfy { $0 * $1 <= 0 })
    }
    #expect(prompts("quadrants", count: 1)[0].queries != nil && prompts("skewed", count: 1)[0].queries == nil)
  }

  @Test func scalesAreScales() {
    let plain = prompts("scale-x:1")
    let wide = prompts("scale-x:3")
    #expect(zip(plain[0].x, wide[0].x).allSatisfy { abs(3 * $0 - $1) < 1e-5 * abs($1) })
    #expect(zip(plain[0].y, prompts("scale-y:2")[0].y).allSatisfy { abs(2 * $0 - $1) < 1e-5 * abs($1) })
    #expect(abs(Evaluator.meanSquare(prompts("noise:1")) - 4) < 1e-3)
    for name in ["", "skewed:1", "scale-x", "scale-x:nan", "scale-x:-1", "twisted", ":", "noise:1:2"] {
      #expect(DistributionShift(name: name) == nil)
    }
  }

  /// Asked at a position, a network must be given the context before it and the query, and nothing else.
  @Test func queryPromptsHideWhatComesAfter() {
    let prompt = prompts("orthogonal", count: 1)[0]
    let batch = RegressionPrompt.batch([prompt], askedAt: 2)
    #expect(batch.tokens.shape == [1, 5, 4])
    #expect((0..<4).allSatisfy { batch.tokens[0, 4, $0] == prompt.queries!.x[8 + $0] })
    #expect((0..<4).allSatisfy { batch.tokens[0, 2, $0] == prompt.x[4 + $0] })
    #expect(batch.readings[0].targets[0, 2, 0] == prompt.queries!.y[2])
  }
}
