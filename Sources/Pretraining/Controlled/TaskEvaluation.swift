/// What a network answers on questions drawn anew, by loop: shares of right answers, agreement, early exits.
public struct TaskEvaluation: Codable, Equatable, Sendable {
  /// Leaving early, by one rule with one threshold, on all groups.
  public struct Exit: Codable, Equatable, Sendable {
    /// "gate", "change" or "fixed".
    public var rule: String
    /// The gate's cumulative probability, the relative change of the state, or the number of loops.
    public var threshold: Double
    public var meanLoops: Double
    public var accuracy: Double
  }

  /// Of the run in its experiment.
  public var name = ""
  public var seed: Int
  public var parameters: Int
  public var steps: Int
  /// Names of groups of questions, the hardest last.
  public var groups: [String]
  /// Questions of each group.
  public var questions: Int
  /// [group][loop]: the share of questions whose likeliest token is the answer.
  public var accuracy: [[Double]]
  /// [loop][loop]: the share of the hardest group's questions that both loops answer alike, rightly or not.
  public var agreement: [[Double]]
  /// The mean over all questions of ‖h_t - h_{t-1}‖ / ‖h_t‖ at the answer, from loop 2 on.
  public var changes: [Double]
  /// The mean exit of each group by the gate's probabilities.
  public var gateExits: [Double]
  public var exits: [Exit]

  public var loops: Int { accuracy.first?.count ?? 0 }

  /// Everything that claims and tables may name: "operations 4", "operations 4 loop 2", "all", "all loop 2",
  /// "agreement 2" (with the last loop), "changes 2", "gate-exit operations 4", "gate 0.5 loops", "gate 0.5 accuracy".
  public var values: [(name: String, value: Double)] {
    var values: [(name: String, value: Double)] = []
    let last = loops - 1
    guard last >= 0 else { return [] }
    func mean(_ loop: Int) -> Double { accuracy.reduce(0) { $0 + $1[loop] } / Double(accuracy.count) }
    for (group, name) in groups.enumerated() {
      values.append((name, accuracy[group][last]))
      for loop in 0..<loops { values.append(("\(name) loop \(loop + 1)", accuracy[group][loop])) }
    }
    values.append(("all", mean(last)))
    for loop in 0..<loops {
      values.append(("all loop \(loop + 1)", mean(loop)))
      values.append(("agreement \(loop + 1)", agreement[loop][last]))
    }
    for (index, change) in changes.enumerated() { values.append(("changes \(index + 2)", change)) }
    for (name, exit) in zip(groups, gateExits) { values.append(("gate-exit \(name)", exit)) }
    for exit in exits {
      values.append(("\(exit.rule) \(exit.threshold) loops", exit.meanLoops))
      values.append(("\(exit.rule) \(exit.threshold) accuracy", exit.accuracy))
    }
    return values
  }

  /// The value with this name.
  public func value(_ name: String) -> Double? { values.first { $0.name == name }?.value }

  /// Whether every group and loop has its numbers, as a file that was changed may not.
  public var isWhole: Bool {
    loops > 0 && groups.count == accuracy.count && accuracy.allSatisfy { $0.count == loops }
      && agreement.count == loops && agreement.allSatisfy { $0.count == loops }
  }

  /// The same to five decimals, as files hold it.
  public var rounded: TaskEvaluation {
    func round(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
    var result = self
    result.accuracy = accuracy.map { $0.map(round) }
    result.agreement = agreement.map { $0.map(round) }
    result.changes = changes.map(round)
    result.gateExits = gateExits.map(round)
    for place in exits.indices {
      result.exits[place].meanLoops = round(exits[place].meanLoops)
      result.exits[place].accuracy = round(exits[place].accuracy)
    }
    return result
  }

  static let gateThresholds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
  static let changeThresholds = [1.2, 1, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]

  /// An evaluation without measurements: what names there are.
  init(blank recipe: TaskRecipe) {
    let (groups, loops) = (recipe.groups, recipe.loops)
    (seed, parameters, steps, questions) = (recipe.seed, 0, recipe.steps, recipe.questions)
    self.groups = groups
    accuracy = Array(repeating: Array(repeating: 0, count: loops), count: groups.count)
    agreement = Array(repeating: Array(repeating: 0, count: loops), count: loops)
    changes = Array(repeating: 0, count: loops - 1)
    gateExits = loops > 1 ? Array(repeating: 0, count: groups.count) : []
    exits = []
    guard loops > 1 else { return }
    func add(_ rule: String, _ thresholds: [Double]) {
      exits += thresholds.map { Exit(rule: rule, threshold: $0, meanLoops: 0, accuracy: 0) }
    }
    add("gate", Self.gateThresholds)
    add("change", Self.changeThresholds)
    add("fixed", (1...loops).map(Double.init))
  }
}
