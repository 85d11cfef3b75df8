/// A block of consecutive rows of the residual stream, with a name.
///
/// Constructions address rows through fields (`layout["program counter"]`), never through numbers.
public struct Field: Hashable, Sendable {
  public let name: String
  public let rows: Range<Int>
  /// The largest magnitude a row of this field takes in any column, between any two layers.
  public let bound: Double

  public var count: Int { rows.count }

  /// The stream row that holds element `index` of the field.
  public subscript(index: Int) -> Int {
    precondition(
      rows.indices.contains(rows.lowerBound + index), "\(name) has \(count) rows, not \(index + 1)")
    return rows.lowerBound + index
  }

  /// Some of the rows, for a block that different layers divide differently.
  public func part(_ name: String, from first: Int, rows count: Int) -> Field {
    precondition(
      first >= 0 && count >= 0 && first + count <= self.count, "\(self.name) has \(self.count) rows")
    let start = rows.lowerBound + first
    return Field(name: "\(self.name) \(name)", rows: start..<(start + count), bound: bound)
  }
}

/// The rows of a constructed network's residual stream: disjoint named fields, in the order they were added.
public struct ResidualLayout: Sendable {
  public private(set) var fields: [Field] = []
  /// The row that is 1 on scratchpad columns and 0 elsewhere, once one was added.
  public private(set) var indicator: Int?

  public init() {}

  /// The number of rows.
  public var width: Int { fields.last?.rows.upperBound ?? 0 }

  /// Appends a field of `count` rows whose values stay in `-bound...bound`.
  public mutating func add(_ name: String, rows count: Int, bound: Double = 1) -> Field {
    precondition(!fields.contains { $0.name == name }, "two fields named \(name)")
    let field = Field(name: name, rows: width..<(width + count), bound: bound)
    fields.append(field)
    return field
  }

  /// Appends the one-row field that tells scratchpad columns (1) from all others (0).
  public mutating func addIndicator(_ name: String = "scratchpad indicator") -> Field {
    let field = add(name, rows: 1)
    indicator = field[0]
    return field
  }

  public subscript(name: String) -> Field? { fields.first { $0.name == name } }

  /// `"program counter.3"` for row 3 of that field, `"name"` for a field of one row.
  public func label(ofRow row: Int) -> String {
    guard let field = fields.first(where: { $0.rows.contains(row) }) else { return "row \(row)" }
    return field.count == 1 ? field.name : "\(field.name).\(row - field.rows.lowerBound)"
  }

  /// The bound of every row, in order.
  public var bounds: [Double] { fields.flatMap { Array(repeating: $0.bound, count: $0.count) } }
}
