/// The graph that graph heads see: which columns are joined, and how strongly. Part of the input, like the punch card;
/// the weights of a network never depend on it.
///
/// Memory: O(columns + edges).
public struct ColumnGraph: Equatable, Sendable {
  public struct Edge: Equatable, Sendable {
    public var source: Int
    public var target: Int
    public var weight: Double

    public init(source: Int, target: Int, weight: Double = 1) {
      self.source = source
      self.target = target
      self.weight = weight
    }
  }

  /// One direction in compressed rows: column j is joined to `columns[starts[j] ..< starts[j + 1]]`, ascending.
  public struct Adjacency: Equatable, Sendable {
    public let starts: [Int32]
    public let columns: [Int32]
    public let weights: [Double]

    public func range(_ column: Int) -> Range<Int> { Int(starts[column])..<Int(starts[column + 1]) }
  }

  public let columnCount: Int
  /// For each column the sources of its incoming edges.
  public let incoming: Adjacency
  /// For each column the targets of its outgoing edges.
  public let outgoing: Adjacency

  /// - Parameter edges: at most one from any column to any other; self-loops are allowed.
  /// - Complexity: O(columns + edges · log edges).
  public init(columnCount: Int, edges: [Edge]) {
    self.columnCount = columnCount
    precondition(
      edges.allSatisfy { (0..<columnCount).contains($0.source) && (0..<columnCount).contains($0.target) })
    incoming = Self.compress(edges.map { ($0.target, $0.source, $0.weight) }, columnCount)
    outgoing = Self.compress(edges.map { ($0.source, $0.target, $0.weight) }, columnCount)
  }

  private static func compress(_ edges: [(Int, Int, Double)], _ columnCount: Int) -> Adjacency {
    let sorted = edges.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    precondition(
      zip(sorted, sorted.dropFirst()).allSatisfy { $0.0 != $1.0 || $0.1 != $1.1 },
      "two edges join the same columns")
    var starts = [Int32](repeating: 0, count: columnCount + 1)
    for edge in sorted { starts[edge.0 + 1] += 1 }
    for column in 0..<columnCount { starts[column + 1] += starts[column] }
    return Adjacency(starts: starts, columns: sorted.map { Int32($0.1) }, weights: sorted.map(\.2))
  }

  public func adjacency(_ direction: GraphMixing.Direction) -> Adjacency {
    direction == .alongEdges ? incoming : outgoing
  }
}
