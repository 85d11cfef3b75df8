import Construction

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Position codes on the circle: node i, counted from 1, is (sin iδ, cos iδ). Two numbers, whatever the number of nodes.
///
/// The angle δ is a property of the input, not of the weights: pointers are copies of table rows, never rotated, so that
/// a pointer equals the code it points to bit for bit. (The paper rotates pointers and rounds them in two layers.)
public struct CircleCode: Equatable, Sendable {
  public let angle: Double
  public let range: ExactRange

  /// - Parameter angle: δ; by default the largest one that keeps positions 0…count apart, 2π/(count + 1).
  /// - Throws: `PaperGraphError.tooManyPositions` or `.temperature` if attention could not tell two codes apart.
  public init(count: Int, angle: Double? = nil, range: ExactRange, attention: Attention) throws {
    self.angle = angle ?? 2 * Double.pi / Double(count + 1)
    self.range = range
    guard self.angle > 0, count <= capacity else {
      throw PaperGraphError.tooManyPositions(count, limit: max(capacity, 0), range: range)
    }
    guard case .softmax(let lambda) = attention else { return }
    let needed = Self.neededInverseTemperature(angle: self.angle, range: range)
    guard lambda >= needed else {
      throw PaperGraphError.temperature(lambda, needed: needed, count: count, range: range)
    }
  }

  /// A code that may not be able to do its work, for measuring where that begins.
  init(uncheckedAngle angle: Double, range: ExactRange) {
    self.angle = angle
    self.range = range
  }

  /// The most positions that are distinct, ⌊2π/δ⌋ − 1, and that rounding cannot confuse.
  ///
  /// A score s·s′ + c·c′ is computed with an error of at most 4u: 2u from the rounded table, u from the products, u from
  /// the sum (|s·s′| + |c·c′| ≤ 1). The own code scores 1 − 4u or more, a neighbour's cos δ + 4u or less, so 1 − cos δ
  /// must exceed 8u. Asking for 1 − cos δ ≥ 9u leaves room for second-order terms.
  public var capacity: Int {
    guard 2 * pow(sin(angle / 2), 2) >= 9 * range.unitRoundoff else { return 0 }
    // 2π/δ is an integer up to rounding if δ was made from one.
    return Int((2 * Double.pi / angle * (1 + 1e-12)).rounded(.down)) - 1
  }

  /// The largest count for which 2π/(count + 1) is a wide enough angle under hard attention.
  public static func largestCount(_ range: ExactRange) -> Int {
    Int(Double.pi / asin((4.5 * range.unitRoundoff).squareRoot())) - 1
  }

  /// The smallest λ whose softmax equals hard attention bit for bit: e^(−λ·gap) must vanish, where the gap is
  /// 1 − cos δ less the rounding of both scores, and at most 1 (the gap of the heads that do not look at codes).
  public static func neededInverseTemperature(angle: Double, range: ExactRange) -> Double {
    let gap = 2 * pow(sin(angle / 2), 2) - 8 * range.unitRoundoff
    return range.vanishingExponent / min(gap, 1)
  }

  /// The code of `position`, by direct evaluation: no error grows along the table.
  public subscript(position: Int) -> [Double] {
    [sin(Double(position) * angle), cos(Double(position) * angle)]
  }
}

/// Why a graph cannot be given to a paper network, or why its result cannot be believed.
public enum PaperGraphError: Error, Equatable, CustomStringConvertible {
  case algorithm(GraphAlgorithm, network: String)
  case source(Int, nodes: Int)
  case dataType(needed: ExactRange)
  case tooManyPositions(Int, limit: Int, range: ExactRange)
  case temperature(Double, needed: Double, count: Int, range: ExactRange)
  case weight(Double, source: String, target: String)
  case weightRange(largestSum: Double, limit: Double, range: ExactRange)
  case notTerminated(loops: Int)
  case precisionLoss(String)

  public var description: String {
    switch self {
    case .algorithm(let algorithm, let network): return "the \(network) network does not run \(algorithm)"
    case .source(let source, let nodes): return "there is no node \(source) among \(nodes)"
    case .dataType(let needed): return "this network is built for \(needed.name) and wider data types"
    case .tooManyPositions(let count, let limit, let range):
      return "\(count) position codes on the circle; \(range.name) keeps at most \(limit) apart at this angle"
        + "; hint: a smaller graph" + (range == .float64 ? "" : ", or float64")
    case .temperature(let lambda, let needed, let count, let range):
      return "λ = \(lambda) does not select one of \(count) nodes exactly in \(range.name)"
        + "; hint: λ of at least \(needed.rounded(.up)), or hard attention"
    case .weight(let weight, let source, let target):
      return "the edge from \(source) to \(target) weighs \(weight)"
        + "; hint: this network needs finite weights that are not negative"
    case .weightRange(let sum, let limit, let range):
      return "paths may weigh \(sum) units, where \(range.name) is exact below \(limit)"
        + "; hint: weights that are multiples of a coarser power of two"
        + (range == .float64 ? "" : ", or float64")
    case .notTerminated(let loops): return "the network has not terminated after \(loops) loops"
    case .precisionLoss(let what):
      return "\(what) is not an exact integer; hint: hard attention, or a larger λ"
    }
  }
}
