/// Finds columns by their packed ±1 code: a chained table, one list of columns per code.
final class HeadIndex {
  /// The code of each column: bit i is set where entry i is +1; `none` for an all-zero vector.
  let codes: UnsafeMutablePointer<UInt64>
  private let flatHeads: UnsafeMutablePointer<Int32>?
  private var heads: [UInt64: Int32] = [:]
  private let next: UnsafeMutablePointer<Int32>
  private let previous: UnsafeMutablePointer<Int32>

  static let none = UInt64.max

  /// - Parameter dimension: the length of a code. Up to 20 the table is a flat array of 2^dimension entries.
  init(columnCount: Int, dimension: Int) {
    codes = .allocate(capacity: columnCount)
    codes.initialize(repeating: Self.none, count: columnCount)
    next = .allocate(capacity: columnCount)
    next.initialize(repeating: -1, count: columnCount)
    previous = .allocate(capacity: columnCount)
    previous.initialize(repeating: -1, count: columnCount)
    if dimension <= 20 {
      flatHeads = .allocate(capacity: 1 << dimension)
      flatHeads!.initialize(repeating: -1, count: 1 << dimension)
    } else {
      flatHeads = nil
    }
  }

  deinit {
    codes.deallocate()
    next.deallocate()
    previous.deallocate()
    flatHeads?.deallocate()
  }

  /// The first column with `code`, or -1. Follow `after(_:)` for the others. Complexity: O(1).
  @inline(__always)
  func first(_ code: UInt64) -> Int32 {
    if let flatHeads { flatHeads[Int(code)] } else { heads[code] ?? -1 }
  }

  @inline(__always)
  func after(_ column: Int32) -> Int32 { next[Int(column)] }

  private func setFirst(_ code: UInt64, _ column: Int32) {
    if let flatHeads { flatHeads[Int(code)] = column } else { heads[code] = column < 0 ? nil : column }
  }

  /// Moves `column` to `code`. Complexity: O(1).
  func update(_ column: Int, to code: UInt64) {
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
