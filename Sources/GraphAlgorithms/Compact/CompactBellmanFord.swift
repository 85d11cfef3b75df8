import Construction
import Looping

/// Shortest paths with negative weights by Bellman and Ford: every node relaxes in every loop, three layers.
///
///     | layer   | attention                                                             | feed-forward           |
///     |---------|------------------------------------------------------------------------|------------------------|
///     | gather  | along edges: the source i with the largest −(d_i + w_ij), leftmost     |                        |
///     | compare | candidate < distance? then read the scratchpad                         | distance, pred. ← 0 if so |
///     | write   | –                                                                      | distance, pred. += new |
///
/// Loops = edges on the longest of the shortest paths + 1. If the state still changes in loop n (of n nodes), a negative
/// cycle is reachable. Every cycle of predecessors is negative, so one is looked for after 1, 2, 4, … loops already.
public struct CompactBellmanFord: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.bellmanFord
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let distance: Field
  private let predecessor: Field
  private let reached: Field
  private let unreached: Field
  private let blocked: Field
  private let kept: Field

  public init() {
    var rows = CompactLayout()
    distance = rows.real("distance")
    predecessor = rows.integer("predecessor")
    reached = rows.integer("reached")
    unreached = rows.integer("unreached")
    blocked = rows.integer("blocked")
    kept = rows.integer("kept")
    let (candidate, newPredecessor) = (rows.real("candidate"), rows.integer("new predecessor"))
    self.rows = rows

    var gather = rows.builder("gather")
    gather.attend(
      "lightest way", kind: .leftmost, query: [.row(rows.node[0])],
      key: [-.row(distance[0]) - CompactLayout.Magnitude.nobody * .row(unreached[0])],
      neighborhood: .init(
        .alongEdges, scorePerWeight: -1, weightOutputs: [Term(row: candidate[0], coefficient: 1)]),
      outputs: [
        (.row(distance[0]), candidate[0]), (-.row(reached[0]), blocked[0]),
        (.row(rows.index[0]), newPredecessor[0]),
      ])

    var compare = rows.builder("compare")
    rows.compare(
      "candidate < distance", &compare,
      .row(candidate[0]) + CompactLayout.Magnitude.closed * .row(blocked[0]),
      isLessThan: .row(distance[0]) + CompactLayout.Magnitude.far * .row(unreached[0]),
      outputs: [(-.row(rows.scratchpad[0]), kept[0])])
    compare.clear(distance[0], unless: kept)
    compare.clear(predecessor[0], unless: kept)

    var write = rows.builder("write")
    write.add(candidate, unless: kept, to: distance[0])
    write.addInteger(.row(newPredecessor[0]), unless: .row(kept[0]), to: predecessor[0])
    write.addInteger(.row(unreached[0]), unless: .row(kept[0]), to: reached[0])
    write.addInteger(.row(unreached[0]), unless: .row(kept[0]), to: unreached[0], times: -1)
    write.clear(candidate, newPredecessor)
    write.restore(blocked, on: rows.node)
    write.restore(kept, on: rows.node)

    network = ConstructedNetwork(
      name: "compact Bellman–Ford", layout: rows.layout,
      layers: [gather.build(), compare.build(), write.build()])
  }

  public var resultRows: [GraphResultRow] {
    [
      GraphResultRow(
        "distance", distance, "of no meaning if there were more loops than nodes: a negative cycle"),
      GraphResultRow("unreached", unreached, "1: there is no path"), .predecessor(predecessor),
    ]
  }
  public var extractedRow: Int? { nil }
  public func loopLimit(nodeCount: Int) -> Int { max(nodeCount, 1) }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    for v in 0..<graph.nodeCount {
      let column = CompactLayout.firstNode + v
      state[v == (source ?? 0) ? reached[0] : unreached[0], column] = 1
      state[blocked[0], column] = 1
      state[kept[0], column] = 1
    }
    return state
  }

  /// Predecessors as they are, -1 for none: a negative self-loop makes a node its own.
  private func predecessors<Scalar: BinaryFloatingPoint & Sendable>(_ state: ResidualStream<Scalar>) -> [Int]
  {
    state.values(predecessor).map { Int($0) - 1 }
  }

  public func haltingRules<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, as type: Scalar.Type
  ) -> [HaltingRule<ResidualStream<Scalar>>] {
    [
      HaltingRule("negative cycle") { state, loops in
        (loops & (loops - 1) == 0 || loops >= graph.nodeCount) && cycle(among: predecessors(state)) != nil
      }
    ]
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    if let cycle = cycle(among: predecessors(state)) {
      result.cycle = cycle
      return result
    }
    result.distances = zip(state.values(distance), state.values(unreached)).map { $1 == 1 ? .infinity : $0 }
    result.predecessors = state.nodes(predecessor)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (
      state.value(unreached, node) == 1 ? .infinity : state.value(distance, node),
      state.node(predecessor, node)
    )
  }
}
