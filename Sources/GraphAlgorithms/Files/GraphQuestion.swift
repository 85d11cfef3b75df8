import TextFiles

/// An algorithm, a graph and where to start: checked before anything runs.
public struct GraphQuestion: Sendable {
  public var algorithm: GraphAlgorithm
  public var graph: Graph
  /// Where the algorithm starts; 0 where it needs no source and none was given.
  public var source: Int
  public var target: Int?
  public var isFloat32: Bool

  /// - Parameters:
  ///   - source: a node's name.
  ///   - isFloat32: the networks' numbers; `nil` takes float32 if everything is exact in it, else float64.
  /// - Throws: `GraphFault` for what the algorithm cannot answer, `SourceError` if an edge is to blame.
  public init(
    _ algorithm: GraphAlgorithm, _ file: GraphSource, source: String? = nil, target: String? = nil,
    isFloat32: Bool? = nil
  ) throws {
    let graph = file.graph
    guard graph.nodeCount > 0 else { throw GraphFault("the graph has no nodes") }
    if algorithm.needsSource && source == nil {
      throw GraphFault(
        "\(algorithm.rawValue) needs a node to start from",
        hint: "--source \(graph.name(0)), for example")
    }
    if algorithm == .topologicalOrder && !graph.isDirected && !graph.edges.isEmpty {
      throw GraphFault(
        "only a directed graph has a topological order", hint: "--directed takes every edge as written")
    }
    self.algorithm = algorithm
    self.graph = graph
    self.source = try source.map { try graph.node(named: $0) } ?? 0
    self.target = try target.map { try graph.node(named: $0) }
    if algorithm == .dijkstra || algorithm == .pageRank, var place = file.negativeEdge {
      place.message = "\(algorithm.rawValue) allows no negative weights"
      if algorithm == .dijkstra { place.hint = "bellman-ford does" }
      throw place
    }
    self.isFloat32 = true
    self.isFloat32 = try Self.precision(algorithm, file, isFloat32)
  }

  /// Integers are exact up to 2^24 in float32 and 2^53 in float64. No shortest path is longer than the sum of every
  /// node's heaviest incoming edge, as it enters each node once.
  private static func precision(_ algorithm: GraphAlgorithm, _ file: GraphSource, _ asked: Bool?) throws
    -> Bool
  {
    let graph = file.graph
    let (largest, what): (Double, String)
    switch algorithm {
    case .dijkstra, .bellmanFord:
      var heaviest = [Double](repeating: 0, count: graph.nodeCount)
      for edge in graph.edges {
        heaviest[edge.target] = max(heaviest[edge.target], abs(edge.weight))
        if !graph.isDirected { heaviest[edge.source] = max(heaviest[edge.source], abs(edge.weight)) }
      }
      (largest, what) = (heaviest.reduce(0, +), "a path")
    case .minimumSpanningTree:
      (largest, what) = (graph.edges.reduce(0) { max($0, abs($1.weight)) }, "an edge")
    case .pageRank:
      var sums = [Double](repeating: 0, count: graph.nodeCount)
      for edge in graph.edges {
        sums[edge.source] += edge.weight
        if !graph.isDirected { sums[edge.target] += edge.weight }
      }
      guard sums.allSatisfy({ $0.isFinite }) else {
        throw tooHeavy(file, "the weights of a node's edges", .infinity, 0)
      }
      return asked ?? false
    case .bfs, .dfs, .scc, .components, .topologicalOrder:
      (largest, what) = (Double(graph.nodeCount), "a node's number")
    }
    let limit32 = Double(1 << 24)
    let limit64 = Double(1 << 53)
    if file.fractionalEdge != nil && [.dijkstra, .bellmanFord, .minimumSpanningTree].contains(algorithm) {
      // Sums are rounded, in the same way by everybody; only infinity is wrong.
      let isFloat32 = asked ?? false
      let end = isFloat32 ? Double(Float.greatestFiniteMagnitude) : .greatestFiniteMagnitude
      guard largest <= end else { throw tooHeavy(file, what, largest, end) }
      return isFloat32
    }
    let isFloat32 = asked ?? (largest <= limit32)
    // Whole numbers beyond 2^53 round to it: a sum of 2^53 may have been larger.
    let limit = isFloat32 ? limit32 : limit64 - 1
    guard largest <= limit else { throw tooHeavy(file, what, largest, limit) }
    return isFloat32
  }

  private static func tooHeavy(_ file: GraphSource, _ what: String, _ largest: Double, _ limit: Double)
    -> any Error
  {
    let type =
      limit <= Double(1 << 24) || limit == Double(Float.greatestFiniteMagnitude) ? "float32" : "float64"
    let message =
      "\(what) may reach \(GraphWriter.text(largest)), beyond what \(type) holds"
      + (limit == .infinity ? "" : limit < 1e30 ? " exactly (\(GraphWriter.text(limit)))" : "")
    let hint = type == "float32" ? "--data-type f64 reaches further" : "divide all weights by a common factor"
    guard var place = file.heaviestEdge else { return GraphFault(message, hint: hint) }
    place.message = message
    place.hint = hint + "; this is the heaviest edge"
    return place
  }
}

extension Graph {
  /// - Throws: `GraphFault` with a close name if there is none of this name.
  /// - Complexity: O(nodes).
  public func node(named name: String) throws -> Int {
    if names.isEmpty {
      if let node = Int(name), node >= 0, node < nodeCount { return node }
      throw GraphFault("there is no node \(name)", hint: "the nodes are 0 to \(nodeCount - 1)")
    }
    if let node = names.firstIndex(of: name) { return node }
    let close = NameSuggestion.closest(to: name, among: names)
    let some = names.prefix(5).joined(separator: ", ")
    throw GraphFault(
      "there is no node named '\(name)'",
      hint: close.map { "did you mean '\($0)'?" } ?? "the nodes are \(some)\(nodeCount > 5 ? ", …" : "")")
  }

  /// The nodes from a root to `target`, along predecessors; `nil` if `target` was not reached.
  public func path(to target: Int, in result: GraphResult) -> [Int]? {
    guard let predecessors = result.predecessors else { return nil }
    if let distances = result.distances, distances[target] == .infinity { return nil }
    var path = [target]
    while let last = path.last, predecessors[last] != last {
      guard path.count <= nodeCount else { return nil }
      path.append(predecessors[last])
    }
    return path.reversed()
  }
}

/// Why a question about a graph has no answer.
public struct GraphFault: Error, Equatable, CustomStringConvertible {
  public var message: String
  public var hint: String?

  public init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  public var description: String { message + (hint.map { "\nhint: \($0)" } ?? "") }
}
