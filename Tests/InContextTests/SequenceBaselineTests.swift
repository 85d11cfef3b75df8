import InContext
import Tensors
import Testing

@Suite struct SequenceBaselineTests {
  private func series(noise: Float, order: Int = 2, hidden: Int = 8) -> AutoregressionTask {
    var random = RandomStream(seed: 4)
    return AutoregressionTask(
      dimension: 2, order: order, noise: noise,
      representation: Representation(inputs: 2 * order, outputs: hidden, layers: 2, random: &random))
  }

  private func errors(_ name: String, _ task: AutoregressionTask, points: Int, count: Int) -> [Double] {
    let baseline = WindowRegression(name, task: task)!
    var random = RandomStream(seed: 5)
    var sums = [Double](repeating: 0, count: points)
    for _ in 0..<count {
      let series = task.series(length: points + 1, random: &random)
      let predictions = baseline.predictions(Array(series.dropLast(2)))
      for t in 0..<points {
        for c in 0..<2 {
          let error = predictions[2 * t + c] - Double(series[2 * (t + 1) + c])
          sums[t] += error * error / Double(count) / task.normaliser
        }
      }
    }
    return sums
  }

  @Test func knowingTheRepresentationIsKnowingTheSeries() {
    let task = series(noise: 0)
    let known = errors("representation-ridge:1e-9", task, points: 20, count: 300)
    let windows = errors("ridge:0.1", task, points: 20, count: 300)
    // Before there is a window, zero is predicted, which scores 1; after as many pairs as features nothing is left.
    #expect(abs(known[0] - 1) < 0.2 && abs(windows[0] - 1) < 0.2)
    #expect(known[15] < 1e-3 && known[19] < 1e-3)
    #expect(windows[19] > 10 * known[19] && windows[19] < 0.9)
    #expect(errors("least-squares", task, points: 20, count: 100)[19] < 0.9)
    // With noise s² = 1/4 and weights of variance 1/8, the Bayes predictor has α = 2, and its error is above the noise's share, 2 s² / (2 (1 + s²)) = 0.2.
    let noisy = errors("representation-ridge:2", series(noise: 0.5), points: 40, count: 300)
    #expect(noisy[39] > 0.18 && noisy[39] < 0.35)
    #expect(WindowRegression("nearest:3", task: task) == nil)
  }

  @Test func predictionsReadThePastAlone() {
    let task = series(noise: 0.1)
    var random = RandomStream(seed: 6)
    var values = task.series(length: 12, random: &random)
    for name in ["least-squares", "ridge:0.1", "representation-ridge:0.1"] {
      let baseline = WindowRegression(name, task: task)!
      let before = baseline.predictions(values)
      values[2 * 7] += 1
      let after = baseline.predictions(values)
      #expect(before[..<14] == after[..<14] && before[14...] != after[14...])
    }
  }

  @Test func aChainIsPairsOfXOrItsLastStepAndY() {
    let task = ChainOfThoughtTask(dimension: 3, hidden: 4, steps: 2)
    var random = RandomStream(seed: 7)
    let batch = task.batch(size: 5, points: 9, active: nil, random: &random)
    let steps = task.prompts(batch, readsSteps: true)
    let plain = task.prompts(batch, readsSteps: false)
    #expect(steps.count == 5 && steps[0].dimension == 4 && plain[0].dimension == 3)
    #expect(plain[2].x[3] == batch.tokens[2, 4, 0] && steps[2].x[4] == batch.tokens[2, 6, 3])
    #expect(plain[2].y[1] == batch.tokens[2, 7, 7] && plain.map(\.y) == steps.map(\.y))
    // The answer is linear in the last step: with more points than units nothing is left to learn. A unit that is dead
    // in every point so far may wake up, so of many prompts the median is judged.
    let errors = zip(steps, LeastSquares().predictions(steps[...])).map { prompt, said in
      abs(said[8] - Double(prompt.y[8]))
    }.sorted()
    #expect(errors[2] < 1e-4)
  }

  @Test(arguments: [Recipe.Family.autoregression, .chainOfThought])
  func evaluationsOfSequencesHaveBaselines(_ family: Recipe.Family) throws {
    let run = TrainingRun(
      tinyRecipe {
        $0.family = family
        ($0.hidden, $0.depth, $0.order, $0.prompts) = (3, 2, 2, 16)
        $0.baselines = ["least-squares", "ridge:0.1", "representation-ridge:0.1", "network:20", "nearest:2"]
      })
    let evaluation = try #require(Evaluator(run).evaluate())
    let names = evaluation.parts[0].curves.map(\.name)
    if family == .autoregression {
      #expect(
        names == [
          "looped, 4 loops", "least squares on windows", "ridge 0.1 on windows", "ridge 0.1 on Φ(windows)",
        ])
    } else {
      #expect(
        names.contains("least squares on given steps") && names.contains("network trained 20 steps on x"))
      #expect(names.contains("the network's own steps") && names.count == 7)
    }
    #expect(Evaluator(run).evaluate(progress: { $0 < 2 }) == nil)
  }
}
