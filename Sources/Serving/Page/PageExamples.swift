import GraphAlgorithms
import Machine

/// What the page offers to begin with: GET /looped/examples.
public struct PageExamples: Codable, Sendable {
  public struct Program: Codable, Sendable {
    public var name: String
    public var description: String
    public var source: String
    public var input: String
    public var cells: Int?
  }

  public struct Graph: Codable, Sendable {
    public var name: String
    public var algorithm: String
    public var source: String
    public var graph: GraphRequest.Drawing
  }

  public struct Algorithm: Codable, Sendable {
    public var name: String
    public var title: String
    public var needsSource: Bool
  }

  public var programs: [Program]
  public var graphs: [Graph]
  public var algorithms: [Algorithm]
  public var limits: Limits

  public struct Limits: Codable, Sendable {
    public var steps: Int
    public var cells: Int
    public var nodes: Int
    public var edges: Int
    public var points: Int
    public var trainedLoops: Int
    public var loops: Int
  }

  /// - Throws: never for the graphs that come with looped.
  public init(_ learner: PageLearner, _ limits: PageLimits = PageLimits()) throws {
    programs = ProgramLibrary.all.map {
      .init(
        name: $0.name, description: $0.description, source: String(decoding: $0.source, as: UTF8.self),
        input: $0.sampleInput, cells: $0.cells)
    }
    let town = try GraphAlgorithms.Graph.read(GraphLibrary.town, file: "town.gr", format: .dimacs).graph
    graphs = [
      .init(name: "A square with a diagonal", algorithm: "dijkstra", source: "A", graph: Self.square),
      .init(
        name: "A small town", algorithm: "dijkstra", source: "1",
        graph: Self.placed(try GraphRequest.Drawing(town, limits))),
      .init(name: "Two rings and a bridge", algorithm: "scc", source: "a", graph: Self.rings),
      .init(name: "Getting dressed", algorithm: "toposort", source: "socks", graph: Self.clothes),
    ]
    algorithms = GraphAlgorithm.allCases.map {
      .init(name: $0.rawValue, title: $0.title, needsSource: $0.needsSource)
    }
    self.limits = Limits(
      steps: limits.steps, cells: limits.cells, nodes: limits.nodes, edges: limits.edges,
      points: learner.largestPointCount, trainedLoops: learner.trainedLoops, loops: limits.loops)
  }

  /// The town as its map is: four streets of four junctions, and the island beside them.
  private static func placed(_ town: GraphRequest.Drawing) -> GraphRequest.Drawing {
    var town = town
    for node in town.nodes.indices {
      let isIsland = node >= 16
      town.nodes[node].x = isIsland ? 1 : 0.06 + 0.23 * Double(node % 4) + 0.035 * Double(node / 4 % 2)
      town.nodes[node].y = isIsland ? 0.3 + 0.4 * Double(node - 16) : 0.08 + 0.28 * Double(node / 4)
    }
    return town
  }

  private static let square = drawing(
    [
      ("A", 0.08, 0.5), ("B", 0.38, 0.12), ("C", 0.38, 0.88), ("D", 0.68, 0.12), ("E", 0.68, 0.88),
      ("F", 0.95, 0.5),
    ],
    [(0, 1, 7), (0, 2, 3), (2, 1, 1), (1, 3, 2), (2, 3, 8), (2, 4, 6), (3, 4, 1), (3, 5, 9), (4, 5, 4)],
    isDirected: true)

  private static let rings = drawing(
    [
      ("a", 0.05, 0.5), ("b", 0.22, 0.15), ("c", 0.4, 0.5), ("d", 0.22, 0.85), ("e", 0.6, 0.5),
      ("f", 0.78, 0.15),
      ("g", 0.95, 0.5), ("h", 0.78, 0.85),
    ],
    [
      (0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 0, 1), (2, 4, 1), (4, 5, 1), (5, 6, 1), (6, 7, 1), (7, 4, 1),
      (1, 5, 1),
    ], isDirected: true)

  private static let clothes = drawing(
    [
      ("socks", 0.1, 0.2), ("trousers", 0.4, 0.2), ("shoes", 0.25, 0.8), ("shirt", 0.7, 0.15),
      ("belt", 0.5, 0.6),
      ("tie", 0.9, 0.5), ("jacket", 0.75, 0.9),
    ], [(0, 2, 1), (1, 2, 1), (1, 4, 1), (3, 4, 1), (3, 5, 1), (4, 6, 1), (5, 6, 1)], isDirected: true)

  private static func drawing(
    _ nodes: [(String, Double, Double)], _ edges: [(Int, Int, Double)], isDirected: Bool
  ) -> GraphRequest.Drawing {
    .init(
      nodes: nodes.map { .init(name: $0.0, x: $0.1, y: $0.2) },
      edges: edges.map { .init(source: $0.0, target: $0.1, weight: $0.2) }, directed: isDirected)
  }
}

extension GraphAlgorithm {
  /// For people who choose.
  fileprivate var title: String {
    switch self {
    case .dijkstra: "Shortest paths (Dijkstra)"
    case .bfs: "Fewest edges (breadth-first)"
    case .dfs: "Depth-first order"
    case .scc: "Strongly connected components"
    case .components: "Connected components"
    case .topologicalOrder: "Topological order"
    case .minimumSpanningTree: "Minimum spanning tree (Prim)"
    case .bellmanFord: "Shortest paths, negative weights (Bellman–Ford)"
    case .pageRank: "PageRank"
    }
  }
}
