import Foundation
import InContext
import Tensors
import Testing

@Suite struct HeldOutTests {
  @Test func aRunIsMeasuredWhileItIsTrainedAndNotDisturbed() throws {
    let plain = TrainingRun(tinyRecipe { $0.steps = 5 })
    let measured = TrainingRun(
      tinyRecipe { ($0.steps, $0.evaluateEvery, $0.evaluationPrompts) = (5, 2, 40) })
    var steps: [Int] = []
    while !measured.isDone {
      let entry = try measured.step()
      let other = try plain.step()
      #expect(
        entry.values.first { $0.name == "loss" }?.value == other.values.first { $0.name == "loss" }?.value)
      guard entry.values.contains(where: { $0.name == "held_out" }) else { continue }
      steps.append(entry.step)
      #expect(entry.line.contains(" held_out=") && entry.json.contains("\"held_out_last\":"))
    }
    // Every second step, and the last.
    #expect(steps == [2, 4, 5])
    #expect(!(try plain.step().line.contains("held_out")))
  }

  @Test func heldOutErrorsAreThoseOfTheEvaluator() throws {
    let run = TrainingRun(tinyRecipe { ($0.evaluateEvery, $0.evaluationPrompts) = (1, 200) })
    let values = run.heldOutErrors()
    var random = RandomStream(seed: 42, stream: Recipe.Stream.heldOut.rawValue)
    let functions = try #require(run.task as? FunctionTask)
    let prompts = (0..<200).map { _ in functions.prompt(points: 5, random: &random) }
    let errors = Evaluator(run).errors(prompts)
    let last = errors.reduce(0) { $0 + $1[4] } / 200 / run.task.normaliser
    let mean = errors.reduce(0) { $0 + $1.reduce(0, +) } / 1000 / run.task.normaliser
    #expect(abs(values[0].value - mean) < 1e-9 && abs(values[1].value - last) < 1e-9)
    #expect(run.heldOutErrors().map(\.value) == values.map(\.value))
  }

  @Test func noHeldOutPromptIsOneOfThePool() throws {
    // The evaluator's streams are numbers 100 and up of the run's seed, and a pool of that seed would hold them.
    let run = TrainingRun(tinyRecipe { $0.pool = 300 })
    let functions = try #require(run.task as? FunctionTask)
    var data = RandomStream(seed: 1)
    var pool: Set<[Float]> = []
    for _ in 0..<3000 {
      pool.insert(functions.trainingPrompt(points: 5, active: nil, random: &data).x)
    }
    #expect(pool.count == 300)
    for stream in [UInt32(2), 10, 100, 101, 102] {
      var random = RandomStream(seed: 42, stream: stream)
      #expect(!pool.contains(functions.prompt(points: 5, random: &random).x))
    }
    var random = RandomStream(seed: 3)
    let batch = run.task.heldOutBatch(size: 50, points: 5, random: &random)
    for b in 0..<50 {
      let x = (0..<5).flatMap { [batch.tokens[b, 2 * $0, 0], batch.tokens[b, 2 * $0, 1]] }
      #expect(!pool.contains(x))
    }
  }

  @Test func theMapOfLoopsMeetsBothCurves() throws {
    let run = TrainingRun(tinyRecipe { $0.evaluationLoops = 90 })
    let evaluation = try #require(Evaluator(run).evaluate())
    let map = try #require(evaluation.loopMap)
    #expect(map.loops.first == 1 && map.loops.last == 90 && map.loops.count <= 42)
    for (loop, row) in zip(map.loops, map.errors) {
      #expect(abs(row[4]! - evaluation.loopCurves[0].mean[loop - 1]!) < 1e-9)
    }
    // Files of before there were maps are read.
    var old = try #require(
      try JSONSerialization.jsonObject(with: JSONEncoder().encode(evaluation)) as? [String: Any])
    old["loopMap"] = nil
    let read = try JSONDecoder().decode(Evaluation.self, from: JSONSerialization.data(withJSONObject: old))
    #expect(read.loopMap == nil && read.curve == evaluation.curve)
  }
}
