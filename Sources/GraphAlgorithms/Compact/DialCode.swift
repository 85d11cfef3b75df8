#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Names of constant width for many columns: two dials, each a point on the unit circle, show the high and the low digit
/// of a node's number in base b ≥ √n.
///
///     code(v) = (sin hi·δ, cos hi·δ, sin lo·δ, cos lo·δ)      δ = 2π/b,  v = hi·b + lo
///     code(v) · code(w) = cos (hi − hi')δ + cos (lo − lo')δ
///
/// The score is 2 for equal codes and at most 1 + cos δ for different ones: the gap is 1 − cos δ ≈ 2π²/b² ≈ 20/n, where
/// a single circle has 2π²/n². So four numbers name the square of what two numbers can.
public struct DialCode: Equatable, Sendable {
  public let base: Int

  public init(nodeCount: Int) {
    var base = Int(Double(max(nodeCount, 4)).squareRoot())
    while base * base < nodeCount { base += 1 }
    self.base = base
  }

  /// The dials of node `node`, before they are rounded to the data type of the run.
  public func code(_ node: Int) -> [Double] {
    [node / base, node % base].flatMap { digit in
      let angle = 2 * Double.pi * Double(digit) / Double(base)
      return [sin(angle), cos(angle)]
    }
  }

  /// How much the best wrong code scores below the right one, in exact arithmetic.
  public var gap: Double {
    let half = sin(Double.pi / Double(base))
    return 2 * half * half
  }

  /// Whether every code is told from every other in arithmetic with this unit in the last place of 1.
  ///
  /// Rounding the four entries moves a score by at most 4 · 2√2 · ulp/2 < 6 ulp, and the sum of four products by at most
  /// 4 · 2 · ulp/2 more = 4 ulp; two scores are compared, so a gap of 20 ulp is enough. 32 leaves room for any order of
  /// summation and for fused products.
  public func isExact(ulpOfOne: Double) -> Bool { gap > 32 * ulpOfOne }

  /// The largest number of nodes whose codes a data type tells apart.
  public static func largestNodeCount(ulpOfOne: Double) -> Int {
    // 2 sin²(π/b) > 32 ulp
    var base = Int(Double.pi / asin((16 * ulpOfOne).squareRoot()))
    while base > 2 && !DialCode(nodeCount: base * base).isExact(ulpOfOne: ulpOfOne) { base -= 1 }
    return base * base
  }
}
