/// The state that is carried through the loop: a matrix of `width` rows and `columnCount` columns (tokens).
///
/// Stored column by column. Writes from outside the network are remembered until the next pass, so that an executor
/// that recomputes only what changed sees them.
public struct ResidualStream<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  public let width: Int
  public let columnCount: Int
  public internal(set) var storage: [Scalar]
  /// Columns written since the last pass; `nil` means all of them.
  var touched: [Int]?

  public init(width: Int, columnCount: Int) {
    self.width = width
    self.columnCount = columnCount
    storage = [Scalar](repeating: 0, count: width * columnCount)
  }

  /// The entry of `row` in `column`. Complexity: O(1).
  public subscript(row: Int, column: Int) -> Scalar {
    get { storage[column * width + row] }
    set {
      storage[column * width + row] = newValue
      if touched != nil && touched!.last != column { touched!.append(column) }
    }
  }

  /// The rows of `field` in `column`.
  public subscript(field: Field, column: Int) -> [Scalar] {
    get {
      Array(storage[(column * width + field.rows.lowerBound)..<(column * width + field.rows.upperBound)])
    }
    set {
      precondition(newValue.count == field.count, "\(field.name) has \(field.count) rows")
      for (index, value) in newValue.enumerated() { self[field[index], column] = value }
    }
  }
}

extension ResidualStream {
  /// The number whose bits, least significant first, are the ±1 entries of `rows` in `column`; `nil` if an entry is
  /// not exactly ±1. Complexity: O(rows), up to 63.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func code(in rows: Range<Int>, column: Int) -> Int? {
    let base = column * width
    return storage.withUnsafeBufferPointer { storage in
      var value = 0
      var isExact = true
      for (bit, row) in rows.enumerated() {
        let entry = storage[base + row]
        value |= (entry == 1 ? 1 : 0) << bit
        isExact = isExact && (entry == 1 || entry == -1)
      }
      return isExact ? value : nil
    }
  }

  /// The inverse of `code(in:column:)`: writes the low bits of `number` as ±1.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public mutating func setCode(_ number: Int, in rows: Range<Int>, column: Int) {
    for (bit, row) in rows.enumerated() { self[row, column] = (number >> bit) & 1 == 1 ? 1 : -1 }
  }
}

extension ResidualStream: Equatable {
  /// Equal entries; which columns were touched does not count.
  public static func == (left: Self, right: Self) -> Bool {
    left.width == right.width && left.storage == right.storage
  }
}
