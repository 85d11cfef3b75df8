import Tensors

extension ProbeTarget {
  /// The name of the part of an experiment's results that has the errors by depth.
  public var partName: String {
    switch self {
    case .moment: "probe-moment"
    case .leastSquares: "probe-least-squares"
    }
  }
}

extension Probing {
  /// What was read at every depth, as parts of an evaluation: the mean squared error over all prefixes, over that of
  /// predicting zero, of the probes and of the control.
  public var evaluationParts: [Evaluation.Part] {
    parts.map { part in
      let zero = part.squares.reduce(0, +) / Double(max(part.squares.count, 1))
      func curve(_ name: String, _ errors: [[Double]]) -> Curve {
        let means = errors.map { $0.reduce(0, +) / Double(max($0.count, 1)) / zero }
        var curve = Curve(name, errors: [means], resamples: 0, random: RandomStream(seed: 0, stream: 0))
        curve.prompts = prompts
        return curve
      }
      return Evaluation.Part(
        name: part.target.partName, curves: [curve(name, part.errors), curve("control", part.control)])
    }
  }
}
