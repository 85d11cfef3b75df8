import GraphAlgorithms
import Looping

/// Turns what happened to the nodes into steps of a trace: columns are nodes; values are distances, or the place in the
/// order, the component, the rank. A node without a value yet shows −1, as JSON knows no infinity.
final class GraphTracer {
  private let graph: Graph
  private let output: TraceOutput
  private var values: [Double]
  private var loop = 0

  /// - Returns: `nil` if no trace was asked for.
  init?(_ question: GraphQuestion, network: NetworkFacts?, name: String, output: TraceOutput?) throws {
    guard let output else { return nil }
    graph = question.graph
    self.output = output
    values = [Double](repeating: -1, count: graph.nodeCount)
    try output.begin(
      TraceHeader(
        family: "graph", program: "\(question.algorithm.rawValue) on \(name)",
        network: network?.name ?? "plain Swift", layers: network?.layers ?? 0, width: network?.width ?? 0,
        parameters: network?.parameters ?? 0, digest: network?.digest ?? "",
        columns: (0..<graph.nodeCount).map(graph.name),
        values: values))
  }

  func record(_ event: GraphEvent) throws {
    loop += 1
    func names(_ nodes: [Int]) -> String {
      nodes.prefix(6).map(graph.name).joined(separator: ", ") + (nodes.count > 6 ? ", …" : "")
    }
    var changes: [TraceStep.Change] = []
    for change in event.changes where change.value.isFinite && change.value != values[change.node] {
      changes.append(.init(column: change.node, before: values[change.node], after: change.value))
      values[change.node] = change.value
    }
    let visited = Set(event.visited)
    let reached = event.changes.map(\.node).filter { !visited.contains($0) }
    let summary =
      (event.visited.isEmpty ? "" : "visits \(names(event.visited))")
      + (event.visited.isEmpty || reached.isEmpty ? "" : "; ")
      + (reached.isEmpty ? "" : "changes \(names(reached))")
    try output.record(
      TraceStep(
        loop: loop, position: nil, summary: summary.isEmpty ? "nothing" : summary, jumped: false,
        changes: changes,
        output: nil, attention: nil))
  }

  func end(_ run: GraphRun) throws {
    try output.end(loops: run.loops ?? loop, halt: run.end.rawValue)
  }
}
