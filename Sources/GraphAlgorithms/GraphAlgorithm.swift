/// What can be asked of a graph.
public enum GraphAlgorithm: String, CaseIterable, Codable, Sendable {
  /// Shortest paths from a source, no negative weights; ties go to the lowest node.
  case dijkstra
  /// Breadth-first search from a source.
  case bfs
  /// Depth-first search from a source, neighbours ascending, restarted at the lowest unvisited node.
  case dfs
  /// Strongly connected components (Kosaraju).
  case scc
  /// Connected components, edges taken both ways.
  case components
  /// A topological order, or a node on a cycle.
  case topologicalOrder = "toposort"
  /// Minimum spanning forest (Prim), edges taken both ways.
  case minimumSpanningTree = "mst"
  /// Shortest paths with negative weights, or a negative cycle.
  case bellmanFord = "bellman-ford"
  /// PageRank.
  case pageRank = "pagerank"

  public var needsSource: Bool {
    switch self {
    case .dijkstra, .bfs, .bellmanFord: true
    default: false
    }
  }
}

/// What an algorithm found, whoever ran it: a network, or the plain Swift reference. Fields an algorithm does not
/// compute are `nil`; arrays have one entry per node.
public struct GraphResult: Equatable, Sendable {
  /// From the source, or the weight of the tree edge (mst); infinite where there is no path.
  public var distances: [Double]?
  /// The node before, or the node itself for roots and unreached nodes.
  public var predecessors: [Int]?
  /// Nodes in the order they were visited; for toposort, a topological order.
  public var order: [Int]?
  /// The lowest node or the root that stands for each node's component.
  public var components: [Int]?
  /// PageRank scores, summing to 1.
  public var ranks: [Double]?
  /// Nodes of a cycle (negative for bellman-ford, any for toposort), in its order, each once.
  public var cycle: [Int]?

  public init() {}
}
