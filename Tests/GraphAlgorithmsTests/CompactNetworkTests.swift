import Construction
import GraphAlgorithms
import Looping
import Testing

/// Every compact network, on many small graphs: the exact executor has the bits of the dense one after every loop, and the
/// result is the plain algorithm's.
@Suite struct CompactNetworkTests {
  static let networks: [any CompactGraphNetwork] =
    GraphAlgorithm.allCases.map { $0.compactNetwork() } + [GraphAlgorithm.bfs.compactNetwork(byLevels: true)]

  /// Runs both executors side by side, to the end and a loop beyond it.
  func compare<Scalar: BinaryFloatingPoint & Sendable>(
    _ network: any CompactGraphNetwork, _ graph: Graph, _ type: Scalar.Type
  ) throws {
    let columns = network.columnGraph(of: graph)
    var dense = DenseExecutor<Scalar>(network.network, graph: columns)
    let exact = ExactExecutor<Scalar>(network.network, graph: columns)
    var expected = network.prelude(graph, source: 0, as: type)
    var state = expected
    let rules = network.haltingRules(graph, as: type)
    for loop in 0..<network.loopLimit(nodeCount: graph.nodeCount) + 2 {
      let denseChanged = dense.apply(to: &expected, loop: loop)
      let exactChanged = try exact.apply(to: &state, loop: loop)
      try #require(state == expected, "\(network.network.name), loop \(loop + 1) of \(graph)")
      try #require(denseChanged == exactChanged)
      if try !denseChanged || rules.contains(where: { try $0.shouldHalt(expected, loop + 1) }) { break }
    }
  }

  @Test(arguments: 0..<CompactNetworkTests.networks.count)
  func exactAndDenseHaveTheSameBits(network: Int) throws {
    let network = Self.networks[network]
    let weights = network.algorithm == .bellmanFord ? -1...9 : 0...9
    for seed in 0..<60 {
      let graph = RandomGraphs.graph(seed: seed, weights: weights)
      try compare(network, graph, Float.self)
      if seed < 20 { try compare(network, graph, Double.self) }
    }
  }

  @Test(arguments: 0..<CompactNetworkTests.networks.count)
  func resultsAreThePlainAlgorithms(network: Int) throws {
    let network = Self.networks[network]
    let algorithm = network.algorithm
    let digest = network.network.digest
    for seed in 0..<400 {
      var graph = RandomGraphs.graph(seed: seed, weights: algorithm == .bellmanFord ? -2...9 : 0...9)
      if seed % 4 == 0 { for i in graph.edges.indices { graph.edges[i].weight *= 0.3 } }
      let source = seed % graph.nodeCount
      let isFloat32 = seed % 3 != 0
      let outcome = try CompactMachine(network).run(on: graph, source: source, isFloat32: isFloat32)
      let reference = algorithm.reference(graph, source: source, isFloat32: isFloat32)
      let fault = algorithm.disagreement(
        of: outcome.result, with: reference, graph: graph, source: source, isFloat32: isFloat32)
      try #require(fault == nil, "\(network.network.name), seed \(seed): \(fault ?? "") in \(graph)")
    }
    #expect(network.network.digest == digest)
  }
}
