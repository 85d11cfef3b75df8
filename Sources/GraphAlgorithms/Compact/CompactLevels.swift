import Construction

/// Breadth-first search by levels: every node of the frontier is handled in the same loop, so loops = depth + 2.
/// One layer, one head.
///
/// The rows `frontier`, `frontier index` and `frontier depth` are zero outside the frontier. Each node attends along its
/// incoming edges, with score `frontier`: the leftmost neighbour on the frontier wins, whose index and depth + 1 are read;
/// where no neighbour is on the frontier, zeros are read. The feed-forward layer writes what undiscovered nodes read, puts
/// them on the frontier, and takes the others off it.
public struct CompactLevelSearch: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.bfs
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let depth: Field
  private let predecessor: Field
  private let discovered: Field
  private let frontier: Field
  private let frontierIndex: Field
  private let frontierDepth: Field

  public init() {
    var rows = CompactLayout()
    depth = rows.integer("depth")
    predecessor = rows.integer("predecessor")
    discovered = rows.integer("discovered")
    frontier = rows.integer("frontier")
    frontierIndex = rows.integer("frontier index")
    frontierDepth = rows.integer("frontier depth")
    let (seen, newPredecessor, newDepth) = (
      rows.integer("seen"), rows.integer("new predecessor"), rows.integer("new depth")
    )
    self.rows = rows

    var layer = rows.builder("discover")
    layer.attend(
      "frontier", kind: .leftmost, query: [.row(rows.node[0])], key: [.row(frontier[0])],
      neighborhood: .init(.alongEdges),
      outputs: [
        (.row(frontier[0]), seen[0]), (.row(frontierIndex[0]), newPredecessor[0]),
        (.row(frontierDepth[0]), newDepth[0]),
      ])
    let isNew = .row(seen[0]) - LinearForm.row(discovered[0])
    layer.addInteger(.row(newDepth[0]), unless: .row(discovered[0]), to: depth[0])
    layer.addInteger(.row(newPredecessor[0]), unless: .row(discovered[0]), to: predecessor[0])
    layer.clear(frontier, frontierIndex, frontierDepth)
    layer.relu(isNew, to: frontier[0])
    layer.addInteger(.row(rows.index[0]), unless: -isNew + 1, to: frontierIndex[0])
    layer.addInteger(.row(newDepth[0]) + 1, unless: -isNew + 1, to: frontierDepth[0])
    layer.relu(isNew, to: discovered[0])
    layer.clear(seen, newPredecessor, newDepth)

    network = ConstructedNetwork(
      name: "compact breadth-first search by levels", layout: rows.layout, layers: [layer.build()])
  }

  public var resultRows: [GraphResultRow] {
    [
      GraphResultRow("distance", depth), GraphResultRow("reached", discovered, "0: there is no path"),
      .predecessor(predecessor),
    ]
  }
  public var extractedRow: Int? { nil }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    if graph.nodeCount > 0 {
      let column = CompactLayout.firstNode + (source ?? 0)
      for field in [discovered, frontier, frontierDepth] { state[field[0], column] = 1 }
      state[frontierIndex[0], column] = Scalar((source ?? 0) + 1)
    }
    return state
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.distances = zip(state.values(depth), state.values(discovered)).map { $1 == 1 ? $0 : .infinity }
    result.predecessors = state.nodes(predecessor)
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
