/// How long passes of so many rows take, measured while decoding.
///
/// Reading the weights is most of a short pass, so that more rows cost little until arithmetic takes over; where that
/// is depends on the machine and on the format of the weights.
public struct PassCost: Equatable, Sendable {
  /// [rows - 1], 0 where nothing was measured.
  private var seconds = [Double](repeating: 0, count: LoopExecutor.decodeRows)
  /// Of a readout of one row.
  public private(set) var readoutSeconds = 0.0
  /// What another row is thought to add before it was measured, as a part of the pass.
  private static let slope = 0.04
  private static let weight = 0.1

  public init() {}

  mutating func note(rows: Int, seconds measured: Double) {
    guard (1...seconds.count).contains(rows), measured > 0 else { return }
    seconds[rows - 1] = Self.average(seconds[rows - 1], measured)
  }

  /// - Parameter rows: of the readout; more rows read the matrix as often as one.
  mutating func noteReadout(seconds measured: Double) {
    readoutSeconds = Self.average(readoutSeconds, measured)
  }

  /// One pass that was interrupted must not count for the hundred that follow.
  private static func average(_ old: Double, _ new: Double) -> Double {
    old == 0 ? new : old + weight * (min(new, 2 * old) - old)
  }

  /// The time of a pass of so many rows: measured, or between the neighbours that were, or a guess from the nearest.
  public func passSeconds(rows: Int) -> Double {
    let rows = min(max(rows, 1), seconds.count)
    if seconds[rows - 1] > 0 { return seconds[rows - 1] }
    let below = (1..<rows).last { seconds[$0 - 1] > 0 }
    let above = (rows...seconds.count).first { seconds[$0 - 1] > 0 }
    switch (below, above) {
    case (let low?, let high?):
      let part = Double(rows - low) / Double(high - low)
      return seconds[low - 1] + part * (seconds[high - 1] - seconds[low - 1])
    case (let low?, nil): return seconds[low - 1] * (1 + Self.slope * Double(rows - low))
    case (nil, let high?): return seconds[high - 1] / (1 + Self.slope * Double(high - rows))
    case (nil, nil): return 1 + Self.slope * Double(rows - 1)
    }
  }

  /// The number of rows that gives the most useful rows per second.
  /// - Parameter likelihoods: how likely each row is to be useful, falling; the first `least` always run.
  func bestCount(_ likelihoods: [Double], least: Int) -> Int {
    var (best, bestRate, useful) = (least, 0.0, 0.0)
    for (i, likelihood) in likelihoods.enumerated() {
      useful += likelihood
      let rate = useful / passSeconds(rows: i + 1)
      if i + 1 >= least, rate > bestRate { (best, bestRate) = (i + 1, rate) }
    }
    return best
  }
}
