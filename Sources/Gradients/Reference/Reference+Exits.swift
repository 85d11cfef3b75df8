import Foundation

/// The objectives of looped language models in f64, as their formulas are printed.
extension Reference {
  public static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// p_1 … p_T of one token: p_t = λ_t Π_{j<t} (1 - λ_j), and the last gets what is left.
  public static func exitProbabilities(_ gates: [Double]) -> [Double] {
    var stays = 1.0
    return gates.indices.map { loop in
      if loop == gates.count - 1 { return stays }
      let leaves = sigmoid(gates[loop])
      defer { stays *= 1 - leaves }
      return leaves * stays
    }
  }

  /// -log softmax(state · readoutᵀ)[target] of every row, 0 where the target is negative.
  public static func crossEntropies(
    _ state: [Double], readout: [Double], width: Int, targets: [Int32]
  ) -> [Double] {
    let classes = readout.count / width
    let logits = linear(state, readout, [], rows: targets.count, inputs: width, outputs: classes)
    return targets.enumerated().map { row, target in
      target < 0 ? 0 : -log(softmax(Array(logits[row * classes..<(row + 1) * classes]))[Int(target)])
    }
  }

  /// Stage I: the mean of Σ_t p_t CE_t + β KL(p ‖ q) - β log T, where q_t ∝ ratio^t.
  ///
  /// - Parameters:
  ///   - states: of each loop [rows, width]. - gates: of each loop [rows].
  public static func expectedLoss(
    states: [[Double]], gates: [[Double]], readout: [Double], width: Int, targets: [Int32], beta: Double,
    ratio: Double = 1
  ) -> Double {
    let losses = states.map { crossEntropies($0, readout: readout, width: width, targets: targets) }
    let counted = targets.indices.filter { targets[$0] >= 0 }
    return counted.reduce(0) { sum, row in
      let p = exitProbabilities(gates.map { $0[row] })
      let expected = p.indices.reduce(0) { $0 + p[$1] * losses[$1][row] }
      let sum = sum + expected - beta * log(Double(p.count))
      let whole = p.indices.reduce(0) { $0 + pow(ratio, Double($1)) }
      return p.indices.reduce(sum) {
        $0 + (p[$1] > 0 ? beta * p[$1] * log(p[$1] / (pow(ratio, Double($1)) / whole)) : 0)
      }
    } / Double(counted.count)
  }

  /// Stage II with labels from `losses` (of each loop [rows]), which are constants.
  public static func gateLoss(
    gates: [[Double]], losses: [[Double]], targets: [Int32], objective: GateObjective
  ) -> Double {
    let (loops, counted) = (gates.count, targets.indices.filter { targets[$0] >= 0 })
    var sum = 0.0
    for loop in 1..<loops {
      for row in counted {
        let improvement = max(0, losses[loop - 1][row] - losses[loop][row])
        let w = sigmoid(objective.slope * (improvement - objective.threshold))
        let leaves = sigmoid(gates[objective.reading == .printed ? loop : loop - 1][row])
        sum -= w * log(1 - leaves) + (1 - w) * log(leaves)
      }
    }
    return sum / Double(loops * counted.count)
  }
}
