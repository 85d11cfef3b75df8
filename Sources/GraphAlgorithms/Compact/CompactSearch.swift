import Construction

/// Breadth-first search from a source, one loop per node, two layers.
///
///     | layer    | attention                                                        | feed-forward              |
///     |----------|------------------------------------------------------------------|---------------------------|
///     | extract  | scratchpad: the waiting node with the smallest stamp              | time += found             |
///     | discover | graph: neighbours get stamp, depth, predecessor; extracted: closed | written if undiscovered  |
///
/// A node's stamp is the time at which the node that discovered it was extracted, and the lowest node wins a tie: that is
/// the order of a queue whose neighbours are appended ascending. Nothing is ever replaced – the fields of an undiscovered
/// node are zero – so one feed-forward layer writes.
public struct CompactBreadthFirstSearch: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.bfs
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let depth: Field
  private let stamp: Field
  private let predecessor: Field
  private let discovered: Field
  /// 1 for nodes that are not waiting: undiscovered, or extracted.
  private let closed: Field
  private let visitTime: Field

  public init() {
    var rows = CompactLayout()
    depth = rows.integer("depth")
    stamp = rows.integer("stamp")
    predecessor = rows.integer("predecessor")
    discovered = rows.integer("discovered")
    closed = rows.integer("closed")
    visitTime = rows.integer("visiting time")
    let (edge, newDepth, newStamp, newPredecessor, currentDepth) = (
      rows.integer("edge"), rows.integer("new depth"), rows.integer("new stamp"),
      rows.integer("new predecessor"), rows.integer("current depth")
    )
    self.rows = rows

    var extract = rows.builder("extract")
    rows.extract(
      &extract, largest: -.row(stamp[0]) - CompactLayout.Magnitude.closed * .row(closed[0]),
      reading: [(from: depth, to: currentDepth)])
    rows.tick(&extract)

    var discover = rows.builder("discover")
    rows.notify(
      "to neighbours", &discover, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [
        (.row(rows.found[0]), edge[0]), (.row(rows.time[0]), newStamp[0]),
        (.row(currentDepth[0]) + .row(rows.found[0]), newDepth[0]),
        (.row(rows.current[0]), newPredecessor[0]),
      ])
    rows.notify(
      "visit", &discover, outputs: [(.row(rows.found[0]), closed[0]), (.row(rows.time[0]), visitTime[0])])
    for (new, field) in [(newDepth, depth), (newStamp, stamp), (newPredecessor, predecessor)] {
      discover.addInteger(.row(new[0]), unless: .row(discovered[0]), to: field[0])
    }
    discover.relu(.row(edge[0]) - .row(discovered[0]), to: closed[0], times: -1)
    discover.relu(.row(edge[0]) - .row(discovered[0]), to: discovered[0])
    discover.clear(edge, newDepth, newStamp, newPredecessor)
    rows.finish(&discover, clearing: currentDepth)

    network = ConstructedNetwork(
      name: "compact breadth-first search", layout: rows.layout, layers: [extract.build(), discover.build()])
  }

  public var resultRows: [GraphResultRow] {
    [
      GraphResultRow("distance", depth), GraphResultRow("reached", discovered, "0: there is no path"),
      .predecessor(predecessor), .order(visitTime),
    ]
  }
  public var extractedRow: Int? { rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    for v in 0..<graph.nodeCount { state[closed[0], CompactLayout.firstNode + v] = 1 }
    if graph.nodeCount > 0 {
      let column = CompactLayout.firstNode + (source ?? 0)
      state[closed[0], column] = 0
      state[discovered[0], column] = 1
    }
    return state
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.distances = zip(state.values(depth), state.values(discovered)).map { $1 == 1 ? $0 : .infinity }
    result.predecessors = state.nodes(predecessor)
    result.order = state.order(by: visitTime)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (
      state.value(discovered, node) == 1 ? state.value(depth, node) : .infinity,
      state.node(predecessor, node)
    )
  }
}

/// Depth-first search, neighbours ascending, restarted at the lowest unvisited node: one loop per node, two layers.
///
///     | layer    | attention                                                        | feed-forward               |
///     |----------|------------------------------------------------------------------|----------------------------|
///     | extract  | scratchpad: the unvisited node with the largest stamp             | time += found              |
///     | discover | graph: neighbours get stamp and predecessor; extracted: visited   | replaced unless visited    |
///
/// A node's stamp is the time of the *latest* visited node with an edge to it, 0 if there is none. Recursion goes on at
/// the deepest node of its stack that has an unvisited neighbour, with the lowest one. That node is the latest visited
/// one with an unvisited neighbour, as later ones that have none are finished; so the largest stamp, the lowest node of
/// equal ones, is recursion's next node, and its discoverer is recursion's parent. Stamp 0 is the largest only when
/// nothing unvisited can be reached: the lowest unvisited node starts a new tree.
///
/// Stamps and predecessors are integers, so a replacement, x + (new − x), is exact in one layer.
public struct CompactDepthFirstSearch: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.dfs
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let stamp: Field
  private let predecessor: Field
  private let visited: Field
  /// 0 for neighbours of the extracted node, 1 for all others.
  private let blocked: Field
  private let visitTime: Field

  public init() {
    var rows = CompactLayout()
    stamp = rows.integer("stamp")
    predecessor = rows.integer("predecessor")
    visited = rows.integer("visited")
    blocked = rows.integer("blocked")
    visitTime = rows.integer("visiting time")
    let (newStamp, newPredecessor) = (rows.integer("new stamp"), rows.integer("new predecessor"))
    self.rows = rows

    var extract = rows.builder("extract")
    rows.extract(
      &extract, largest: .row(stamp[0]) - CompactLayout.Magnitude.closed * .row(visited[0]))
    rows.tick(&extract)

    var discover = rows.builder("discover")
    // Stamps are times + 1: a source has stamp 1, before all that are discovered.
    rows.notify(
      "to neighbours", &discover, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [
        (.row(rows.time[0]) + .row(rows.found[0]), newStamp[0]), (.row(rows.current[0]), newPredecessor[0]),
        (-.row(rows.found[0]), blocked[0]),
      ])
    rows.notify(
      "visit", &discover, outputs: [(.row(rows.found[0]), visited[0]), (.row(rows.time[0]), visitTime[0])])
    let closed = .row(blocked[0]) + LinearForm.row(visited[0])
    discover.addInteger(.row(newStamp[0]) - .row(stamp[0]), unless: closed, to: stamp[0])
    let change = .row(newPredecessor[0]) - LinearForm.row(predecessor[0])
    discover.addInteger(change, unless: closed, to: predecessor[0])
    discover.addInteger(-change, unless: closed, to: predecessor[0], times: -1)
    discover.clear(newStamp, newPredecessor)
    discover.restore(blocked, on: rows.node)
    rows.finish(&discover)

    network = ConstructedNetwork(
      name: "compact depth-first search", layout: rows.layout, layers: [extract.build(), discover.build()])
  }

  public var resultRows: [GraphResultRow] { [.predecessor(predecessor), .order(visitTime)] }
  public var extractedRow: Int? { rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    for v in 0..<graph.nodeCount { state[blocked[0], CompactLayout.firstNode + v] = 1 }
    if let source { state[stamp[0], CompactLayout.firstNode + source] = 1 }
    return state
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.predecessors = state.nodes(predecessor)
    result.order = state.order(by: visitTime)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (state.value(visitTime, node), state.node(predecessor, node))
  }
}
