extension TaskEvaluation {
  /// Everything that claims and tables may name; `nil` where a curve does not reach.
  ///
  /// Right answers: "operations 4", "operations 4 loop 2", "all", "all loop 2"; losses: "loss operations 4", "loss
  /// operations 4 loop 2"; agreement: "agreement 2" with the last loop, "agreement 2 3" of two; "changes 2"; leaving
  /// early: "gate-exit operations 4", "gate 0.5 loops", "gate 0.5 accuracy", "gate 0.5 loss", and between thresholds
  /// "gate accuracy at 2.5 loops", "gate loss at 2.5 loops"; knowledge: "bits", "bits loop 2", "bits per parameter",
  /// "bits per parameter loop 2".
  public var values: [(name: String, value: Double?)] {
    let last = loops - 1
    guard last >= 0 else { return [] }
    var values: [(name: String, value: Double?)] = []
    func mean(_ loop: Int) -> Double { accuracy.reduce(0) { $0 + $1[loop] } / Double(accuracy.count) }
    for (group, name) in groups.enumerated() {
      values.append((name, accuracy[group][last]))
      values.append(("loss \(name)", losses[group][last]))
      for loop in 0..<loops {
        values.append(("\(name) loop \(loop + 1)", accuracy[group][loop]))
        values.append(("loss \(name) loop \(loop + 1)", losses[group][loop]))
      }
    }
    values.append(("all", mean(last)))
    for loop in 0..<loops {
      values.append(("all loop \(loop + 1)", mean(loop)))
      values.append(("agreement \(loop + 1)", agreement[loop][last]))
      for other in loop + 1..<max(loops, loop + 1) {
        values.append(("agreement \(loop + 1) \(other + 1)", agreement[loop][other]))
      }
    }
    for (index, change) in changes.enumerated() { values.append(("changes \(index + 2)", change)) }
    for (name, exit) in zip(groups, gateExits) { values.append(("gate-exit \(name)", exit)) }
    if let known = bits.last {
      values.append(("bits", known))
      values.append(("bits per parameter", known / Double(parameters)))
      for (loop, known) in bits.enumerated() {
        values.append(("bits loop \(loop + 1)", known))
        values.append(("bits per parameter loop \(loop + 1)", known / Double(parameters)))
      }
    }
    return values + exitValues
  }

  private var exitValues: [(name: String, value: Double?)] {
    var values: [(name: String, value: Double?)] = []
    for exit in exits {
      values.append(("\(exit.rule) \(exit.threshold) loops", exit.meanLoops))
      values.append(("\(exit.rule) \(exit.threshold) accuracy", exit.accuracy))
      values.append(("\(exit.rule) \(exit.threshold) loss", exit.loss))
    }
    guard loops > 1 else { return values }
    for rule in Rule.allCases {
      for loops in stride(from: 1.5, through: Double(loops), by: 0.5) {
        let number = loops == loops.rounded() ? "\(Int(loops))" : "\(loops)"
        values.append(("\(rule) accuracy at \(number) loops", value(of: \.accuracy, rule, at: loops)))
        values.append(("\(rule) loss at \(number) loops", value(of: \.loss, rule, at: loops)))
      }
    }
    return values
  }

  /// What a rule gives where it takes so many loops on average: linearly between the two thresholds around, which is what
  /// a coin that chooses between them gives. `nil` where no threshold takes as few or as many.
  func value(of path: KeyPath<Exit, Double>, _ rule: Rule, at loops: Double) -> Double? {
    let curve = exits.filter { $0.rule == rule }.sorted { $0.meanLoops < $1.meanLoops }
    guard let after = curve.firstIndex(where: { $0.meanLoops >= loops }) else { return nil }
    let high = curve[after]
    guard high.meanLoops > loops else { return high[keyPath: path] }
    guard after > 0 else { return nil }
    let low = curve[after - 1]
    let share = (loops - low.meanLoops) / (high.meanLoops - low.meanLoops)
    return low[keyPath: path] * (1 - share) + high[keyPath: path] * share
  }

  /// The value with this name.
  public func value(_ name: String) -> Double? { values.first { $0.name == name }?.value }
}
