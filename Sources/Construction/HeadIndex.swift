/// Finds columns by their packed ±1 code: a chained table, one list of columns per code.
struct HeadIndex: Sendable {
  /// The code of each column: bit i is set where entry i is +1; `none` for an all-zero vector.
  private(set) var codes: [UInt64]
  private var heads: [UInt64: Int32] = [:]
  private var flatHeads: [Int32]
  private var next: [Int32]
  private var previous: [Int32]

  static let none = UInt64.max

  /// - Parameter dimension: the length of a code. Up to 18 the table is a flat array of 2^dimension entries.
  init(columnCount: Int, dimension: Int) {
    codes = Array(repeating: Self.none, count: columnCount)
    flatHeads = dimension <= 18 ? Array(repeating: -1, count: 1 << dimension) : []
    next = Array(repeating: -1, count: columnCount)
    previous = next
  }

  /// The first column with `code`, or -1. Follow `after(_:)` for the others. Complexity: O(1).
  @inline(__always)
  func first(_ code: UInt64) -> Int32 {
    flatHeads.isEmpty ? heads[code] ?? -1 : flatHeads[Int(code)]
  }

  @inline(__always)
  func after(_ column: Int32) -> Int32 { next[Int(column)] }

  private mutating func setFirst(_ code: UInt64, _ column: Int32) {
    if flatHeads.isEmpty { heads[code] = column < 0 ? nil : column } else { flatHeads[Int(code)] = column }
  }

  /// Moves `column` to `code`. Complexity: O(1).
  mutating func update(_ column: Int, to code: UInt64) {
    let old = codes[column]
    guard old != code else { return }
    if old != Self.none {
      let (before, behind) = (previous[column], next[column])
      if before >= 0 { next[Int(before)] = behind } else { setFirst(old, behind) }
      if behind >= 0 { previous[Int(behind)] = before }
    }
    codes[column] = code
    guard code != Self.none else { return }
    let head = first(code)
    next[column] = head
    previous[column] = -1
    if head >= 0 { previous[Int(head)] = Int32(column) }
    setFirst(code, Int32(column))
  }
}
