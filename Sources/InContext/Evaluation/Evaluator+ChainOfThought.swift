import Tensors

extension Evaluator {
  /// Squared errors of the answer where the steps of the question are not given but the network's own, fed back one
  /// after the other: [prompt][position]. The context's steps stand in the prompt.
  ///
  /// Source: Li et al., arXiv 2305.18869 (CoT-I/O). Complexity: points · (steps + 1) forward passes.
  ///
  /// - Parameter givesSteps: feeds the true steps instead, which must make the errors of `PromptBatch`'s own answer.
  package func chainErrors(
    _ batch: PromptBatch, _ task: ChainOfThoughtTask, givesSteps: Bool = false
  ) -> [[Double]] {
    let (prompts, length, width) = (batch.tokens.shape[0], batch.tokens.shape[1], task.inputs)
    let (group, answers) = (task.steps + 2, batch.readings[0].targets)
    let points = answers.shape[1]
    let last = run.recipe.architecture == .standard ? 1 : run.recipe.loops
    let isLast = { (loop: Int) in loop == last }
    /// What read-out `head` says at the last of the first `count` tokens.
    func predict(_ tokens: Tensor, _ count: Int, head: Int, outputs: Int) -> Tensor {
      let cut = Tensor(uninitialized: [prompts, count, width])
      for b in 0..<prompts {
        (cut.pointer + b * count * width).update(
          from: tokens.pointer + b * length * width, count: count * width)
      }
      let reading = PromptBatch.Reading(
        head: head, first: count - 1, step: 1, targets: Tensor(zeros: [prompts, 1, outputs]))
      var result = reading.targets
      run.model.predictions(
        PromptBatch(tokens: cut, readings: [reading]), loops: run.recipe.loops, shown: isLast
      ) { result = $1 }
      return result
    }
    var errors = [[Double]](repeating: [], count: prompts)
    for point in 0..<points {
      let tokens = batch.tokens.copy()
      let start = point * group
      for step in 0..<(givesSteps ? 0 : task.steps) {
        let thought = predict(tokens, start + step + 1, head: 1, outputs: task.hidden)
        for b in 0..<prompts {
          let token = tokens.pointer + (b * length + start + step + 1) * width
          token.update(repeating: 0, count: width)
          (token + task.dimension).update(from: thought.pointer + b * task.hidden, count: task.hidden)
        }
      }
      let answer = predict(tokens, start + task.steps + 1, head: 0, outputs: 1)
      for b in 0..<prompts {
        errors[b].append(Self.square(Double(answer[b, 0, 0]) - Double(answers[b, point, 0])))
      }
    }
    return errors
  }
}
