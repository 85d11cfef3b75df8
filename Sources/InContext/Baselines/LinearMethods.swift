/// The shortest of the weights that fit the context best: least squares by the pseudo-inverse, for all prefixes of
/// the context in one pass.
///
/// Greville's recursion keeps the weights w, the projector P on what the rows seen do not span, and
/// Q = (Xᵀ X)⁺. A new row x with answer y changes w by k (y - w·x), where for c = P x ≠ 0 (the row is new):
///
///     k = c / |c|²,    P ← P - c cᵀ/|c|²,    Q ← Q - k (Qx)ᵀ - (Qx) kᵀ + (1 + xᵀQx) k kᵀ
///
/// and for c = 0 (the row is spanned): k = Qx / (1 + xᵀQx), Q ← Q - (Qx)(Qx)ᵀ / (1 + xᵀQx).
///
/// That is O(points · d²) for all prefixes together, where a LAPACK call per prefix is O(points · d³) and an external
/// library; at d ≤ 100 nothing is gained by blocking. Source: Greville, SIAM Review 2 (1960), 15–22.
public struct LeastSquares: Baseline {
  public let name = "least squares"
  /// |c|² below this share of |x|² counts as spanned.
  static let tolerance = 1e-10

  public init() {}

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let (d, n) = (prompt.dimension, prompt.points)
    let (x, y, questions) = (prompt.inputs, prompt.answers, prompt.questions)
    var state = State(dimension: d)
    return (0..<n).map { i in
      if i > 0 { state.add(x[(i - 1) * d..<i * d], y[i - 1]) }
      return product(state.weights[...], questions[i * d..<(i + 1) * d])
    }
  }

  package struct State {
    let d: Int
    package var weights: [Double]
    var complement: [Double]
    var inverse: [Double]

    package init(dimension d: Int) {
      self.d = d
      weights = .init(repeating: 0, count: d)
      complement = .init(repeating: 0, count: d * d)
      inverse = complement
      for i in 0..<d { complement[i * d + i] = 1 }
    }

    package mutating func add(_ x: ArraySlice<Double>, _ y: Double) {
      let c = multiply(complement, x)
      let q = multiply(inverse, x)
      let length = product(c[...], c[...])
      let gain = 1 + product(q[...], x)
      let error = y - product(weights[...], x)
      if length > LeastSquares.tolerance * product(x, x) {
        let k = c.map { $0 / length }
        for i in 0..<d {
          weights[i] += k[i] * error
          for j in 0..<d {
            complement[i * d + j] -= c[i] * k[j]
            inverse[i * d + j] += gain * k[i] * k[j] - k[i] * q[j] - q[i] * k[j]
          }
        }
      } else {
        for i in 0..<d {
          weights[i] += q[i] / gain * error
          for j in 0..<d { inverse[i * d + j] -= q[i] * q[j] / gain }
        }
      }
    }
  }
}

/// w = (Xᵀ X + α I)⁻¹ Xᵀ y, no intercept; for y = w·x + N(0, s²) with w ~ N(0, I), the Bayes predictor at α = s².
///
/// Sherman and Morrison's update of the inverse per point: O(points · d²) for all prefixes.
public struct Ridge: Baseline {
  public let alpha: Double
  /// Features to regress on in place of x.
  let representation: Representation?

  public init(alpha: Double, representation: Representation? = nil) {
    self.alpha = alpha
    self.representation = representation
  }

  public var name: String { representation == nil ? "ridge \(alpha)" : "ridge \(alpha) on Φ(x)" }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let n = prompt.points
    let y = prompt.answers
    func features(_ x: [Float]) -> [[Double]] {
      (0..<n).map { i in
        let row = x[i * prompt.dimension..<(i + 1) * prompt.dimension]
        return representation.map { $0(row).map(Double.init) } ?? row.map(Double.init)
      }
    }
    let context = features(prompt.x)
    let questions = prompt.queries.map { features($0.x) } ?? context
    let d = context.first?.count ?? 0
    var state = State(dimension: d, alpha: alpha)
    return (0..<n).map { i in
      if i > 0 { state.add(context[i - 1][...], y[i - 1]) }
      return product(state.weights[...], questions[i][...])
    }
  }

  /// The weights after some rows, and (Xᵀ X + α I)⁻¹.
  package struct State {
    package private(set) var weights: [Double]
    private var inverse: [Double]

    package init(dimension d: Int, alpha: Double) {
      weights = .init(repeating: 0, count: d)
      inverse = .init(repeating: 0, count: d * d)
      for i in 0..<d { inverse[i * d + i] = 1 / alpha }
    }

    package mutating func add(_ x: ArraySlice<Double>, _ y: Double) {
      let d = weights.count
      let q = multiply(inverse, x)
      let gain = 1 + product(q[...], x)
      let error = y - product(weights[...], x)
      for r in 0..<d {
        weights[r] += q[r] / gain * error
        for c in 0..<d { inverse[r * d + c] -= q[r] * q[c] / gain }
      }
    }
  }
}

/// w = the mean of yᵢ xᵢ: one step of gradient descent from zero. Source: Garg et al., arXiv 2208.01066, section 3.
public struct Averaging: Baseline {
  public let name = "averaging"
  public init() {}

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    var moments = Moments(prompt)
    let d = prompt.dimension
    let questions = prompt.questions
    return (0..<prompt.points).map { i in
      guard i > 0 else { return 0 }
      moments.addNext()
      return product(moments.cross[...], questions[i * d..<(i + 1) * d]) / Double(i)
    }
  }
}

/// The mean answer of the nearest context points, Euclidean; of all, if there are fewer.
public struct NearestNeighbours: Baseline {
  public let count: Int
  public init(count: Int) { self.count = count }
  public var name: String { "\(count) nearest" }

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let d = prompt.dimension
    let (x, y, questions) = (prompt.inputs, prompt.answers, prompt.questions)
    return (0..<prompt.points).map { i in
      guard i > 0 else { return 0 }
      let distances = (0..<i).map { j in
        let squared = (0..<d).reduce(0.0) { sum, c in
          let difference = x[j * d + c] - questions[i * d + c]
          return sum + difference * difference
        }
        return (squared, y[j])
      }
      let nearest = distances.sorted { $0.0 < $1.0 }.prefix(count)
      return nearest.reduce(0) { $0 + $1.1 } / Double(nearest.count)
    }
  }
}

/// Xᵀ X and Xᵀ y of the first points of a prompt, one more at a time.
package struct Moments {
  private let d: Int
  private let x: [Double]
  private let y: [Double]
  package private(set) var points = 0
  package private(set) var gram: [Double]
  package private(set) var cross: [Double]

  package init(_ prompt: RegressionPrompt) {
    d = prompt.dimension
    (x, y) = (prompt.inputs, prompt.answers)
    gram = .init(repeating: 0, count: d * d)
    cross = .init(repeating: 0, count: d)
  }

  package mutating func addNext() {
    let row = points * d
    for i in 0..<d {
      cross[i] += x[row + i] * y[points]
      for j in 0..<d { gram[i * d + j] += x[row + i] * x[row + j] }
    }
    points += 1
  }
}

package func product(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      var sum = 0.0
      for i in 0..<min(a.count, b.count) { sum += a[i] * b[i] }
      return sum
    }
  }
}

/// A square matrix, row by row, times a vector.
func multiply(_ matrix: [Double], _ x: ArraySlice<Double>) -> [Double] {
  (0..<x.count).map { product(matrix[$0 * x.count..<($0 + 1) * x.count], x) }
}
