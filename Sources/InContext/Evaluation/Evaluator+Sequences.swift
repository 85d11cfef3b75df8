import Tensors

extension Evaluator {
  /// Series and chains of thought, whose baselines see other things than x and y.
  func evaluateSequences(_ advance: () -> Bool) -> Evaluation? {
    let recipe = run.recipe
    var random = RandomStream(seed: UInt64(bitPattern: Int64(recipe.seed)), stream: 100)
    let batches = stride(from: 0, to: prompts, by: batch).map { start in
      run.task.heldOutBatch(size: min(batch, prompts - start), points: recipe.points, random: &random)
    }
    var curves = [curve(networkName, errors(of: batches), run.task.normaliser)]
    guard advance() else { return nil }
    if let chain = run.task as? ChainOfThoughtTask, chain.predictsSteps {
      let own = batches.flatMap { chainErrors($0, chain) }
      curves.append(curve("the network's own steps", own, run.task.normaliser))
    }
    for name in baselines {
      if let (name, errors) = sequenceErrors(name, batches) {
        curves.append(curve(name, errors, run.task.normaliser))
      }
      guard advance() else { return nil }
    }
    let part = Evaluation.Part(name: "in distribution", curves: curves)
    guard loops > 1 else { return evaluation([part], []) }
    let (last, sums) = loopErrors(batches)
    return evaluation(
      [part], [curve(networkName, last, run.task.normaliser)], loopMap(sums, prompts, run.task.normaliser))
  }

  /// A baseline's squared errors, [prompt][place]; `nil` if it has nothing to say of such prompts.
  private func sequenceErrors(_ name: String, _ batches: [PromptBatch]) -> (String, [[Double]])? {
    if let series = run.task as? AutoregressionTask {
      guard let baseline = WindowRegression(name, task: series) else { return nil }
      return (baseline.name, batches.flatMap { seriesErrors(baseline, $0) })
    }
    guard let chain = run.task as? ChainOfThoughtTask, let baseline = Baselines.make(name, task: nil) else {
      return nil
    }
    // The answer is linear in the last step: regression on the steps that the prompt gives. All others see x and y.
    let readsSteps = baseline is LeastSquares || baseline is Ridge
    let held = batches.flatMap { chain.prompts($0, readsSteps: readsSteps) }.prefix(baseline.promptLimit)
    let errors = zip(held, baseline.predictions(held)).map { prompt, predictions in
      predictions.enumerated().map { Self.square($1 - Double(prompt.answer($0))) }
    }
    return (baseline.name + (readsSteps ? " on given steps" : " on x"), errors)
  }

  private func seriesErrors(_ baseline: WindowRegression, _ batch: PromptBatch) -> [[Double]] {
    let (count, points, d) = (batch.tokens.shape[0], batch.tokens.shape[1], batch.tokens.shape[2])
    let targets = batch.readings[0].targets
    return mapOnAllThreads(Array(0..<count)) { b in
      let series = Array(UnsafeBufferPointer(start: batch.tokens.pointer + b * points * d, count: points * d))
      let predictions = baseline.predictions(series)
      return (0..<points).map { t in
        (0..<d).reduce(0) { sum, c in
          sum + Self.square(predictions[t * d + c] - Double(targets.pointer[(b * points + t) * d + c]))
        }
      }
    }
  }
}

extension ChainOfThoughtTask {
  /// The prompts of a batch as pairs: x, or the last step, and y.
  package func prompts(_ batch: PromptBatch, readsSteps: Bool) -> [RegressionPrompt] {
    let (length, width, group) = (batch.tokens.shape[1], batch.tokens.shape[2], steps + 2)
    let d = readsSteps ? hidden : dimension
    return (0..<batch.tokens.shape[0]).map { b in
      func token(_ point: Int, _ place: Int) -> UnsafeMutablePointer<Float> {
        batch.tokens.pointer + (b * length + point * group + place) * width
      }
      let points = 0..<length / group
      return RegressionPrompt(
        dimension: d,
        x: points.flatMap { i in
          let start = readsSteps ? token(i, steps) + dimension : token(i, 0)
          return (0..<d).map { start[$0] }
        },
        y: points.map { token($0, steps + 1)[dimension + hidden] })
    }
  }
}
