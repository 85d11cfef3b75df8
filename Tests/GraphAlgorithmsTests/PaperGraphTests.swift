import Construction
import GraphAlgorithms
import Testing

@Suite struct PaperGraphTests {
  /// Runs `algorithm` on random graphs and compares with the reference.
  func check<Scalar: BinaryFloatingPoint & Sendable>(
    _ network: PaperGraphNetwork, _ algorithm: GraphAlgorithm, as scalar: Scalar.Type, _ attention: Attention,
    graphs: Int, largest: Int = 8, seed: Int
  ) throws {
    let digest = network.network.digest
    var random = SmallGraphs(seed: seed)
    for _ in 0..<graphs {
      let graph = random.graph(largest: largest)
      let source = Int.random(in: 0..<graph.nodeCount, using: &random.generator)
      let run = try network.run(algorithm, on: graph, source: source, attention: attention, as: scalar)
      let expected = algorithm.reference(graph, source: source)
      try #require(run.result.canonical == expected.canonical, "\(algorithm) from \(source): \(graph)")
      let bound = network.loopBound(nodes: graph.nodeCount)
      #expect(algorithm == .bfs ? run.loops <= bound : run.loops == bound)
    }
    #expect(network.network.digest == digest)
  }

  /// λ that is enough for 8 nodes in float64, hence in float32: 746 / (1 − cos 40°) = 3,189.
  static let warm = Attention.softmax(inverseTemperature: 3200)

  static let cases: [(Int, GraphAlgorithm)] = [
    (0, .dijkstra), (1, .bfs), (2, .dfs), (3, .scc), (4, .dijkstra), (4, .bfs), (4, .dfs),
  ]

  @Test(arguments: cases) func float32EqualsReference(network: Int, algorithm: GraphAlgorithm) throws {
    let network = PaperGraphNetwork.all(.float32)[network]
    try check(network, algorithm, as: Float.self, .hard, graphs: 150, seed: 1)
    try check(network, algorithm, as: Float.self, Self.warm, graphs: 75, seed: 2)
  }

  @Test(arguments: cases) func float64EqualsReference(network: Int, algorithm: GraphAlgorithm) throws {
    let network = PaperGraphNetwork.all(.float64)[network]
    try check(network, algorithm, as: Double.self, .hard, graphs: 75, seed: 3)
    try check(network, algorithm, as: Double.self, Self.warm, graphs: 75, seed: 4)
  }

  @Test func sixteenNodes() throws {
    var random = SmallGraphs(seed: 16)
    for (network, algorithm) in Self.cases {
      let graph = random.graph(largest: 16, smallest: 16)
      let run = try PaperGraphNetwork.all(.float32)[network].run(
        algorithm, on: graph, source: 5, as: Float.self)
      #expect(run.result.canonical == algorithm.reference(graph, source: 5).canonical)
    }
  }

  /// One node, no edges, only self-loops, two islands, a cycle of weight 0.
  @Test func cornerCases() throws {
    let graphs = [
      Graph(nodeCount: 1, edges: []), Graph(nodeCount: 1, edges: [.init(0, 0, weight: 3)]),
      Graph(nodeCount: 2, edges: []), Graph(nodeCount: 7, edges: []),
      Graph(nodeCount: 5, edges: [.init(0, 0), .init(1, 1, weight: 0), .init(3, 3, weight: 2)]),
      Graph(nodeCount: 6, isDirected: false, edges: [.init(0, 5), .init(1, 2), .init(2, 3, weight: 0)]),
      Graph(nodeCount: 4, edges: (0..<4).map { .init($0, ($0 + 1) % 4, weight: 0) }),
      Graph(nodeCount: 3, edges: [.init(0, 1, weight: 9), .init(0, 1, weight: 2), .init(1, 2, weight: 0)]),
    ]
    for (network, algorithm) in Self.cases {
      for graph in graphs {
        for source in 0..<graph.nodeCount {
          let run = try PaperGraphNetwork.all(.float32)[network].run(
            algorithm, on: graph, source: source, as: Float.self)
          #expect(run.result.canonical == algorithm.reference(graph, source: source).canonical)
        }
      }
    }
    let empty = Graph(nodeCount: 0, edges: [])
    #expect(try PaperGraphNetwork.scc(.float32).run(.scc, on: empty, as: Float.self).result.components == [])
    #expect(try PaperGraphNetwork.dfs(.float32).run(.dfs, on: empty, as: Float.self).result.order == [])
    #expect(throws: PaperGraphError.source(0, nodes: 0)) {
      try PaperGraphNetwork.bfs(.float32).run(.bfs, on: empty, as: Float.self)
    }
  }

  /// After TERM further loops leave every entry as it is, bit for bit; scratch rows are zero between loops.
  @Test func termIsAFixedPoint() throws {
    var random = SmallGraphs(seed: 7)
    for (network, algorithm) in Self.cases {
      let network = PaperGraphNetwork.all(.float32)[network]
      for attention in [Attention.hard, Self.warm] {
        let graph = random.graph(largest: 8)
        let input = try network.prelude(graph, algorithm, source: 0, attention: attention, as: Float.self)
        var state = input.state
        var body = DenseExecutor<Float>(network.network, attention: attention, graph: input.graph)
        _ = try network.run(body, &state)
        #expect(network.hasTerminated(state))
        let final = state
        for loop in 0..<3 {
          #expect(!body.apply(to: &state, loop: loop))
          #expect(state == final)
        }
      }
    }
  }

  @Test func aCapOnLoopsEndsTheRun() {
    let graph = Graph(nodeCount: 3, edges: [.init(0, 1)])
    #expect(throws: PaperGraphError.notTerminated(loops: 8)) {
      try PaperGraphNetwork.dijkstra(.float32).run(.dijkstra, on: graph, as: Float.self, limit: 8)
    }
  }

  @Test func weightsAreConstantAndNoMoreThanTheTheorem() {
    for range in [ExactRange.float32, .float64] {
      let networks = PaperGraphNetwork.all(range)
      #expect(networks.map(\.network.layers.count) == [4, 4, 4, 4, 4])
      #expect(networks.map(\.network.headCount) == [3, 2, 2, 3, 3])
      for network in networks {
        #expect(network.network.layers.count <= network.theorem.layers)
        #expect(network.network.headCount <= network.theorem.heads)
      }
    }
    #expect(Set(PaperGraphNetwork.all(.float32).map(\.network.digest)).count == 5)
  }

  /// Observed loops: candidates in turn, and at the end of each sweep the node that the reference visits.
  @Test func loopsAreObserved() throws {
    let graph = Graph(
      nodeCount: 4, edges: [.init(0, 2, weight: 1), .init(2, 1, weight: 1), .init(0, 1, weight: 5)])
    var loops: [PaperLoop] = []
    _ = try PaperGraphNetwork.dijkstra(.float32).run(.dijkstra, on: graph, as: Float.self) {
      loops.append($0)
    }
    #expect(loops.map(\.considered) == (0..<16).map { $0 % 4 })
    #expect(loops.compactMap(\.visited) == [0, 2, 1, 3])
    #expect(loops.filter { $0.visited != nil }.map(\.loop) == [4, 8, 12, 16])
    #expect(loops[3].improved == [1, 2] && loops[7].improved == [1])
    loops = []
    _ = try PaperGraphNetwork.scc(.float32).run(.scc, on: graph, as: Float.self) { loops.append($0) }
    // Left in the order 1, 2, 0, 3; then, against the edges, latest first.
    #expect(loops.compactMap(\.visited) == [1, 2, 0, 3, 3, 0, 2, 1])
  }
}
