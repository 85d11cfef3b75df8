import Foundation

/// Follows one token through its loops and says when it leaves: the exit policy at work.
public struct ExitTracker: Sendable {
  public let policy: ExitPolicy
  public let limit: Int
  /// Loops done.
  public private(set) var loops = 0
  /// p_1 … p_n of the loops done; they sum to 1 if all loops were done, and the rest is what was still undecided.
  /// Empty where no gate was asked.
  public private(set) var exitProbabilities: [Float] = []
  private var survival: Float = 1

  /// - Precondition: the policy passes `check`.
  public init(_ policy: ExitPolicy, configuration: ModelConfiguration) {
    self.policy = policy
    limit = policy.limit(configuration)
    exitProbabilities.reserveCapacity(limit)
  }

  /// Notes that a loop is done.
  /// - Parameters:
  ///   - gate: the gate's value before the sigmoid, if there is one.
  ///   - change: ‖h_t - h_{t-1}‖; asked only where the policy needs it.
  /// - Returns: whether the token leaves.
  public mutating func finishLoop(gate: Float?, change: () -> Float) -> Bool {
    loops += 1
    if let gate {
      if loops == limit {
        exitProbabilities.append(survival)
      } else {
        let leaves = sigmoid(gate)
        exitProbabilities.append(leaves * survival)
        survival *= 1 - leaves
      }
    }
    if loops >= limit { return true }
    if loops < policy.minimumLoops { return false }
    switch policy.rule {
    case .fixed, .weighted: return false
    case .threshold(let q):
      if q <= 0 { return true }
      return q < 1 && 1 - survival >= q
    case .stateChange(let epsilon): return loops >= 2 && change() < epsilon
    }
  }

  /// The weight of the loop that was just done in a weighted readout.
  public var weight: Float { exitProbabilities.last ?? 1 }
}

func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

/// ‖a - b‖.
func distance(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
  var sum: Float = 0
  for i in 0..<count { sum += (a[i] - b[i]) * (a[i] - b[i]) }
  return sum.squareRoot()
}

/// ‖a‖.
func length(_ a: UnsafePointer<Float>, count: Int) -> Float {
  var sum: Float = 0
  for i in 0..<count { sum += a[i] * a[i] }
  return sum.squareRoot()
}
