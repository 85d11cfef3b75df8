import Construction

/// Shortest paths from a source, weights not negative: one loop extracts one node, four layers.
///
/// See `CompactRelaxation` for the layers. Unreached nodes keep the distance 2^96, which is below the sink's score: the
/// run ends when all reached nodes are extracted, after (reached nodes + 1) loops.
public struct CompactDijkstra: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.dijkstra
  public let network: ConstructedNetwork
  private let rows = CompactRelaxation()

  public init() {
    network = rows.network("compact Dijkstra", addsUp: true, extractsUnreached: false)
  }

  public var resultRows: [GraphResultRow] {
    [GraphResultRow("distance", rows.key, "2^96: there is no path"), .predecessor(rows.predecessor)]
  }
  public var extractedRow: Int? { rows.rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    rows.stream(nodeCount: graph.nodeCount, source: source ?? 0)
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.distances = state.values(rows.key).map { $0 < CompactLayout.Magnitude.far ? $0 : .infinity }
    result.predecessors = state.nodes(rows.predecessor)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    let distance = state.value(rows.key, node)
    return (
      distance < CompactLayout.Magnitude.far ? distance : .infinity, state.node(rows.predecessor, node)
    )
  }
}

/// Minimum spanning forest by Prim's algorithm, edges taken both ways: one loop extracts one node, the one with the
/// lightest edge to the tree; the lowest unvisited node starts a new tree if no edge leads on. Negative weights are fine.
public struct CompactPrim: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.minimumSpanningTree
  public let network: ConstructedNetwork
  private let rows = CompactRelaxation()

  public init() {
    network = rows.network("compact Prim", addsUp: false, extractsUnreached: true)
  }

  public var resultRows: [GraphResultRow] {
    [
      GraphResultRow(
        "distance", rows.key, "weight of the edge from the predecessor; 2^96: a tree's first node"),
      .predecessor(rows.predecessor), .order(rows.visitTime),
    ]
  }
  public var extractedRow: Int? { rows.rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }
  public func arcs(of graph: Graph) -> [Graph.Edge] { graph.takenBothWays.arcs }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    rows.stream(nodeCount: graph.nodeCount, source: source)
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.distances = state.values(rows.key).map { $0 < CompactLayout.Magnitude.far ? $0 : 0 }
    result.predecessors = state.nodes(rows.predecessor)
    result.order = state.order(by: rows.visitTime)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    let weight = state.value(rows.key, node)
    return (weight < CompactLayout.Magnitude.far ? weight : 0, state.node(rows.predecessor, node))
  }
}

extension Graph {
  /// The same graph with every edge walkable in both directions.
  var takenBothWays: Graph { Graph(nodeCount: nodeCount, isDirected: false, edges: edges, names: names) }
}
