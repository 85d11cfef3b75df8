/// How long passes of so many rows take, measured while decoding.
///
/// Reading the weights is most of a short pass, so that more rows cost little until arithmetic takes over; where that
/// is depends on the machine and on the format of the weights.
public struct PassCost: Equatable, Sendable {
  private struct Average: Equatable {
    var seconds = 0.0
    /// The number of the pass that was last counted.
    var pass = 0

    /// One pass that was interrupted must not count for the hundred that follow.
    mutating func note(_ measured: Double) {
      seconds = seconds == 0 ? measured : seconds + 0.1 * (min(measured, 2 * seconds) - seconds)
    }
  }

  /// [rows - 1].
  private var averages = [Average](repeating: Average(), count: LoopExecutor.decodeRows)
  private var passes = 0
  private var readout = Average()
  private var choice = Average()
  /// What another row is thought to add before it was measured, as a part of the pass.
  private static let slope = 0.04
  /// What was measured so many passes ago is forgotten: a number of rows that seemed slow once is tried again.
  private static let memory = 200

  public init() {}

  /// Of a readout, however few its rows are.
  public var readoutSeconds: Double { readout.seconds }
  /// Of naming the likeliest tokens of one row that was read out.
  public var choiceSeconds: Double { choice.seconds }

  package mutating func note(rows: Int, seconds measured: Double) {
    guard (1...averages.count).contains(rows), measured > 0 else { return }
    passes += 1
    averages[rows - 1].note(measured)
    averages[rows - 1].pass = passes
  }

  package mutating func noteReadout(seconds measured: Double) { readout.note(measured) }

  package mutating func noteChoice(seconds measured: Double) { choice.note(measured) }

  private func measured(_ rows: Int) -> Double? {
    let average = averages[rows - 1]
    return average.seconds > 0 && passes - average.pass <= Self.memory ? average.seconds : nil
  }

  /// The time of a pass of so many rows: measured, or between the neighbours that were, or a guess from the nearest. No
  /// more than what was measured with more rows.
  public func passSeconds(rows: Int) -> Double {
    let rows = min(max(rows, 1), averages.count)
    let above = (rows...averages.count).compactMap { n in measured(n).map { (rows: n, seconds: $0) } }
      .min { $0.seconds < $1.seconds }
    if let own = measured(rows) { return min(own, above?.seconds ?? own) }
    let below = (1..<rows).last { measured($0) != nil }.map { (rows: $0, seconds: measured($0) ?? 0) }
    switch (below, above) {
    case (let low?, let high?):
      let part = Double(rows - low.rows) / Double(high.rows - low.rows)
      return min(low.seconds, high.seconds) + part * max(high.seconds - low.seconds, 0)
    case (let low?, nil): return low.seconds * (1 + Self.slope * Double(rows - low.rows))
    case (nil, let high?): return high.seconds / (1 + Self.slope * Double(high.rows - rows))
    case (nil, nil): return 1 + Self.slope * Double(rows - 1)
    }
  }

  /// The number of rows that gives the most useful rows per second.
  /// - Parameter likelihoods: how likely each row is to be useful, falling; the first `least` always run.
  package func bestCount(_ likelihoods: [Double], least: Int) -> Int {
    var (best, bestRate, useful) = (least, 0.0, 0.0)
    for (i, likelihood) in likelihoods.enumerated() {
      useful += likelihood
      let rate = useful / (passSeconds(rows: i + 1) + readoutSeconds + Double(i + 1) * choiceSeconds)
      if i + 1 >= least, rate > bestRate { (best, bestRate) = (i + 1, rate) }
    }
    return best
  }
}
