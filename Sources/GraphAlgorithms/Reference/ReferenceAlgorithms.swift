/// The textbook algorithms in plain Swift: what the networks must equal.
///
/// All work on `Graph.arcs` (of parallel edges the lightest counts), in the arithmetic of `Scalar`, and break ties the
/// same way every time: the lowest node first, a value is replaced by a strictly better one only. The predecessor of a
/// root and of a node that was not reached is the node itself; the distance of the latter is infinite.
///
/// The caller checks the graph first: these functions trust it.
public struct ReferenceAlgorithms<Scalar: BinaryFloatingPoint> {
  public typealias Observer = (GraphEvent) -> Void

  let graph: Graph
  let observe: Observer?
  var nodeCount: Int { graph.nodeCount }

  /// - Parameter observe: is told of every step; costs time.
  public init(_ graph: Graph, observe: Observer? = nil) {
    self.graph = graph
    self.observe = observe
  }

  /// - Parameter source: a node; where the algorithm needs none, where a depth-first search starts.
  public func run(_ algorithm: GraphAlgorithm, source: Int = 0) -> GraphResult {
    switch algorithm {
    case .dijkstra: dijkstra(from: source)
    case .bfs: breadthFirstSearch(from: source)
    case .dfs: depthFirstSearch(from: source)
    case .scc: stronglyConnectedComponents()
    case .components: connectedComponents()
    case .topologicalOrder: topologicalOrder()
    case .minimumSpanningTree: minimumSpanningTree()
    case .bellmanFord: bellmanFord(from: source)
    case .pageRank: pageRank()
    }
  }
}

extension GraphAlgorithm {
  /// Runs the plain Swift algorithm in float32 or float64.
  ///
  /// - Complexity: O((nodes + edges) log nodes), but bellman-ford O(nodes · edges) at worst, pagerank O(edges) per
  ///   iteration. Memory O(nodes + edges).
  public func reference(
    _ graph: Graph, source: Int = 0, isFloat32: Bool = false, observe: ((GraphEvent) -> Void)? = nil
  ) -> GraphResult {
    // Concrete types here, so that the generic code is specialised in this module.
    isFloat32
      ? ReferenceAlgorithms<Float>(graph, observe: observe).run(self, source: source)
      : ReferenceAlgorithms<Double>(graph, observe: observe).run(self, source: source)
  }
}
