/// A regression tree: each split is the one that lowers the squared error most, over all coordinates and thresholds.
///
/// Source: Breiman et al., Classification and Regression Trees (1984), chapter 8.
package struct RegressionTree {
  private enum Node {
    case leaf(Double)
    /// Left child for values up to the threshold.
    case split(coordinate: Int, threshold: Double, left: Int, right: Int)
  }

  private var nodes: [Node] = []

  /// - Parameters:
  ///   - x: rows of `dimension` numbers. - depth: the most splits above a leaf.
  ///   - penalty: λ: a leaf with n answers of sum s says s / (n + λ).
  package init(x: [Double], y: [Double], dimension: Int, depth: Int, penalty: Double = 0) {
    _ = grow(Array(y.indices), x, y, dimension, depth, penalty)
  }

  private mutating func grow(
    _ rows: [Int], _ x: [Double], _ y: [Double], _ d: Int, _ depth: Int, _ penalty: Double
  ) -> Int {
    let index = nodes.count
    let sum = rows.reduce(0) { $0 + y[$1] }
    nodes.append(.leaf(sum / max(Double(rows.count) + penalty, 1e-300)))
    guard depth > 0, rows.count > 1 else { return index }
    // Least squares: splitting gains the sum of s² / (n + λ) over both sides, less that of the whole.
    func score(_ sum: Double, _ count: Int) -> Double { sum * sum / (Double(count) + penalty) }
    var best = (gain: 1e-12, coordinate: -1, threshold: 0.0)
    for coordinate in 0..<d {
      let sorted = rows.sorted { x[$0 * d + coordinate] < x[$1 * d + coordinate] }
      var left = 0.0
      for (count, row) in sorted.dropLast().enumerated() {
        left += y[row]
        let (here, next) = (x[row * d + coordinate], x[sorted[count + 1] * d + coordinate])
        guard next > here else { continue }
        let gain =
          score(left, count + 1) + score(sum - left, rows.count - count - 1) - score(sum, rows.count)
        if gain > best.gain { best = (gain, coordinate, (here + next) / 2) }
      }
    }
    guard best.coordinate >= 0 else { return index }
    let goesLeft = { (row: Int) in x[row * d + best.coordinate] <= best.threshold }
    let left = grow(rows.filter(goesLeft), x, y, d, depth - 1, penalty)
    let right = grow(rows.filter { !goesLeft($0) }, x, y, d, depth - 1, penalty)
    nodes[index] = .split(coordinate: best.coordinate, threshold: best.threshold, left: left, right: right)
    return index
  }

  package func callAsFunction(_ x: ArraySlice<Double>) -> Double {
    var index = 0
    while true {
      switch nodes[index] {
      case .leaf(let value): return value
      case .split(let coordinate, let threshold, let left, let right):
        index = x[x.startIndex + coordinate] <= threshold ? left : right
      }
    }
  }
}

/// One regression tree per position.
public struct TreeBaseline: Baseline {
  /// `nil` for splits as long as they lower the error.
  public let depth: Int?
  /// Whether the tree sees the signs of x alone, which is all that the drawn trees look at.
  public let sign: Bool

  public init(depth: Int?, sign: Bool) {
    self.depth = depth
    self.sign = sign
  }

  public var name: String { (sign ? "tree on signs" : "tree") + (depth.map { " of depth \($0)" } ?? "") }
  public var promptLimit: Int { 256 }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    predictionsOfTrees(prompt, sign: sign) { x, y, question in
      RegressionTree(x: x, y: y, dimension: prompt.dimension, depth: depth ?? 64)(question)
    }
  }
}

/// Gradient boosting of squared error: fifty trees of depth 4 at rate 0.1, leaves shrunk by λ = 1, from the mean.
///
/// The settings are those the papers give to XGBoost, which is not used. Source: Friedman, Annals of Statistics 29
/// (2001); Chen and Guestrin, arXiv 1603.02754.
public struct BoostedTrees: Baseline {
  public let sign: Bool
  public init(sign: Bool) { self.sign = sign }
  public var name: String { sign ? "boosted trees on signs" : "boosted trees" }
  public var promptLimit: Int { 64 }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let d = prompt.dimension
    return predictionsOfTrees(prompt, sign: sign) { x, y, question in
      let mean = y.reduce(0, +) / Double(y.count)
      var (residual, prediction) = (y.map { $0 - mean }, mean)
      for _ in 0..<50 {
        let tree = RegressionTree(x: x, y: residual, dimension: d, depth: 4, penalty: 1)
        for i in residual.indices { residual[i] -= 0.1 * tree(x[i * d..<(i + 1) * d]) }
        prediction += 0.1 * tree(question)
      }
      return prediction
    }
  }
}

/// Every fifth position, and the last: trees are grown anew for each.
private func predictionsOfTrees(
  _ prompt: RegressionPrompt, sign: Bool, _ predict: ([Double], [Double], ArraySlice<Double>) -> Double
) -> [Double] {
  let (d, n) = (prompt.dimension, prompt.points)
  func seen(_ x: [Double]) -> [Double] { sign ? x.map { $0 > 0 ? 1 : 0 } : x }
  let (x, y, questions) = (seen(prompt.inputs), prompt.answers, seen(prompt.questions))
  return (0..<n).map { i in
    if i == 0 { return 0 }
    guard i % 5 == 0 || i == n - 1 else { return .nan }
    return predict(Array(x[..<(i * d)]), Array(y[..<i]), questions[i * d..<(i + 1) * d])
  }
}
