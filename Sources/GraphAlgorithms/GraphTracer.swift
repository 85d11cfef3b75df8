import Construction
import Looping

/// Turns what happened to the nodes into steps of a trace: columns are nodes; values are distances, or the place in the
/// order, the component, the rank. A node without a value yet shows −1, as JSON knows no infinity.
///
/// Networks say what changes. What a node has without a change is said here: ranks begin alike, the root of a component
/// stands for itself, and the root of a tree is at distance 0.
public final class GraphTracer {
  /// Takes each step as it happens.
  public typealias Sink = (TraceStep) throws -> Void

  public let header: TraceHeader
  private let graph: Graph
  private let sink: Sink
  private let kind: TraceScene.Network.Value
  private var values: [Double]
  /// Which nodes have a value: −1 may be a distance, too.
  private var isKnown: [Bool]
  /// Loops recorded.
  public private(set) var loops = 0

  /// - Parameters:
  ///   - network: who computes; `nil` for plain Swift.
  ///   - name: of the graph.
  ///   - places: of the nodes in the unit square, x and y in turn, for viewers.
  public init(
    _ question: GraphQuestion, network: ConstructedNetwork?, name: String, places: [Double]? = nil,
    sink: @escaping Sink
  ) {
    let (algorithm, graph) = (question.algorithm, question.graph)
    self.graph = graph
    self.sink = sink
    kind = algorithm.traceValue
    let first = kind == .rank ? 1 / Double(max(1, graph.nodeCount)) : -1
    values = [Double](repeating: first, count: graph.nodeCount)
    isKnown = [Bool](repeating: kind == .rank, count: graph.nodeCount)
    var header = TraceHeader(
      family: "graph", program: "\(algorithm.rawValue) on \(name)", network: network?.name ?? "plain Swift",
      layers: network?.layers.count ?? 0, width: network?.width ?? 0,
      parameters: network?.parameterCount ?? 0, digest: network.map { String($0.digest, radix: 16) } ?? "",
      columns: (0..<graph.nodeCount).map(graph.name), values: values)
    header.graph = TraceScene.Network(
      isDirected: graph.isDirected,
      edges: graph.edges.map { .init(source: $0.source, target: $0.target, weight: $0.weight) },
      value: kind,
      source: algorithm.needsSource || algorithm == .dfs ? question.source : nil, places: places)
    self.header = header
  }

  /// Call for every event, in order.
  public func record(_ event: GraphEvent) throws {
    loops += 1
    func names(_ nodes: [Int]) -> String {
      nodes.prefix(6).map(graph.name).joined(separator: ", ") + (nodes.count > 6 ? ", …" : "")
    }
    var changes: [TraceStep.Change] = []
    for change in event.changes
    where change.value.isFinite && (!isKnown[change.node] || change.value != values[change.node]) {
      changes.append(
        .init(
          column: change.node, before: values[change.node], after: change.value,
          predecessor: change.predecessor))
      values[change.node] = change.value
      isKnown[change.node] = true
    }
    for node in event.visited where !isKnown[node] && (kind == .component || kind == .distance) {
      let root = kind == .component ? Double(node) : 0
      changes.append(.init(column: node, before: values[node], after: root, predecessor: node))
      values[node] = root
      isKnown[node] = true
    }
    let visited = Set(event.visited)
    let reached = event.changes.map(\.node).filter { !visited.contains($0) }
    let summary =
      (event.visited.isEmpty ? "" : "visits \(names(event.visited))")
      + (event.visited.isEmpty || reached.isEmpty ? "" : "; ")
      + (reached.isEmpty ? "" : "changes \(names(reached))")
    try sink(
      TraceStep(
        loop: loops, position: nil, summary: summary.isEmpty ? "nothing" : summary, jumped: false,
        changes: changes, output: nil, attention: nil, visited: event.visited))
  }
}

extension GraphAlgorithm {
  var traceValue: TraceScene.Network.Value {
    switch self {
    case .dijkstra, .bfs, .minimumSpanningTree, .bellmanFord: .distance
    case .dfs, .topologicalOrder: .order
    case .scc, .components: .component
    case .pageRank: .rank
    }
  }
}
