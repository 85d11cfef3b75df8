import Foundation

/// A method for numbers used on two classes: it sees -1 and 1, and says which is nearer.
struct Classified: Baseline {
  let base: any Baseline
  var name: String { base.name }
  var promptLimit: Int { base.promptLimit }

  /// 0 or 1 per position; 0.5, wrong for both, where the method says nothing of the class.
  func predictions(_ prompt: RegressionPrompt) -> [Double] {
    var signed = prompt
    signed.y = prompt.y.map { 2 * $0 - 1 }
    return base.predictions(signed).map { $0.isFinite ? $0 == 0 ? 0.5 : $0 > 0 ? 1 : 0 : .nan }
  }
}

/// The class most of the context has.
public struct Majority: Baseline {
  public let name = "majority"
  public init() {}

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    var sum = 0.0
    return prompt.answers.map { y in
      defer { sum += y }
      return sum
    }
  }
}

/// Logistic regression with an intercept: the minimum of Σ log(1 + exp(-yᵢ (w·xᵢ + c))) + α |w|² / 2, by Newton's method.
///
/// Answers are -1 and 1; the prediction is w·x + c, whose sign is the class. From the weights of the prefix before, few
/// steps are needed; each solves a system of d + 1 unknowns. Source: Hastie, Tibshirani and Friedman, The Elements of
/// Statistical Learning, section 4.4.
public struct LogisticRegression: Baseline {
  public let alpha: Double
  public init(alpha: Double) { self.alpha = alpha }
  public var name: String { "logistic \(alpha)" }
  public var promptLimit: Int { 512 }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let d = prompt.dimension
    let (x, y, questions) = (prompt.inputs, prompt.answers, prompt.questions)
    var weights = [Double](repeating: 0, count: d + 1)
    return (0..<prompt.points).map { i in
      if i > 0 { fit(&weights, x, y, points: i, d) }
      return product(weights[..<d], questions[i * d..<(i + 1) * d]) + weights[d]
    }
  }

  /// The gradient of the objective at the weights, which a test finds to be 0.
  package func gradient(_ w: [Double], _ x: [Double], _ y: [Double], points: Int, _ d: Int) -> [Double] {
    var gradient = w.dropLast().map { alpha * $0 } + [0]
    for i in 0..<points {
      let row = x[i * d..<(i + 1) * d]
      let slope = -y[i] / (1 + exp(y[i] * (product(w[..<d], row) + w[d])))
      for (c, value) in row.enumerated() { gradient[c] += slope * value }
      gradient[d] += slope
    }
    return gradient
  }

  package func fit(_ w: inout [Double], _ x: [Double], _ y: [Double], points: Int, _ d: Int) {
    let size = d + 1
    for _ in 0..<25 {
      let slope = gradient(w, x, y, points: points, d)
      if slope.allSatisfy({ abs($0) < 1e-8 }) { return }
      // The intercept is not penalised; a trace of it keeps the system solvable while only one class was seen.
      var hessian = [Double](repeating: 0, count: size * size)
      for c in 0..<size { hessian[c * size + c] = c < d ? alpha : 1e-6 }
      for i in 0..<points {
        let row = Array(x[i * d..<(i + 1) * d]) + [1]
        let p = 1 / (1 + exp(-(product(w[..<d], row[..<d]) + w[d])))
        let weight = max(p * (1 - p), 1e-12)
        for a in 0..<size {
          for b in 0..<size { hessian[a * size + b] += weight * row[a] * row[b] }
        }
      }
      let step = solveSymmetric(hessian, slope)
      // Far steps overshoot where the classes are apart; two units of the logit are as good as certain.
      let length = step.reduce(0) { max($0, abs($1)) }
      let scale = length > 2 ? 2 / length : 1
      for c in 0..<size { w[c] -= scale * step[c] }
    }
  }
}

/// The solution of a symmetric positive definite system, by Cholesky's factors.
func solveSymmetric(_ matrix: [Double], _ right: [Double]) -> [Double] {
  let n = right.count
  var (l, y) = (matrix, right)
  for j in 0..<n {
    for k in 0..<j { l[j * n + j] -= l[j * n + k] * l[j * n + k] }
    l[j * n + j] = max(l[j * n + j], 1e-300).squareRoot()
    for i in j + 1..<max(n, j + 1) {
      for k in 0..<j { l[i * n + j] -= l[i * n + k] * l[j * n + k] }
      l[i * n + j] /= l[j * n + j]
    }
  }
  for i in 0..<n {
    for k in 0..<i { y[i] -= l[i * n + k] * y[k] }
    y[i] /= l[i * n + i]
  }
  for i in (0..<n).reversed() {
    for k in i + 1..<max(n, i + 1) { y[i] -= l[k * n + i] * y[k] }
    y[i] /= l[i * n + i]
  }
  return y
}
