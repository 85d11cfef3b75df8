/// The minimum of |y - X w|² / (2 i) + α |w|₁ over i context points, no intercept.
///
/// Coordinate descent from the weights of the prefix before; where that is slow, as with fewer points than coordinates, of
/// which two are nearly alike, the sets of nonzero weights are searched one after the other, which ends. Sources: Friedman,
/// Hastie and Tibshirani, JSS 33 (2010); Lee, Battle, Raina and Ng, NIPS 2006 (feature-sign search).
public struct Lasso: Baseline {
  public let alpha: Double
  public init(alpha: Double) { self.alpha = alpha }
  public var name: String { "lasso \(alpha)" }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    var moments = Moments(prompt)
    let d = prompt.dimension
    let questions = prompt.questions
    var weights = [Double](repeating: 0, count: d)
    return (0..<prompt.points).map { i in
      if i > 0 {
        moments.addNext()
        if !descend(moments, &weights) { search(moments, &weights) }
      }
      return product(weights[...], questions[i * d..<(i + 1) * d])
    }
  }

  /// - Returns: whether the weights have settled.
  private func descend(_ moments: Moments, _ weights: inout [Double]) -> Bool {
    let (d, points) = (weights.count, Double(moments.points))
    for _ in 0..<200 {
      var (largestChange, largest) = (0.0, 0.0)
      for j in 0..<d where moments.gram[j * d + j] > 0 {
        let diagonal = moments.gram[j * d + j]
        let fit = product(moments.gram[j * d..<(j + 1) * d], weights[...]) - diagonal * weights[j]
        let slope = (moments.cross[j] - fit) / points
        let shrunk = slope > alpha ? slope - alpha : slope < -alpha ? slope + alpha : 0
        let next = shrunk * points / diagonal
        largestChange = max(largestChange, abs(next - weights[j]))
        largest = max(largest, abs(next))
        weights[j] = next
      }
      // Weight may move from one column to another that is nearly alike in thousands of small steps.
      if largestChange <= 1e-12 * largest { return true }
    }
    return false
  }

  /// With the signs of the nonzero weights held, the minimum is a linear system's solution; on the way to it the best
  /// point is where a weight becomes zero, or the end. A weight that is zero joins if its slope is larger than α. Every step
  /// lowers the objective, and there are finitely many sets of signs.
  package func search(_ moments: Moments, _ weights: inout [Double]) {
    let (d, gram, cross) = (weights.count, moments.gram, moments.cross)
    let penalty = alpha * Double(moments.points)
    let tolerance = 1e-10 * cross.reduce(penalty) { max($0, abs($1)) }
    func objective(_ w: [Double]) -> Double {
      let fit = multiply(gram, w[...])
      return w.indices.reduce(0) { $0 + w[$1] * (fit[$1] / 2 - cross[$1]) + penalty * abs(w[$1]) }
    }
    for _ in 0..<100 * d {
      let fit = multiply(gram, weights[...])
      let slopes = cross.indices.map { cross[$0] - fit[$0] }
      var active = weights.indices.filter { weights[$0] != 0 }
      var signs = active.map { weights[$0] > 0 ? 1.0 : -1.0 }
      if zip(active, signs).allSatisfy({ abs(slopes[$0] - penalty * $1) <= tolerance }) {
        let others = weights.indices.filter { weights[$0] == 0 }
        guard let next = others.max(by: { abs(slopes[$0]) < abs(slopes[$1]) }),
          abs(slopes[next]) > penalty + tolerance
        else { return }
        active.append(next)
        signs.append(slopes[next] > 0 ? 1 : -1)
      }
      let size = active.count
      var matrix = active.flatMap { row in active.map { gram[row * d + $0] } }
      // With more weights than points the system is singular. A trace of ridge makes the step long along what changes no
      // fit, and the first weight that becomes zero ends it.
      let trace = (0..<size).reduce(0) { $0 + matrix[$1 * size + $1] }
      for k in 0..<size { matrix[k * size + k] += 1e-12 * trace }
      let step = solveSymmetric(matrix, zip(active, signs).map { slopes[$0] - penalty * $1 })
      var best = (value: objective(weights), weights: weights)
      let zeros = zip(active, step).map { -weights[$0] / $1 }
      for share in [1] + zeros.filter({ $0 > 0 && $0 < 1 }) {
        var moved = weights
        for (k, j) in active.enumerated() {
          moved[j] = zeros[k] == share ? 0 : weights[j] + share * step[k]
        }
        let value = objective(moved)
        if value < best.value { best = (value, moved) }
      }
      // Rounding is all that is left to gain.
      guard best.weights != weights else { return }
      weights = best.weights
    }
  }
}
