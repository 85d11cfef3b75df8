import Gradients
import InContext
import Layers
import Tensors
import Testing

/// A recipe small enough for tests.
func tinyRecipe(_ change: (inout Recipe) -> Void = { _ in }) -> Recipe {
  var recipe = Recipe()
  (recipe.dimension, recipe.points, recipe.width, recipe.heads) = (2, 5, 16, 2)
  (recipe.loops, recipe.window, recipe.batch, recipe.prompts, recipe.steps) = (4, 3, 8, 32, 10)
  change(&recipe)
  return recipe
}

@Suite struct ModelTests {
  @Test func sizesAreThePapers() {
    func printed(_ architecture: Architecture, width: Int, layers: Int) -> Int {
      var random = RandomStream(seed: 0)
      return InContextModel(
        .init(architecture: architecture, inputs: 20, tokens: 203, width: width, heads: 4, layers: layers),
        random: &random
      ).printedParameterCount
    }
    #expect(printed(.standard, width: 256, layers: 12) == 9_477_632)
    #expect(printed(.looped, width: 256, layers: 1) == 790_272)
    #expect(printed(.tied, width: 256, layers: 1) == 790_272)
    // Three stacks of one layer, each with a final norm.
    #expect(printed(.algoFormer, width: 256, layers: 1) == 3 * 790_272)
    #expect(printed(.looped, width: 64, layers: 1) == 50_112)
    #expect(printed(.standard, width: 64, layers: 12) == 599_936)
  }

  @Test func everyParameterHasANameAndTheReadOutsAreUniform() {
    var random = RandomStream(seed: 1)
    let model = InContextModel(
      .init(
        architecture: .algoFormer, inputs: 9, outputs: [1, 4], tokens: 12, width: 64, heads: 4, layers: 1),
      random: &random)
    let names = model.namedParameters().map(\.name)
    #expect(Set(names).count == names.count)
    for name in [
      "pre.blocks.0.mlp.expand.weight", "core.readIn.weight", "post.norm.gain", "stepReadOuts.0.weight",
    ] {
      #expect(names.contains(name))
    }
    let weights = model.stepReadOuts[0].weight.value.values
    let square = weights.reduce(0) { $0 + $1 * $1 } / Float(weights.count)
    #expect(weights.allSatisfy { abs($0) <= 0.125 } && abs(square * 3 * 64 - 1) < 0.2)
  }

  /// Perturbs y at a position: predictions before it and at it must not move, those after it must.
  @Test(arguments: Architecture.allCases, [0, 2, 4]) func noAnswerIsSeenByItsOwnQuestion(
    _ architecture: Architecture, _ position: Int
  ) {
    let run = TrainingRun(tinyRecipe { $0.architecture = architecture })
    var random = RandomStream(seed: 3)
    var prompt = (run.task as! FunctionTask).prompt(points: 5, random: &random)
    func predict() -> [[Float]] {
      var all: [[Float]] = []
      run.model.predictions(RegressionPrompt.batch([prompt]), loops: 4) { all.append($1.values) }
      return all
    }
    let before = predict()
    prompt.y[position] += 10
    let after = predict()
    #expect(before.count == (architecture == .standard ? 1 : 4))
    for (a, b) in zip(before, after) {
      #expect(a[...position] == b[...position])
      // The first loop of an injection reads nothing else; every later position sees the change.
      for later in position + 1..<max(5, position + 1) { #expect(a[later] != b[later]) }
    }
  }

  @Test func aLoopedModelIsTheLayersOwn() throws {
    // The loss of a looped model is that of `LoopedGPT2`, which its own tests hold to derivatives by hand.
    let run = TrainingRun(tinyRecipe())
    var random = RandomStream(seed: 4)
    let batch = run.task.batch(size: 4, points: 5, active: nil, random: &random)
    let window = LoopWindow(loops: 4, window: 2)
    let ours = run.model.loss(batch, window: window).value.scalar
    let core = run.model.core.loss(batch.tokens, targets: batch.readings[0].targets, window: window)
    #expect(abs(ours - core.value.scalar) < 1e-6 * ours)
    // Supervised every second loop, the window's last alone is left of two.
    var last: Float = 0
    run.model.predictions(batch, loops: 4) { _, predictions in
      last = squaredError(Variable(predictions), batch.readings[0].targets).value.scalar
    }
    #expect(abs(run.model.loss(batch, window: window, every: 2).value.scalar - last) < 1e-6 * last)
  }

  @Test(arguments: Architecture.allCases) func everyParameterLearns(_ architecture: Architecture) throws {
    let run = TrainingRun(
      tinyRecipe {
        $0.architecture = architecture
        ($0.loops, $0.window, $0.superviseEvery) = (4, 3, 2)
      })
    let before = run.trainer.adam.parameters.map(\.value.values)
    for _ in 0..<2 { _ = try run.step() }
    for (parameter, old) in zip(run.trainer.adam.parameters, before) {
      #expect(parameter.value.values != old, "\(parameter.name)")
    }
  }

  @Test func aRunLearnsWithinSeconds() throws {
    // One dimension: the error after the last loop, at the last of four points, on prompts never seen.
    let run = TrainingRun(
      tinyRecipe {
        ($0.dimension, $0.points, $0.width, $0.steps, $0.batch) = (1, 4, 32, 600, 64)
        ($0.rate, $0.clipping, $0.loops, $0.window, $0.prompts) = (3e-3, 1, 4, 4, 256)
      })
    while !run.isDone { _ = try run.step() }
    let evaluation = try #require(Evaluator(run).evaluate())
    #expect(evaluation.curve.mean[0]! > 0.9 && evaluation.curve.mean[3]! < 0.4)
    #expect(evaluation.curve.mean[1]! < evaluation.curve.mean[0]!)
    #expect(evaluation.loopCurves[0].mean.count == 16)
  }
}
