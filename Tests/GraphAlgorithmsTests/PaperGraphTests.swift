import Construction
import GraphAlgorithms
import Testing

@Suite struct PaperGraphTests {
  /// Runs `algorithm` on random graphs and compares with the reference.
  func check<Scalar: BinaryFloatingPoint & Sendable>(
    _ network: PaperGraphNetwork, _ algorithm: GraphAlgorithm, as scalar: Scalar.Type, _ attention: Attention,
    graphs: Int, largest: Int = 8, seed: UInt64
  ) throws {
    let digest = network.network.digest
    var random = RandomGraphs(generator: SplitMix64(state: seed))
    for _ in 0..<graphs {
      let graph = random.graph(largest: largest)
      let source = Int.random(in: 0..<graph.nodeCount, using: &random.generator)
      let run = try network.run(algorithm, on: graph, source: source, attention: attention, as: scalar)
      let expected = PlainSearch(graph).run(algorithm, source: source)
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
}
