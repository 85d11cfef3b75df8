import Foundation

/// When a token leaves a looped model: the logarithms of the probabilities that the gates of its loops give, in f64, with
/// their gradient. (What a model that runs needs of them is `ExitDistribution` of LanguageModel.)
///
/// With λ_t = sigmoid(g_t) and S_t = Π_{j ≤ t} (1 - λ_j): p_t = λ_t S_{t-1} for t < T, and p_T = S_{T-1} is what is left,
/// whatever the last gate says. Source: Ouro, arXiv 2510.25741, section 3.
public enum ExitLogarithms {
  /// Writes log p_t of one token; from logarithms of sigmoids, so that no probability becomes 0 before its logarithm
  /// is taken.
  ///
  /// - Parameters:
  ///   - gates: g_1 … g_T before the sigmoid; the last is not read.
  ///   - result: T numbers.
  static func logarithms(
    _ gates: UnsafeBufferPointer<Double>, into result: UnsafeMutableBufferPointer<Double>
  ) {
    var stays = 0.0
    for loop in 0..<gates.count - 1 {
      result[loop] = stays - softplus(-gates[loop])
      stays -= softplus(gates[loop])
    }
    result[gates.count - 1] = stays
  }

  /// p_1 … p_T of one token, from its gates before the sigmoid; the last gate is not read.
  public static func probabilities(_ gates: [Double]) -> [Double] {
    guard !gates.isEmpty else { return [] }
    var result = gates
    result.withUnsafeMutableBufferPointer { result in
      gates.withUnsafeBufferPointer { logarithms($0, into: result) }
    }
    return result.map(exp)
  }

  /// Adds to `result` the gradient for the gates, from the gradient for the probabilities times the probabilities:
  /// ∂p_t/∂g_t = p_t (1 - λ_t), ∂p_t/∂g_j = -p_t λ_j for j < t, and 0 for the last gate.
  ///
  /// - Parameters:
  ///   - weighted: p_t ∂L/∂p_t, T numbers. - result: T numbers, overwritten.
  static func gradient(
    _ gates: UnsafeBufferPointer<Double>, weighted: UnsafeBufferPointer<Double>,
    into result: UnsafeMutableBufferPointer<Double>
  ) {
    let last = gates.count - 1
    result[last] = 0
    var later = weighted[last]
    for loop in stride(from: last - 1, through: 0, by: -1) {
      let leaves = sigmoid(gates[loop])
      result[loop] = (1 - leaves) * weighted[loop] - leaves * later
      later += weighted[loop]
    }
  }

  static func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }

  /// log(1 + exp x) without overflow: -log sigmoid(-x).
  static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
