/// An affine function of one column of the residual stream: Σ coefficient·row + constant.
///
/// Every weight of a constructed network is written as one of these, so the code reads like the mathematics:
/// `2 * bit(3) - carry + 1`.
public struct LinearForm: Equatable, Sendable {
  /// Coefficients by row; zero coefficients are not kept.
  public private(set) var coefficients: [Int: Double]
  public var constant: Double

  public init(coefficients: [Int: Double] = [:], constant: Double = 0) {
    self.coefficients = coefficients.filter { $0.value != 0 }
    self.constant = constant
  }

  /// The value of one row.
  public static func row(_ row: Int) -> LinearForm { LinearForm(coefficients: [row: 1]) }

  /// The terms in row order.
  public var terms: [Term] {
    coefficients.sorted { $0.key < $1.key }.map { Term(row: $0.key, coefficient: $0.value) }
  }

  public static func + (left: LinearForm, right: LinearForm) -> LinearForm {
    LinearForm(
      coefficients: left.coefficients.merging(right.coefficients, uniquingKeysWith: +),
      constant: left.constant + right.constant)
  }

  public static func * (factor: Double, form: LinearForm) -> LinearForm {
    LinearForm(coefficients: form.coefficients.mapValues { factor * $0 }, constant: factor * form.constant)
  }

  public static func - (left: LinearForm, right: LinearForm) -> LinearForm { left + -1 * right }
  public static prefix func - (form: LinearForm) -> LinearForm { -1 * form }
  public static func + (left: LinearForm, right: Double) -> LinearForm { left + LinearForm(constant: right) }
  public static func - (left: LinearForm, right: Double) -> LinearForm { left + -right }
}

/// One non-zero entry of a weight matrix row.
public struct Term: Hashable, Sendable {
  public var row: Int
  public var coefficient: Double

  public init(row: Int, coefficient: Double) {
    self.row = row
    self.coefficient = coefficient
  }
}

/// A weight matrix given by the non-zero entries of each of its rows.
public struct SparseMatrix: Equatable, Sendable {
  public var rows: [[Term]]
  public var columnCount: Int

  public init(rows: [[Term]], columnCount: Int) {
    self.rows = rows
    self.columnCount = columnCount
  }

  public var rowCount: Int { rows.count }
  public var nonZeroCount: Int { rows.reduce(0) { $0 + $1.count } }

  /// Row-major dense copy, `rowCount × columnCount`.
  public func dense() -> [Double] {
    var entries = [Double](repeating: 0, count: rowCount * columnCount)
    for (index, row) in rows.enumerated() {
      for term in row { entries[index * columnCount + term.row] += term.coefficient }
    }
    return entries
  }
}
