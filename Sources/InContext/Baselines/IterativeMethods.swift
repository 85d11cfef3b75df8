/// w ← w - η Xᵀ (X w - y) from zero, with η = 1 / λmax(Xᵀ X).
public struct GradientDescent: IterativeBaseline {
  public let iterations: Int
  public init(iterations: Int) { self.iterations = iterations }
  public var name: String { "gradient descent, \(iterations) steps" }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    predictionsFromMoments(prompt) { weights($0, iterations).last! }
  }

  public func lastPredictions(_ prompt: RegressionPrompt, iterations: Int) -> [Double] {
    lastFromMoments(prompt) { weights($0, iterations) }
  }

  private func weights(_ moments: Moments, _ iterations: Int) -> [[Double]] {
    let d = moments.cross.count
    let rate = 1 / max(largestEigenvalue(moments.gram, d), 1e-300)
    var w = [Double](repeating: 0, count: d)
    return (0..<iterations).map { _ in
      let slope = multiply(moments.gram, w[...])
      for i in 0..<d { w[i] -= rate * (slope[i] - moments.cross[i]) }
      return w
    }
  }
}

/// Newton's method for the inverse of S = Xᵀ X: M₀ = 2 S / |S|², M ← 2 M - M S M; w = M Xᵀ y.
///
/// Where S is singular, M goes to the pseudo-inverse, for M₀ is a polynomial in S. Source: Schulz, ZAMM 13 (1933);
/// as a loop of a transformer: Giannou et al., arXiv 2301.13196, and Fu et al., arXiv 2310.17086.
public struct NewtonSchulz: IterativeBaseline {
  public let iterations: Int
  public init(iterations: Int) { self.iterations = iterations }
  public var name: String { "Newton, \(iterations) steps" }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    predictionsFromMoments(prompt) { weights($0, iterations).last! }
  }

  public func lastPredictions(_ prompt: RegressionPrompt, iterations: Int) -> [Double] {
    lastFromMoments(prompt) { weights($0, iterations) }
  }

  private func weights(_ moments: Moments, _ iterations: Int) -> [[Double]] {
    let d = moments.cross.count
    let s = moments.gram
    let norm = largestEigenvalue(s, d)
    // 2 / |S|² is the largest factor that still converges; 1 stays clear of it under rounding.
    var m = s.map { $0 / max(norm * norm, 1e-300) }
    return (0..<iterations).map { _ in
      let square = matrixProduct(matrixProduct(m, s, d), m, d)
      for i in m.indices { m[i] = 2 * m[i] - square[i] }
      return multiply(m, moments.cross[...])
    }
  }
}

private func predictionsFromMoments(_ prompt: RegressionPrompt, _ weights: (Moments) -> [Double]) -> [Double]
{
  var moments = Moments(prompt)
  let d = prompt.dimension
  let questions = prompt.questions
  return (0..<prompt.points).map { i in
    guard i > 0 else { return 0 }
    moments.addNext()
    return product(weights(moments)[...], questions[i * d..<(i + 1) * d])
  }
}

private func lastFromMoments(_ prompt: RegressionPrompt, _ weights: (Moments) -> [[Double]]) -> [Double] {
  var moments = Moments(prompt)
  for _ in 1..<max(prompt.points, 1) { moments.addNext() }
  let question = prompt.query(prompt.points - 1).map(Double.init)
  return weights(moments).map { product($0[...], question[...]) }
}

/// By the power method from a vector with a part along every coordinate; at most a few per cent too small, which
/// gradient descent and Newton's method forgive: both converge for twice the rate too.
func largestEigenvalue(_ matrix: [Double], _ d: Int) -> Double {
  var vector = (0..<d).map { 1 + 0.1 * Double($0 % 7) }
  var value = 0.0
  for _ in 0..<100 {
    let next = multiply(matrix, vector[...])
    let length = product(next[...], next[...]).squareRoot()
    guard length > 0 else { return 0 }
    let previous = value
    value = length / product(vector[...], vector[...]).squareRoot()
    vector = next.map { $0 / length }
    if abs(value - previous) < 1e-9 * value { break }
  }
  return value
}

private func matrixProduct(_ a: [Double], _ b: [Double], _ d: Int) -> [Double] {
  var c = [Double](repeating: 0, count: d * d)
  for i in 0..<d {
    for k in 0..<d {
      let factor = a[i * d + k]
      for j in 0..<d { c[i * d + j] += factor * b[k * d + j] }
    }
  }
  return c
}
