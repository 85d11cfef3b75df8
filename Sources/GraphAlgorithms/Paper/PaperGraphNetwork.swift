import Construction

/// One of the networks of de Luca & Fountoulakis 2024: fixed weights, fixed width, any graph.
///
/// - `PaperGraphNetwork.dijkstra`, `.bfs`, `.dfs`, `.scc`, `.multitask` build them, each in its own file.
/// - `run` drives one: prelude, loop, coda.
///
/// Derivations and measured limits: Documentation/PaperGraphNetworks.md.
public struct PaperGraphNetwork: Sendable {
  /// The layers and heads that the paper's theorem for this algorithm needs.
  public struct Theorem: Equatable, Sendable {
    public var layers: Int
    public var heads: Int
  }

  public let network: ConstructedNetwork
  public let range: ExactRange
  /// What the network runs; if there are several, a flag in column 0 selects one.
  public let algorithms: [GraphAlgorithm]
  public let theorem: Theorem

  let scan: ScanFields
  let fields: Fields

  enum Fields: Sendable {
    case search(SearchFields, flags: [GraphAlgorithm: Field])
    case components(ComponentFields)
  }

  init(
    _ name: String, _ algorithms: [GraphAlgorithm], theorem: Theorem, layout: ResidualLayout,
    scan: ScanFields, fields: Fields, layers: [ConstructedLayer]
  ) {
    network = ConstructedNetwork(name: "\(name), \(scan.range.name)", layout: layout, layers: layers)
    range = scan.range
    self.algorithms = algorithms
    self.theorem = theorem
    self.scan = scan
    self.fields = fields
  }

  /// Every network of the paper that works on graphs.
  public static func all(_ range: ExactRange) -> [PaperGraphNetwork] {
    [dijkstra(range), bfs(range), dfs(range), scc(range), multitask(range)]
  }

  public func column(ofNode node: Int) -> Int { node + 1 }

  /// Loops until TERM on n nodes, all of them due: n candidates per minimum, and one minimum per node – two in
  /// the first phase of `scc`, when a node is found and when it is left. BFS needs n for each node that it reaches.
  public func loopBound(nodes: Int) -> Int {
    if case .components = fields { return 3 * nodes * nodes }
    return nodes * nodes
  }
}
