import Construction

/// A topological order by Kahn's algorithm, or a cycle: one loop per node, three layers.
///
///     | layer   | attention                                                          | feed-forward  |
///     |---------|---------------------------------------------------------------------|---------------|
///     | count   | graph: in the first loop every node sends a 1, which makes in-degrees | fresh ← 0     |
///     | extract | scratchpad: the lowest unvisited node of in-degree 0                 | time += found |
///     | remove  | graph: −1 for the extracted node's successors                        |               |
///
/// When no node of in-degree 0 is left the sink wins. Nodes that were not visited then have an unvisited predecessor
/// each, so whoever walks backwards among them runs into a cycle; that is how the coda finds one.
public struct CompactTopologicalOrder: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.topologicalOrder
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let fresh: Field
  private let visitTime: Field

  public init() {
    var rows = CompactLayout()
    let inDegree = rows.integer("in-degree")
    fresh = rows.integer("fresh")
    let visited = rows.integer("visited")
    visitTime = rows.integer("visiting time")
    self.rows = rows

    var count = rows.builder("count")
    count.attend(
      "own", kind: .leftmost, query: rows.address.rows.map { .row($0) },
      key: rows.address.rows.map { .row($0) },
      mixing: GraphMixing(.alongEdges, isWeighted: false), outputs: [(.row(fresh[0]), inDegree[0])])
    count.clear(fresh)

    var extract = rows.builder("extract")
    rows.extract(
      &extract, largest: -CompactLayout.Magnitude.closed * (.row(inDegree[0]) + .row(visited[0])))
    rows.tick(&extract)

    var remove = rows.builder("remove")
    rows.notify(
      "to successors", &remove, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [(-.row(rows.found[0]), inDegree[0])])
    rows.notify(
      "visit", &remove, outputs: [(.row(rows.found[0]), visited[0]), (.row(rows.time[0]), visitTime[0])])
    rows.finish(&remove)

    network = ConstructedNetwork(
      name: "compact topological order", layout: rows.layout,
      layers: [count.build(), extract.build(), remove.build()])
  }

  public var resultRows: [GraphResultRow] { [.order(visitTime)] }
  public var extractedRow: Int? { rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    for v in 0..<graph.nodeCount { state[fresh[0], CompactLayout.firstNode + v] = 1 }
    return state
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    let order = state.order(by: visitTime)
    if order.count == graph.nodeCount {
      result.order = order
    } else if isSettled {
      let isLeft = state.values(visitTime).map { $0 == 0 }
      var before = [Int](repeating: -1, count: graph.nodeCount)
      for arc in graph.arcs where isLeft[arc.source] && isLeft[arc.target] && before[arc.target] < 0 {
        before[arc.target] = arc.source
      }
      result.cycle = cycle(among: before)
    }
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (state.value(visitTime, node), node)
  }
}

/// A cycle of predecessors (-1: none), in the direction of the edges; `nil` if there is none. Complexity: O(nodes).
func cycle(among predecessors: [Int]) -> [Int]? {
  var walk = [Int](repeating: -1, count: predecessors.count)
  for start in predecessors.indices {
    var node = start
    while node >= 0 && walk[node] < 0 {
      walk[node] = start
      node = predecessors[node]
    }
    guard node >= 0 && walk[node] == start else { continue }
    var cycle = [node]
    var next = predecessors[node]
    while next != node {
      cycle.append(next)
      next = predecessors[next]
    }
    return cycle.reversed()
  }
  return nil
}
