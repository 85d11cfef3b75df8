/// The integers a paper network computes with in one data type, and the three constants that follow from them.
///
/// Every number in the state but the position codes is an integer of magnitude at most 2^significandBits, so every sum
/// is exact in any order of summation. The constants are weights: a network is built for a data type, never for a graph.
public struct ExactRange: Hashable, Sendable {
  public let name: String
  /// Bits of the significand, the hidden one included.
  public let significandBits: Int
  /// Largest exponent k of the node limit 2^k that the averaging gadget is built for.
  let nodeBits: Int
  /// λ times the gap between the two largest scores must reach this, so that every weight but the winners' is exactly
  /// zero: e^−x rounds to 0 if it is below half the smallest positive number (2^−149 or 2^−1074).
  public let vanishingExponent: Double

  public static let float32 = ExactRange(
    name: "float32", significandBits: 24, nodeBits: 13, vanishingExponent: 104)
  public static let float64 = ExactRange(
    name: "float64", significandBits: 53, nodeBits: 28, vanishingExponent: 746)

  /// The range whose integers `Scalar` holds; `nil` for types narrower than float32.
  public static func of<Scalar: BinaryFloatingPoint>(_ scalar: Scalar.Type) -> ExactRange? {
    let bits = Scalar.significandBitCount + 1
    return bits >= 53 ? .float64 : bits >= 24 ? .float32 : nil
  }

  /// Ω, "infinite": above every finite key. A quarter of the largest exact integer, because the largest sum any gadget
  /// forms is 4Ω.
  public var infinity: Double { Double(sign: .plus, exponent: significandBits - 2, significand: 1) }
  /// What the average over all nodes is multiplied by before it closes a gate: a single node of 2^nodeBits that is not
  /// ready makes −4Ω of it, which no sum in a gate exceeds.
  var gain: Double { Double(sign: .plus, exponent: significandBits + nodeBits, significand: 1) }
  /// Half the distance from 1 to the next number.
  public var unitRoundoff: Double { Double(sign: .plus, exponent: -significandBits, significand: 1) }
}
