import Foundation
import Tensors

/// A mean over prompts at every position (or after every loop), with a band that says how sure it is.
public struct Curve: Codable, Equatable, Sendable {
  public var name: String
  /// Of the prompts' squared errors over the normaliser; `nil` where nothing was measured.
  public var mean: [Double?]
  /// The 5th and 95th percentile of the mean under resampling of the prompts.
  public var low: [Double?]
  public var high: [Double?]
  public var prompts: Int

  /// - Parameters:
  ///   - errors: [prompt][position], already divided by the normaliser; NaN for what was left out.
  ///   - resamples: 0 for no band.
  public init(_ name: String, errors: [[Double]], resamples: Int = 1000, random: RandomStream) {
    self.name = name
    prompts = errors.count
    let positions = errors.first?.count ?? 0
    func mean(_ rows: [Int], _ position: Int) -> Double {
      rows.reduce(0) { $0 + errors[$1][position] } / Double(max(rows.count, 1))
    }
    func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
    let all = Array(errors.indices)
    let means = (0..<positions).map { mean(all, $0) }
    self.mean = means.map(finite)
    guard resamples > 0, errors.count > 1 else {
      (low, high) = (self.mean, self.mean)
      return
    }
    // The same resampled prompts for all positions, as one figure would have.
    var random = random
    let draws = (0..<resamples).map { _ in
      errors.indices.map { _ in UInt32(truncatingIfNeeded: random.next() % UInt64(errors.count)) }
    }
    let bands = mapOnAllThreads(Array(0..<positions)) { position -> (Double?, Double?) in
      guard means[position].isFinite else { return (nil, nil) }
      let column = errors.map { $0[position] }
      let sorted = draws.map { draw in
        draw.reduce(0) { $0 + column[Int($1)] } / Double(draw.count)
      }.sorted()
      let place = { (share: Double) in sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
      return (finite(place(0.05)), finite(place(0.95)))
    }
    low = bands.map(\.0)
    high = bands.map(\.1)
  }
}
