/// A directed or undirected graph with weighted edges, as it was read: self-loops and parallel edges included.
///
/// Nodes are 0 ..< nodeCount. Memory: O(nodes + edges).
public struct Graph: Equatable, Sendable {
  public struct Edge: Equatable, Sendable {
    public var source: Int
    public var target: Int
    public var weight: Double

    public init(_ source: Int, _ target: Int, weight: Double = 1) {
      self.source = source
      self.target = target
      self.weight = weight
    }
  }

  public var nodeCount: Int
  public var isDirected: Bool
  /// In an undirected graph each edge is listed once.
  public var edges: [Edge]
  /// What the file calls the nodes; empty if it numbers them from 0.
  public var names: [String]

  public init(nodeCount: Int, isDirected: Bool = true, edges: [Edge], names: [String] = []) {
    precondition(names.isEmpty || names.count == nodeCount, "\(names.count) names for \(nodeCount) nodes")
    self.nodeCount = nodeCount
    self.isDirected = isDirected
    self.edges = edges
    self.names = names
  }

  public func name(_ node: Int) -> String { names.isEmpty ? String(node) : names[node] }

  /// Every edge in the direction in which it can be walked, at most one from any node to any other, the lightest of
  /// parallel ones, sorted by source and target.
  /// - Complexity: O(edges · log edges).
  public var arcs: [Edge] {
    var both = edges
    if !isDirected { both += edges.map { Edge($0.target, $0.source, weight: $0.weight) } }
    both.sort { ($0.source, $0.target, $0.weight) < ($1.source, $1.target, $1.weight) }
    var arcs: [Edge] = []
    arcs.reserveCapacity(both.count)
    for edge in both where arcs.last?.source != edge.source || arcs.last?.target != edge.target {
      arcs.append(edge)
    }
    return arcs
  }
}
