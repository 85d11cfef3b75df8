import Construction
import Looping

/// PageRank by power iteration, r ← d (Wᵀ r + m/n) + (1 − d)/n: one loop is one iteration, two layers.
///
///     | layer | attention                                                                    | feed-forward          |
///     |-------|-------------------------------------------------------------------------------|-----------------------|
///     | flow  | graph, weighted: flow = Σ_i W_ij r_i; scratchpad: lost = average dangling rank | rank ← 0              |
///     | rank  | every node reads `lost` from the scratchpad                                    | rank += d·flow + d·lost + (1 − d)/n |
///
/// The graph's weights are those of the random walk, W_ij = w_ij / Σ_k w_ik; (1 − d)/n is part of a node's input. Dangling
/// nodes have no outgoing weight; the average over all nodes that attention computes is just their m/n.
///
/// Real arithmetic: equal to another implementation up to rounding only, and it ends by a rule (Σ|Δr| < n · tolerance).
public struct CompactPageRank: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.pageRank
  public let network: ConstructedNetwork
  public let damping: Double
  public let tolerance: Double
  private let rows: CompactLayout
  private let rank: Field
  private let danglingRank: Field
  private let connected: Field
  private let teleport: Field
  private let sinkPriority: Field

  public init(damping: Double = 0.85, tolerance: Double = 1e-12) {
    self.damping = damping
    self.tolerance = tolerance
    var rows = CompactLayout()
    rank = rows.integer("rank")
    danglingRank = rows.integer("dangling rank")
    connected = rows.integer("connected")
    teleport = rows.integer("teleport")
    sinkPriority = rows.integer("sink priority")
    let (flow, lost, base) = (rows.integer("flow"), rows.integer("lost"), rows.integer("base"))
    self.rows = rows

    var walk = rows.builder("flow")
    walk.attend(
      "walk", kind: .leftmost, query: rows.address.rows.map { .row($0) },
      key: rows.address.rows.map { .row($0) },
      mixing: GraphMixing(.alongEdges, isWeighted: true), outputs: [(.row(rank[0]), flow[0])])
    // Score 2 for every node where the scratchpad asks; the sink's priority, 1, wins where nobody asks.
    let (asking, asked) = (LinearForm.row(rows.scratchpad[0]), LinearForm.row(rows.node[0]))
    walk.attend(
      "average", kind: .selector, query: [asking, asking], key: [asked, asked],
      priority: .row(sinkPriority[0]), outputs: [(.row(danglingRank[0]), lost[0])])
    walk.clear(rank, danglingRank)

    var sum = rows.builder("rank")
    sum.attend(
      "lost", kind: .leftmost, query: [.row(rows.node[0])], key: [.row(rows.scratchpad[0])],
      outputs: [(.row(lost[0]), base[0])])
    let new = damping * .row(flow[0]) + damping * .row(base[0]) + .row(teleport[0])
    sum.relu(new, to: rank[0])
    sum.relu(new - CompactLayout.Magnitude.integerGate * .row(connected[0]), to: danglingRank[0])
    sum.clear(flow, base, lost)

    network = ConstructedNetwork(
      name: "compact PageRank", layout: rows.layout, layers: [walk.build(), sum.build()])
  }

  public var resultRows: [GraphResultRow] { [GraphResultRow("rank", rank)] }

  /// The ranks' change, all nodes' added up, below which the run ends: n · tolerance, but not less than rounding alone
  /// may keep moving for ever: ranks add up to 1, so each of the few roundings of a loop moves them by up to ulp/2 in all.
  /// (With 1 ulp as the limit, 436 of 2,504 graphs of up to seven nodes never end in float32.) What is then missing is at
  /// most d/(1 − d) · 8 ulp < 5.5 · 10⁻⁶ in float32, all nodes' added up.
  func settledChange(nodeCount: Int, ulpOfOne: Double) -> Double {
    max(Double(max(nodeCount, 1)) * tolerance, 8 * ulpOfOne)
  }
  public var extractedRow: Int? { nil }
  public func loopLimit(nodeCount: Int) -> Int { 1000 }

  public func arcs(of graph: Graph) -> [Graph.Edge] {
    let arcs = graph.arcs
    let sums = Self.sums(arcs, graph.nodeCount)
    return arcs.map {
      Graph.Edge($0.source, $0.target, weight: sums[$0.source] > 0 ? $0.weight / sums[$0.source] : 0)
    }
  }

  private static func sums(_ arcs: [Graph.Edge], _ nodeCount: Int) -> [Double] {
    var sums = [Double](repeating: 0, count: nodeCount)
    for arc in arcs { sums[arc.source] += arc.weight }
    return sums
  }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    let sums = Self.sums(graph.arcs, graph.nodeCount)
    let share = 1 / Scalar(max(graph.nodeCount, 1))
    state[sinkPriority[0], CompactLayout.sinkColumn] = 1
    for v in 0..<graph.nodeCount {
      let column = CompactLayout.firstNode + v
      state[rank[0], column] = share
      state[sums[v] > 0 ? connected[0] : danglingRank[0], column] = sums[v] > 0 ? 1 : share
      state[teleport[0], column] = Scalar(1 - damping) * share
    }
    return state
  }

  public func haltingRules<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, as type: Scalar.Type
  ) -> [HaltingRule<ResidualStream<Scalar>>] {
    let smallest = settledChange(nodeCount: graph.nodeCount, ulpOfOne: Double(Scalar.ulpOfOne))
    var last: [Double] = Array(repeating: 1 / Double(max(graph.nodeCount, 1)), count: graph.nodeCount)
    return [
      HaltingRule("converged") { state, _ in
        let ranks = state.values(rank)
        let change = zip(ranks, last).reduce(0) { $0 + abs($1.0 - $1.1) }
        last = ranks
        return change < smallest
      }
    ]
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.ranks = state.values(rank)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (state.value(rank, node), node)
  }
}
