/// What a network says of what it was not shown the answers to, by loop: right answers, losses, agreement, early exits.
///
/// Of synthetic tasks: questions drawn anew, their answers in groups. Of text: the held-out documents, whose next tokens
/// are the answers.
public struct TaskEvaluation: Codable, Equatable, Sendable {
  /// What tells that a place needs no further loop.
  public enum Rule: String, Codable, CaseIterable, Sendable {
    /// The gate's cumulative probability reaches the threshold.
    case gate
    /// The state moves by less than this, relative to its length.
    case change
    /// The prediction moves by less than this: KL(p_t ‖ p_{t-1}), in nats. Source: Geiping et al., arXiv 2502.05171.
    case divergence
    /// The likeliest token is that of the loop before; the threshold says nothing.
    case agreement
    /// The likeliest token's probability reaches the threshold.
    case confidence
    /// The prediction's entropy is not above this, in nats.
    case entropy
    /// A number of loops, the same everywhere.
    case fixed

    func thresholds(loops: Int) -> [Double] {
      switch self {
      case .gate: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
      case .change: [1.2, 1, 0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05]
      case .divergence: [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.002, 0.0005]
      case .agreement: [1]
      case .confidence: [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99]
      case .entropy: [5, 4, 3, 2, 1.5, 1, 0.5, 0.25, 0.1, 0.05]
      case .fixed: (1...loops).map(Double.init)
      }
    }
  }

  /// Leaving early, by one rule with one threshold, everywhere.
  public struct Exit: Codable, Equatable, Sendable {
    public var rule: Rule
    public var threshold: Double
    public var meanLoops = 0.0
    /// Means over all answers.
    public var accuracy = 0.0
    public var loss = 0.0
  }

  /// Of the run in its experiment.
  public var name = ""
  public var seed: Int
  public var parameters = 0
  public var steps: Int
  /// Names of groups of answers, the hardest last.
  public var groups: [String]
  /// Answers of each group.
  public var answers: [Int]
  /// [group][loop]: the share of answers that are the likeliest token.
  public var accuracy: [[Double]]
  /// [group][loop]: the mean of -log p of an answer, in nats.
  public var losses: [[Double]]
  /// [loop][loop]: the share of the hardest group's answers that both loops give alike, rightly or not.
  public var agreement: [[Double]]
  /// The mean over all answers of ‖h_t - h_{t-1}‖ / ‖h_t‖, from loop 2 on.
  public var changes: [Double]
  /// The mean exit of each group by the gate's probabilities.
  public var gateExits: [Double]
  public var exits: [Exit]
  /// [loop]: bits that the network knows, of tasks that count them; else empty.
  public var bits: [Double]

  public var loops: Int { accuracy.first?.count ?? 0 }

  /// An evaluation without measurements: what names there are.
  init(seed: Int, steps: Int, groups: [String], loops: Int, countsBits: Bool = false) {
    (self.seed, self.steps, self.groups) = (seed, steps, groups)
    let none = Array(repeating: Array(repeating: 0.0, count: loops), count: groups.count)
    (accuracy, losses) = (none, none)
    answers = Array(repeating: 0, count: groups.count)
    agreement = Array(repeating: Array(repeating: 0, count: loops), count: loops)
    changes = Array(repeating: 0, count: loops - 1)
    gateExits = loops > 1 ? Array(repeating: 0, count: groups.count) : []
    bits = countsBits ? Array(repeating: 0, count: loops) : []
    exits =
      loops > 1
      ? Rule.allCases.flatMap { rule in
        rule.thresholds(loops: loops).map { Exit(rule: rule, threshold: $0) }
      } : []
  }

  /// Whether every group and loop has its numbers, as a file that was changed may not.
  public var isWhole: Bool {
    func isTable(_ table: [[Double]], rows: Int) -> Bool {
      table.count == rows && table.allSatisfy { $0.count == loops }
    }
    return loops > 0 && isTable(accuracy, rows: groups.count) && isTable(losses, rows: groups.count)
      && isTable(agreement, rows: loops) && answers.count == groups.count && changes.count == loops - 1
      && [0, groups.count].contains(gateExits.count) && [0, loops].contains(bits.count)
  }

  /// The same to five decimals, as files hold it.
  public var rounded: TaskEvaluation {
    func round(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
    var result = self
    result.accuracy = accuracy.map { $0.map(round) }
    result.losses = losses.map { $0.map(round) }
    result.agreement = agreement.map { $0.map(round) }
    result.changes = changes.map(round)
    result.gateExits = gateExits.map(round)
    result.bits = bits.map(round)
    for place in exits.indices {
      result.exits[place].meanLoops = round(exits[place].meanLoops)
      result.exits[place].accuracy = round(exits[place].accuracy)
      result.exits[place].loss = round(exits[place].loss)
    }
    return result
  }
}

// MARK: Measuring

extension TaskEvaluation {
  /// Adds what was read at a place to the sums.
  mutating func add(_ reading: LoopReading, answer: Int32, group: Int) {
    answers[group] += 1
    let right = reading.tokens.map { $0 == answer }
    for loop in right.indices {
      if right[loop] { accuracy[group][loop] += 1 }
      losses[group][loop] += reading.losses[loop]
    }
    if group == groups.count - 1 {
      for a in right.indices {
        for b in right.indices where reading.tokens[a] == reading.tokens[b] { agreement[a][b] += 1 }
      }
    }
    for (index, change) in reading.changes.enumerated() { changes[index] += change }
    if !gateExits.isEmpty {
      for (loop, p) in reading.exits.enumerated() { gateExits[group] += p * Double(loop + 1) }
    }
    for place in exits.indices {
      let loop = reading.exit(exits[place].rule, exits[place].threshold)
      exits[place].meanLoops += Double(loop + 1)
      exits[place].loss += reading.losses[loop]
      if right[loop] { exits[place].accuracy += 1 }
    }
  }

  /// Sums as means.
  mutating func divide() {
    let all = 1 / Double(max(1, answers.reduce(0, +)))
    for (group, count) in answers.enumerated() {
      let share = 1 / Double(max(1, count))
      accuracy[group] = accuracy[group].map { $0 * share }
      losses[group] = losses[group].map { $0 * share }
      if !gateExits.isEmpty { gateExits[group] *= share }
      if group == groups.count - 1 { agreement = agreement.map { $0.map { $0 * share } } }
    }
    changes = changes.map { $0 * all }
    for place in exits.indices {
      exits[place].meanLoops *= all
      exits[place].accuracy *= all
      exits[place].loss *= all
    }
  }
}
