import Tensors

/// What a probe tries to read from a hidden state: intermediate results of methods that solve linear regression.
public enum ProbeTarget: String, CaseIterable, Codable, Sendable {
  /// Xⱼᵀyⱼ / n, of the first j of n points: what gradient descent starts with. The divisor is n for every j, as in
  /// Yang et al.'s code.
  case moment = "XᵀY"
  /// The shortest weights that fit the first j points: what least squares answers with.
  case leastSquares = "least squares"

  /// The numbers of points, j, that are asked for: all of them, or as long as least squares is not the function itself.
  public func prefixes(dimension: Int, points: Int) -> [Int] {
    switch self {
    case .moment: Array(1...points)
    case .leastSquares: Array(1...min(dimension, points))
    }
  }

  /// The target for each of `prefixes`, `dimension` numbers each. Complexity: O(points · d²) for all prefixes together.
  package func values(_ prompt: RegressionPrompt, prefixes: [Int]) -> [[Float]] {
    let (d, n) = (prompt.dimension, prompt.points)
    var (result, moment) = ([[Float]](), [Double](repeating: 0, count: d))
    var state = LeastSquares.State(dimension: d)
    for i in 0..<n {
      let (x, y) = (prompt.x[i * d..<(i + 1) * d].map(Double.init), Double(prompt.y[i]))
      for c in 0..<d { moment[c] += x[c] * y / Double(n) }
      if self == .leastSquares { state.add(x[...], y) }
      guard prefixes.contains(i + 1) else { continue }
      result.append((self == .moment ? moment : state.weights).map { Float($0) })
    }
    return result
  }
}

/// y = Σ xᵢ: the one function on which the control probe is trained.
struct OnesFunctions: FunctionFamily {
  func normaliser(dimension: Int) -> Double { Double(dimension) }
  func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    { x in x.reduce(0, +) }
  }
}
