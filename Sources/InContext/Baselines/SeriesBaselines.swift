import Tensors

/// Regression of a series' next point on the window of its last ones: what `AutoregressionTask` is, if the features are
/// the representation, and ordinary autoregression, if they are the window itself.
///
/// With the true features, and the noise's variance over that of the weights as α, this is the Bayes predictor.
package struct WindowRegression {
  package let name: String
  /// `nil` for least squares.
  let alpha: Double?
  let task: AutoregressionTask
  let seesRepresentation: Bool

  /// A baseline of a recipe's list, where it says something of a series.
  package init?(_ name: String, task: AutoregressionTask) {
    let parts = name.split(separator: ":").map(String.init)
    let alpha = parts.count == 2 ? Double(parts[1]) : nil
    switch parts.first {
    case "least-squares":
      (self.name, self.alpha, seesRepresentation) = ("least squares on windows", nil, false)
    case "ridge":
      (self.name, self.alpha, seesRepresentation) = ("ridge \(alpha ?? 0.1) on windows", alpha ?? 0.1, false)
    case "representation-ridge":
      (self.name, self.alpha, seesRepresentation) = (
        "ridge \(alpha ?? 1e-6) on Φ(windows)", alpha ?? 1e-6, true
      )
    default: return nil
    }
    self.task = task
  }

  /// The next point after every point, from the points up to it; zeros while there is no window.
  ///
  /// - Parameter series: points · dimension numbers. - Returns: as many.
  package func predictions(_ series: [Float]) -> [Double] {
    let (d, q) = (task.dimension, task.order)
    let width = seesRepresentation ? task.representation.outputs : q * d
    var states = (0..<d).map { _ in LinearState(dimension: width, alpha: alpha) }
    var features: [Double] = []
    var result: [Double] = []
    for t in 0..<series.count / d {
      if t >= q {
        for c in 0..<d { states[c].add(features[...], Double(series[t * d + c])) }
      }
      guard t >= q - 1 else {
        result += [Double](repeating: 0, count: d)
        continue
      }
      let window = series[(t - q + 1) * d..<(t + 1) * d]
      features = (seesRepresentation ? task.features(window) : Array(window)).map(Double.init)
      result += states.map { product($0.weights[...], features[...]) }
    }
    return result
  }
}

/// Least squares or ridge, row by row.
private enum LinearState {
  case leastSquares(LeastSquares.State)
  case ridge(Ridge.State)

  init(dimension: Int, alpha: Double?) {
    self =
      alpha.map { .ridge(.init(dimension: dimension, alpha: $0)) }
      ?? .leastSquares(.init(dimension: dimension))
  }

  var weights: [Double] {
    switch self {
    case .leastSquares(let state): state.weights
    case .ridge(let state): state.weights
    }
  }

  mutating func add(_ x: ArraySlice<Double>, _ y: Double) {
    switch self {
    case .leastSquares(var state):
      state.add(x, y)
      self = .leastSquares(state)
    case .ridge(var state):
      state.add(x, y)
      self = .ridge(state)
    }
  }
}
