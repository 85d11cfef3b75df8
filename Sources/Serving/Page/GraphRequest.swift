import Construction
import GraphAlgorithms
import Looping
import TextFiles

/// A graph, an algorithm and where to start: POST /looped/graphs/run.
public struct GraphRequest: Codable, Sendable {
  public struct Node: Codable, Sendable {
    public var name: String
    /// In the unit square.
    public var x: Double?
    public var y: Double?

    public init(name: String, x: Double? = nil, y: Double? = nil) {
      self.name = name
      self.x = x
      self.y = y
    }
  }

  public struct Edge: Codable, Sendable {
    /// Indices of nodes.
    public var source: Int
    public var target: Int
    public var weight: Double?

    public init(source: Int, target: Int, weight: Double? = nil) {
      self.source = source
      self.target = target
      self.weight = weight
    }
  }

  public struct Drawing: Codable, Sendable {
    public var nodes: [Node]
    public var edges: [Edge]
    public var directed: Bool?

    public init(nodes: [Node], edges: [Edge], directed: Bool? = nil) {
      self.nodes = nodes
      self.edges = edges
      self.directed = directed
    }
  }

  /// The name of a `GraphAlgorithm`.
  public var algorithm: String
  public var graph: Drawing
  /// The name of a node.
  public var source: String?

  public init(algorithm: String, graph: Drawing, source: String? = nil) {
    self.algorithm = algorithm
    self.graph = graph
    self.source = source
  }
}

/// What `looped graph --json` says of the same graph, and the way to it as a trace.
public struct GraphResponse: Codable, Sendable {
  public struct Node: Codable, Sendable {
    public var node: String
    /// Absent where there is no path.
    public var distance: Double?
    public var predecessor: String?
    public var component: String?
    public var rank: Double?
  }

  public var header: TraceHeader
  public var steps: [TraceStep]
  public var end: TraceEnd
  public var loops: Int
  public var nodes: [Node]
  public var order: [String]?
  /// Of the result: a negative one for bellman-ford, any for toposort.
  public var cycle: [String]?
  public var seconds: Double
}

extension GraphRequest {
  /// Runs the compact network.
  ///
  /// - Throws: `PageRequestError` for graphs beyond the limits, and questions without an answer.
  public func run(_ limits: PageLimits = PageLimits()) throws -> GraphResponse {
    guard let algorithm = GraphAlgorithm(rawValue: algorithm) else {
      let names = GraphAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
      throw PageRequestError(
        "there is no algorithm \(self.algorithm.prefix(40))", hint: names, field: "algorithm")
    }
    let checked = try graph.checked(limits)
    if algorithm == .dijkstra || algorithm == .pageRank,
      let edge = checked.edges.first(where: { $0.weight < 0 })
    {
      throw PageRequestError(
        "\(algorithm.rawValue) allows no negative weights, as from \(checked.name(edge.source)) to "
          + "\(checked.name(edge.target))", hint: algorithm == .dijkstra ? "Bellman–Ford does" : nil,
        field: "graph.edges")
    }
    let question: GraphQuestion
    do {
      question = try GraphQuestion(
        algorithm, GraphSource(graph: checked),
        source: algorithm.needsSource || algorithm == .dfs ? source : nil)
    } catch let fault as GraphFault {
      throw PageRequestError(fault.message, hint: fault.hint?.replacing("--", with: ""), field: "graph")
    } catch let error as SourceError {
      throw PageRequestError(error.message, hint: error.hint, field: "graph")
    }
    do {
      return try run(question, limits)
    } catch let error as CompactLimitError {
      throw PageRequestError("\(error)", field: "graph")
    }
  }

  private func run(_ question: GraphQuestion, _ limits: PageLimits) throws -> GraphResponse {
    let (algorithm, graph) = (question.algorithm, question.graph)
    let machine = CompactMachine(algorithm.compactNetwork())
    var steps: [TraceStep] = []
    let places = self.graph.nodes.flatMap { [$0.x, $0.y] }
    let tracer = GraphTracer(
      question, network: machine.network.network, name: "the page's graph",
      places: places.contains(nil) ? nil : places.compactMap(\.self)
    ) { steps.append($0) }
    var events = CompactEvents(question, extracts: machine.network.extractedRow != nil)
    let start = ContinuousClock.now
    let deadline = Deadline(seconds: limits.seconds)
    let usesSource = algorithm.needsSource || (algorithm == .dfs && source != nil)
    let outcome = try machine.run(
      on: graph, source: usesSource ? question.source : nil, isFloat32: question.isFloat32,
      progress: { _ in !deadline.isOver },
      observe: { try tracer.record(events.event($0)) })
    let halt =
      switch outcome.halt {
      case .rule(CompactMachine.stopped): "time limit"
      case .limit where algorithm != .bellmanFord: "loop limit"
      default: "finished"
      }
    let result = outcome.result
    let components = result.components.map(GraphResult.lowestNodes)
    return GraphResponse(
      header: tracer.header, steps: steps, end: TraceEnd(loops: outcome.loops, halt: halt),
      loops: outcome.loops,
      nodes: (0..<graph.nodeCount).map { node in
        .init(
          node: graph.name(node), distance: result.distances.flatMap { $0[node].isFinite ? $0[node] : nil },
          predecessor: result.predecessors.flatMap { $0[node] == node ? nil : graph.name($0[node]) },
          component: components.map { graph.name($0[node]) }, rank: result.ranks?[node])
      },
      order: result.order?.map(graph.name), cycle: result.cycle?.map(graph.name),
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }
}

extension GraphRequest.Drawing {
  /// The graph, if its names are different, its edges are between its nodes, and it is not too large.
  func checked(_ limits: PageLimits) throws -> Graph {
    guard nodes.count <= limits.nodes && edges.count <= limits.edges else {
      throw PageRequestError(
        "graphs of up to \(limits.nodes) nodes and \(limits.edges) edges are run here, not of \(nodes.count) and "
          + "\(edges.count)", hint: "`looped graph` takes larger ones", field: "graph")
    }
    var names: Set<String> = []
    for node in nodes {
      guard !node.name.isEmpty && node.name.utf8.count <= 60 else {
        throw PageRequestError("a node's name has 1 to 60 bytes", field: "graph.nodes")
      }
      guard names.insert(node.name).inserted else {
        throw PageRequestError("two nodes have the name \(node.name)", field: "graph.nodes")
      }
    }
    for edge in edges {
      guard nodes.indices.contains(edge.source) && nodes.indices.contains(edge.target) else {
        throw PageRequestError(
          "an edge goes from node \(edge.source) to node \(edge.target) of \(nodes.count)",
          field: "graph.edges")
      }
      guard abs(edge.weight ?? 1) <= 1e12 else {
        throw PageRequestError("weights are at most 10^12 here", field: "graph.edges")
      }
    }
    return Graph(
      nodeCount: nodes.count, isDirected: directed ?? true,
      edges: edges.map { .init($0.source, $0.target, weight: $0.weight ?? 1) }, names: nodes.map(\.name))
  }
}
