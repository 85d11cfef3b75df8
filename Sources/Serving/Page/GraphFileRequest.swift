import GraphAlgorithms
import Reporting
import TextFiles

/// A graph file to be drawn: POST /looped/graphs/read. The answer is a `GraphRequest.Drawing`.
public struct GraphFileRequest: Codable, Sendable {
  public var text: String
  /// The file's name, whose extension says the format.
  public var name: String

  public init(text: String, name: String) {
    self.text = text
    self.name = name
  }

  /// Reads it and gives every node a place.
  ///
  /// - Throws: `PageRequestError` with the line to blame.
  public func read(_ limits: PageLimits = PageLimits()) throws -> GraphRequest.Drawing {
    guard text.utf8.count <= limits.graphBytes else {
      throw PageRequestError("graph files have at most \(limits.graphBytes >> 10) KiB here", field: "text")
    }
    guard let format = GraphFormat(path: name), !name.hasSuffix(".gz") else {
      throw PageRequestError(
        "cannot tell the format of \(name.prefix(80))",
        hint: "name it .gr, .edges, .csv, .mtx, .graphml, .dot or .json", field: "name")
    }
    do {
      let graph = try Graph.read(Array(text.utf8), file: String(name.prefix(80)), format: format).graph
      return try GraphRequest.Drawing(graph, limits)
    } catch let error as SourceError {
      var refusal = PageRequestError(error.message, hint: error.hint, field: "text")
      (refusal.line, refusal.column) = (error.line, error.column)
      throw refusal
    }
  }
}

extension GraphRequest.Drawing {
  /// A graph with places for its nodes.
  ///
  /// - Throws: `PageRequestError` for graphs beyond the limits, before anything is laid out.
  init(_ graph: Graph, _ limits: PageLimits) throws {
    guard graph.nodeCount <= limits.nodes && graph.edges.count <= limits.edges else {
      throw PageRequestError(
        "\(graph.nodeCount) nodes and \(graph.edges.count) edges: graphs of up to \(limits.nodes) and "
          + "\(limits.edges) are shown here", hint: "`looped graph` takes larger ones", field: "text")
    }
    // Whoever lists every road in both directions means an undirected graph, which is easier to look at.
    var pairs: [[Int]: Double] = [:]
    for edge in graph.edges { pairs[[edge.source, edge.target]] = edge.weight }
    let isBothWays =
      graph.isDirected && !graph.edges.isEmpty && pairs.count == graph.edges.count
      && graph.edges.allSatisfy { $0.source != $0.target && pairs[[$0.target, $0.source]] == $0.weight }
    let edges = isBothWays ? graph.edges.filter { $0.source < $0.target } : graph.edges
    let isDirected = graph.isDirected && !isBothWays
    let layout = GraphLayout(
      nodeCount: graph.nodeCount, edges: edges.map { ($0.source, $0.target) }, isDirected: isDirected)
    self.init(
      nodes: layout.points.enumerated().map { .init(name: graph.name($0), x: $1.x, y: $1.y) },
      edges: edges.map { .init(source: $0.source, target: $0.target, weight: $0.weight) },
      directed: isDirected)
  }
}
