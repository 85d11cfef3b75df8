import Foundation
import GraphAlgorithms

extension GraphReport {
  private struct Document: Encodable {
    struct Facts: Encodable {
      var file: String
      var nodes: Int
      var edges: Int
      var directed: Bool
    }
    struct Node: Encodable {
      var node: String
      /// Absent where there is no path.
      var distance: Double?
      var predecessor: String?
      var component: String?
      var rank: Double?
    }

    var algorithm: String
    var graph: Facts
    var source: String?
    var target: String?
    var end: String
    /// Absent for plain Swift.
    var network: NetworkFacts?
    var loops: Int?
    var dataType: String
    var seconds: Double
    /// Present if `--check` was asked for; a difference is an error.
    var equalToReference: Bool?
    var path: [String]?
    var order: [String]?
    var cycle: [String]?
    var nodes: [Node]
  }

  /// The whole result as one object.
  func json() throws -> String {
    let result = run.result
    let usesSource = question.algorithm.needsSource || question.algorithm == .dfs
    let nodes = (0..<graph.nodeCount).map { node in
      Document.Node(
        node: graph.name(node), distance: result.distances.flatMap { $0[node].isFinite ? $0[node] : nil },
        predecessor: result.predecessors.flatMap { $0[node] == node ? nil : graph.name($0[node]) },
        component: result.components.map { graph.name($0[node]) }, rank: result.ranks?[node])
    }
    let document = Document(
      algorithm: question.algorithm.rawValue,
      graph: .init(
        file: name, nodes: graph.nodeCount, edges: graph.edges.count, directed: graph.isDirected),
      source: usesSource ? graph.name(question.source) : nil, target: question.target.map(graph.name),
      end: run.end.rawValue,
      network: run.network, loops: run.loops,
      dataType: question.isFloat32 ? "f32" : "f64", seconds: run.seconds,
      equalToReference: isChecked ? true : nil,
      path: question.target.flatMap { graph.path(to: $0, in: result)?.map(graph.name) },
      order: result.order?.map(graph.name), cycle: result.cycle?.map(graph.name), nodes: nodes)
    return try jsonText(document, [.sortedKeys, .withoutEscapingSlashes])
  }
}
