import Tensors

extension Evaluator {
  /// The predictions of the recipe's baselines for a batch of the task's own prompts, by name: [prompt][place]. For
  /// tasks of functions, and tables; others have none here.
  public func baselinePredictions(_ batch: PromptBatch) -> [(name: String, predictions: [[Double]])] {
    guard run.task is FunctionTask || run.task is TabularTask else { return [] }
    let (count, length, d) = (batch.tokens.shape[0], batch.tokens.shape[1], batch.tokens.shape[2])
    let prompts = (0..<count).map { b in
      let row = { (t: Int) in batch.tokens.pointer + (b * length + t) * d }
      return RegressionPrompt(
        dimension: d, x: (0..<length / 2).flatMap { i in (0..<d).map { row(2 * i)[$0] } },
        y: (0..<length / 2).map { row(2 * $0 + 1)[0] })
    }
    return baselines.compactMap { name in
      guard let baseline = Baselines.make(name, task: run.task as? FunctionTask) else { return nil }
      let used: any Baseline = run.task is TabularTask ? Classified(base: baseline) : baseline
      return (name, used.predictions(prompts[...]))
    }
  }
}
