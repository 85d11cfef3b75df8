import Tensors
import Tokenization

/// Scores the positions of a chunk, loop by loop; a chunk's loops follow each other.
final class WindowScorer {
  private let executor: LoopExecutor
  private let loops: Int
  private let policies: [ExitPolicy]
  private var gates: [[Float]] = []
  /// [policy].
  private var selections: [ExitSelection] = []

  /// Rows that are read out at once: bounds the memory of logits.
  private static let readoutRows = 64

  init(_ executor: LoopExecutor, _ policies: [ExitPolicy], loops: Int) {
    self.executor = executor
    self.policies = policies
    self.loops = loops
  }

  func finishLoop(
    _ loop: Int, _ states: UnsafePointer<Float>, targets: ArraySlice<TokenID>,
    into result: inout Perplexity.Result
  ) {
    let count = targets.count
    if loop == 0 { begin(count) }
    let losses = losses(states, targets)
    for loss in losses { result.loops[loop].add(loss) }
    let loopGates = executor.model.gate == nil ? nil : executor.exitLogits(states, rows: count)
    if let loopGates { addExits(loopGates, loop, &result) }
    for (number, policy) in policies.enumerated() where loop < selections[number].limit {
      selections[number].finishLoop(states, gates: loopGates) { row in
        if policy.rule != .weighted { result.policies[number].score.add(losses[row]) }
        result.policies[number].loops += loop + 1
      }
      if policy.rule == .weighted, loop + 1 == selections[number].limit {
        for loss in self.losses(selections[number].chosen.pointer, targets) {
          result.policies[number].score.add(loss)
        }
      }
    }
  }

  private func begin(_ count: Int) {
    let configuration = executor.model.configuration
    selections = policies.map { ExitSelection($0, configuration: configuration, positions: count) }
    gates = []
  }

  /// Adds the exit distributions once the last loop's gates, which they do not use, are there.
  private func addExits(_ loopGates: [Float], _ loop: Int, _ result: inout Perplexity.Result) {
    gates.append(loopGates)
    guard loop == loops - 1 else { return }
    for row in loopGates.indices {
      let distribution = ExitDistribution(gates: gates.map { $0[row] })
      for (loop, p) in distribution.probabilities.enumerated() { result.exits[loop] += Double(p) }
    }
  }

  /// -log p of each target.
  private func losses(_ states: UnsafePointer<Float>, _ targets: ArraySlice<TokenID>) -> [Double] {
    let c = executor.model.configuration
    var losses = [Double](repeating: 0, count: targets.count)
    let rows = min(Self.readoutRows, targets.count)
    let logits = Tensor(uninitialized: [rows, c.vocabularySize])
    for start in stride(from: 0, to: targets.count, by: rows) {
      let count = min(rows, targets.count - start)
      executor.logits(states + start * c.hiddenSize, rows: count, into: logits.pointer)
      losses.withUnsafeMutableBufferPointer { losses in
        // Every item writes its own element.
        nonisolated(unsafe) let losses = losses
        executor.pool.run(count) { row, _ in
          let line = logits.pointer + row * c.vocabularySize
          let target = Int(targets[targets.startIndex + start + row])
          losses[start + row] = Double(Sampler.logSum(line, count: c.vocabularySize) - line[target])
        }
      }
    }
    return losses
  }
}
