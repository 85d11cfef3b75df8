import Construction

/// Numbers as vectors of ±1: bit i (least significant first) is +1 where it is set.
enum BitCode {
  static func encode<Scalar: BinaryFloatingPoint>(_ value: Int, bits: Int) -> [Scalar] {
    (0..<bits).map { (value >> $0) & 1 == 1 ? 1 : -1 }
  }

  /// The low bits as an unsigned number, or `nil` if an entry is not exactly ±1.
  static func decode<Scalar: BinaryFloatingPoint>(_ code: some Sequence<Scalar>) -> Int? {
    var value = 0
    for (index, entry) in code.enumerated() {
      if entry == 1 { value |= 1 << index } else if entry != -1 { return nil }
    }
    return value
  }

  /// ⌈log₂ count⌉, at least 1.
  static func width(for count: Int) -> Int {
    max(1, Int.bitWidth - (max(count, 2) - 1).leadingZeroBitCount)
  }
}
