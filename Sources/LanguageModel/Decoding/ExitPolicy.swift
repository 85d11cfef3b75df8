/// After which loop a token's prediction is taken.
///
/// Loops are counted from 1 here: `loops: 3` is the third loop, where Ouro's reference code writes `exit_at_step=2`.
public struct ExitPolicy: Equatable, Sendable {
  public enum Rule: Equatable, Sendable {
    /// After the last allowed loop.
    case fixed
    /// After the first loop whose cumulative exit probability, in f32, reaches q (Q-exit). 1 and more is the last loop,
    /// 0 and less the first. Needs a gate.
    case threshold(Float)
    /// All loops run, and logits are mixed by the exit distribution: Σ p_t · logits_t. Needs a gate.
    case weighted
    /// After the first loop that moved the normed state by less than this, in the Euclidean norm: ‖h_t - h_{t-1}‖ < ε.
    /// Fires after the second loop at the earliest.
    case stateChange(Float)
  }

  public var rule: Rule
  /// The most loops, and T in the exit distribution; `nil` for the model's own number.
  public var loops: Int?
  /// No token leaves earlier.
  public var minimumLoops: Int

  public init(_ rule: Rule = .fixed, loops: Int? = nil, minimumLoops: Int = 1) {
    self.rule = rule
    self.loops = loops
    self.minimumLoops = minimumLoops
  }

  /// Always the given number of loops, or the model's own.
  public static func fixed(_ loops: Int? = nil) -> ExitPolicy { ExitPolicy(.fixed, loops: loops) }

  public static func threshold(_ q: Float, loops: Int? = nil, minimumLoops: Int = 1) -> ExitPolicy {
    ExitPolicy(.threshold(q), loops: loops, minimumLoops: minimumLoops)
  }

  public static func weighted(loops: Int? = nil) -> ExitPolicy { ExitPolicy(.weighted, loops: loops) }

  public static func stateChange(_ epsilon: Float, loops: Int? = nil) -> ExitPolicy {
    ExitPolicy(.stateChange(epsilon), loops: loops)
  }

  /// The most loops that this policy runs in a model.
  public func limit(_ configuration: ModelConfiguration) -> Int { loops ?? configuration.loops }

  /// Whether every token runs all loops.
  public var runsAllLoops: Bool {
    switch rule {
    case .fixed, .weighted: true
    case .threshold(let q): q >= 1
    case .stateChange(let epsilon): epsilon <= 0
    }
  }

  /// Whether the rule asks the gate.
  public var needsGate: Bool {
    switch rule {
    case .fixed, .stateChange: false
    // The ends need no probabilities.
    case .threshold(let q): q < 1 && q > 0
    case .weighted: true
    }
  }

  /// The most loops a model is run for: training saw up to eight.
  public static let mostLoops = 64

  /// - Throws: `SettingError`.
  public func check(_ configuration: ModelConfiguration) throws {
    let limit = limit(configuration)
    guard limit >= 1, limit <= Self.mostLoops else {
      throw SettingError(name: "number of loops", value: "\(limit)", range: "from 1 to \(Self.mostLoops)")
    }
    guard minimumLoops >= 1, minimumLoops <= limit else {
      throw SettingError(name: "minimum of loops", value: "\(minimumLoops)", range: "from 1 to \(limit)")
    }
    if case .threshold(let q) = rule, q.isNaN {
      throw SettingError(name: "exit threshold", value: "\(q)", range: "a number, from 0 to 1")
    }
    if case .stateChange(let epsilon) = rule, epsilon.isNaN {
      throw SettingError(name: "state change", value: "\(epsilon)", range: "a number, 0 or more")
    }
    if needsGate && !configuration.hasExitGate {
      throw SettingError(
        name: "exit policy", value: "\(rule)",
        range: "fixed or stateChange, because the model has no exit gate")
    }
  }
}

/// The exit distribution that gates define.
///
///     λ_t = sigmoid(gate_t);   S_t = Π_{j ≤ t} (1 - λ_j);   p_t = λ_t · S_{t-1} for t < T;   p_T = S_{T-1}
///
/// The last gate's value is not used. Everything is f32, whatever the weights are.
/// Source: Ouro (arXiv 2510.25741), section 3.
public struct ExitDistribution: Equatable, Sendable {
  /// p_1 … p_T; sums to 1.
  public let probabilities: [Float]
  /// CDF(1) … CDF(T); never falls, and the last is 1.
  public let cumulative: [Float]

  /// - Parameter gates: the values of all T loops, before the sigmoid.
  public init(gates: [Float]) {
    var (survival, probabilities, cumulative) = (Float(1), [Float](), [Float]())
    for (loop, gate) in gates.enumerated() {
      guard loop < gates.count - 1 else {
        probabilities.append(survival)
        cumulative.append(1)
        break
      }
      let leaves = sigmoid(gate)
      probabilities.append(leaves * survival)
      survival *= 1 - leaves
      cumulative.append(1 - survival)
    }
    self.probabilities = probabilities
    self.cumulative = cumulative
  }

  /// Q-exit: the first loop, from 1, whose cumulative probability reaches q; the last if q is 1 or more.
  public func loops(threshold q: Float, minimum: Int = 1) -> Int {
    if q >= 1 { return cumulative.count }
    let first = cumulative.firstIndex { $0 >= q } ?? cumulative.count - 1
    return min(max(first + 1, minimum), cumulative.count)
  }
}
