#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A function of one variable as a sum of sigmoids, which is what attention heads can compute:
///
///     f(x) ≈ constant + Σ_i coefficient_i · σ(slope_i · x + offset_i)       for x in `domain`
///
/// Barron's theorem promises an error of O(m^−½) for m random sigmoids (Giannou et al. 2023, lemma on function
/// approximation); a least-squares fit on evenly spaced ones is far better, and that is what this is.
public struct SigmoidSum: Sendable {
  public struct Term: Equatable, Sendable {
    public var coefficient: Double
    public var slope: Double
    public var offset: Double
  }

  public let domain: ClosedRange<Double>
  public let constant: Double
  public let terms: [Term]
  /// The largest |f(x) − sum(x)| on a grid 16 times finer than the sigmoids, both ends of the domain included.
  public let largestError: Double

  public func callAsFunction(_ x: Double) -> Double {
    terms.reduce(constant) { $0 + $1.coefficient / (1 + exp(-($1.slope * x + $1.offset))) }
  }

  /// Fits `count` sigmoids by ridge-regularised least squares.
  ///
  /// Wide sigmoids fit smooth functions better but need large coefficients, which amplify rounding; so of several
  /// widths the one with the smallest error wins among those whose coefficients stay within `largestCoefficient`.
  ///
  /// Complexity: O(widths · count³), some milliseconds for 32.
  public init(
    _ function: (Double) -> Double, on domain: ClosedRange<Double>, count: Int,
    largestCoefficient: Double = 256
  ) {
    let length = domain.upperBound - domain.lowerBound
    let spacing = length / Double(count - 1)
    func grid(_ points: Int) -> [Double] {
      (0..<points).map {
        domain.lowerBound + length * (0.5 - 0.5 * cos(Double.pi * (Double($0) + 0.5) / Double(points)))
      }
    }
    let samples = grid(6 * count)
    let checks = grid(16 * count) + [domain.lowerBound, domain.upperBound]
    var best: (error: Double, constant: Double, terms: [Term])?
    for width in [0.5, 1, 2, 4, 8, 16] {
      for ridge in [1e-7, 1e-9, 1e-11] {
        let slope = 1 / (width * spacing)
        let offsets = (0..<count).map { -slope * (domain.lowerBound + Double($0) * spacing) }
        var rows = samples.map { x in [1] + offsets.map { 1 / (1 + exp(-(slope * x + $0))) } }
        var targets = samples.map(function)
        for i in 0...count {
          rows.append((0...count).map { $0 == i ? ridge : 0 })
          targets.append(0)
        }
        let solution = leastSquares(rows, targets)
        guard solution.allSatisfy({ abs($0) <= largestCoefficient }) else { continue }
        let terms = (0..<count).map {
          Term(coefficient: solution[$0 + 1], slope: slope, offset: offsets[$0])
        }
        let error = checks.reduce(0) { worst, x in
          max(
            worst,
            abs(
              function(x)
                - terms.reduce(solution[0]) { $0 + $1.coefficient / (1 + exp(-($1.slope * x + $1.offset))) }))
        }
        if best.map({ error < $0.error }) ?? true { best = (error, solution[0], terms) }
      }
    }
    guard let best else { preconditionFailure("no fit has coefficients within \(largestCoefficient)") }
    self.domain = domain
    (largestError, constant, terms) = (best.error, best.constant, best.terms)
  }
}

/// Minimises ‖A x − b‖ by Householder reflections. A has at least as many rows as columns and full rank.
private func leastSquares(_ matrix: [[Double]], _ targets: [Double]) -> [Double] {
  var a = matrix
  var b = targets
  let (rows, columns) = (a.count, a[0].count)
  for k in 0..<columns {
    let norm = (k..<rows).reduce(0) { $0 + a[$1][k] * a[$1][k] }.squareRoot()
    var reflector = (k..<rows).map { a[$0][k] }
    reflector[0] += reflector[0] < 0 ? -norm : norm
    let length = reflector.reduce(0) { $0 + $1 * $1 }
    for column in k...columns {
      func entry(_ i: Int) -> Double { column == columns ? b[k + i] : a[k + i][column] }
      let projection = 2 * reflector.indices.reduce(0) { $0 + reflector[$1] * entry($1) } / length
      for i in reflector.indices {
        if column == columns {
          b[k + i] -= projection * reflector[i]
        } else {
          a[k + i][column] -= projection * reflector[i]
        }
      }
    }
  }
  var solution = [Double](repeating: 0, count: columns)
  for k in (0..<columns).reversed() {
    solution[k] = ((k + 1)..<columns).reduce(b[k]) { $0 - a[k][$1] * solution[$1] } / a[k][k]
  }
  return solution
}
