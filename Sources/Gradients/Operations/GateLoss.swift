import Foundation
import Tensors

/// Stage II: what the exit gate is taught once the language model is done.
///
/// Label of a token and loop t ≥ 2: I = max(0, CE_{t-1} - CE_t), w = sigmoid(k · (I - γ)): near 1 where the loop was
/// worth its while. The gate is to continue with w and to leave with 1 - w:
///
///     L_t = -mean over tokens of  w_t · log(1 - λ) + (1 - w_t) · log λ,      L = (1/T) · Σ_{t=2..T} L_t
///
/// Source: Ouro, arXiv 2510.25741, section 3 (k = 50, γ = 0.005).
public struct GateObjective: Equatable, Sendable {
  /// Which gate the label of loop t teaches: the paper's formula and its words can both be followed.
  public enum Reading: String, CaseIterable, Sendable {
    /// λ_t, as printed: the first gate gets no label, and the last, which nothing reads, is taught.
    case printed
    /// λ_{t-1}, which decides whether loop t is run.
    case deciding
  }

  public var reading: Reading
  /// k.
  public var slope: Double
  /// γ: the improvement, in nats, that is worth a loop.
  public var threshold: Double

  public init(reading: Reading = .deciding, slope: Double = 50, threshold: Double = 0.005) {
    self.reading = reading
    self.slope = slope
    self.threshold = threshold
  }

  /// w of a token, from its cross-entropies before and after the loop.
  public func label(before: Double, after: Double) -> Double {
    ExitLogarithms.sigmoid(slope * (max(0, before - after) - threshold))
  }

  /// The loss, with a gradient for the gates alone.
  ///
  /// - Parameters:
  ///   - gates: of each loop before the sigmoid, one number per row. - losses: [loops, rows] from `crossEntropies`.
  ///   - targets: negative for rows that do not count; at least one is not.
  public func callAsFunction(gates: [Variable], losses: Tensor, targets: [Int32]) -> Variable {
    let (loops, rows) = (gates.count, targets.count)
    precondition(losses.shape == [loops, rows], "losses \(losses.shape) for \(loops) gates, \(rows) rows")
    let counted = targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
    precondition(counted > 0 && loops > 0, "a mean over no targets")
    let scale = 1 / (Double(loops) * Double(counted))
    var sum = 0.0
    var slopes = Array(repeating: [Float](repeating: 0, count: rows), count: loops)
    for loop in 1..<max(loops, 1) {
      let taught = reading == .printed ? loop : loop - 1
      let gate = gates[taught].value.pointer
      let (before, after) = (losses.pointer + (loop - 1) * rows, losses.pointer + loop * rows)
      for i in 0..<rows where targets[i] >= 0 {
        let w = label(before: Double(before[i]), after: Double(after[i]))
        let g = Double(gate[i])
        // -log(1 - λ) = softplus(g), -log λ = softplus(-g); the slope of both together is λ - (1 - w).
        sum += w * ExitLogarithms.softplus(g) + (1 - w) * ExitLogarithms.softplus(-g)
        slopes[taught][i] = Float((ExitLogarithms.sigmoid(g) - (1 - w)) * scale)
      }
    }
    let targets = zip(gates, slopes).map { ($0.slot, $0.shape, $1) }
    return Tape.result(Tensor(scalar: Float(sum * scale)), of: gates) { gradient in
      let factor = gradient.scalar
      for (slot, shape, slopes) in targets {
        slot?.accumulate(Tensor(slopes.map { $0 * factor }, shape: shape))
      }
    }
  }
}
