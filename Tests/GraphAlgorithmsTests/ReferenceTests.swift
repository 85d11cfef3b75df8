import GraphAlgorithms
import Testing

@Suite struct ReferenceTests {
  private static let seeds = 0..<1500

  /// The reference's result in both data types, equal, and agreeing with itself.
  private func run(_ algorithm: GraphAlgorithm, _ graph: Graph, source: Int = 0) -> GraphResult {
    let result = algorithm.reference(graph, source: source)
    let single = algorithm.reference(graph, source: source, isFloat32: true)
    if algorithm != .pageRank { #expect(single == result, "\(algorithm) \(graph)") }
    #expect(
      algorithm.disagreement(of: single, with: result, graph: graph, source: source, isFloat32: true) == nil,
      "\(algorithm) \(graph)")
    return result
  }

  @Test func shortestPaths() {
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed)
      let source = seed % graph.nodeCount
      let expected = BruteForce.distances(graph)[source]
      #expect(run(.dijkstra, graph, source: source).distances == expected)
      #expect(run(.bellmanFord, graph, source: source).distances == expected)
      #expect(
        run(.bfs, graph, source: source).distances == BruteForce.distances(graph, isUnit: true)[source])
    }
  }

  @Test func equalPathsGoToTheLowestNode() {
    // 0 reaches 3 over 2 and over 1 with the same weight; 1 is extracted first.
    let graph = Graph(
      nodeCount: 4,
      edges: [.init(0, 2, weight: 1), .init(0, 1, weight: 1), .init(2, 3, weight: 1), .init(1, 3, weight: 1)])
    for algorithm in [GraphAlgorithm.dijkstra, .bfs, .bellmanFord] {
      #expect(algorithm.reference(graph).predecessors == [0, 0, 0, 1])
    }
    #expect(GraphAlgorithm.bfs.reference(graph).order == [0, 1, 2, 3])
  }

  @Test func negativeWeights() {
    var cycles = 0
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed, weights: -3...9)
      let expected = BruteForce.distances(graph)
      let meetsCycle = expected.indices.contains { expected[$0][$0] < 0 && expected[0][$0] < .infinity }
      let result = run(.bellmanFord, graph)
      #expect((result.cycle != nil) == meetsCycle, "\(graph)")
      if let cycle = result.cycle {
        cycles += 1
        #expect(cycle.allSatisfy { expected[0][$0] < .infinity })
      } else {
        #expect(result.distances == expected[0])
      }
    }
    #expect(cycles > 100)
  }

  @Test func depthFirstOrder() {
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed)
      let source = seed % graph.nodeCount
      let expected = BruteForce.depthFirst(graph, from: source)
      let result = run(.dfs, graph, source: source)
      #expect(result.order == expected.order)
      #expect(result.predecessors == expected.predecessors)
    }
  }

  @Test func components() {
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed)
      func lowest(_ distance: [[Double]]) -> [Int] {
        distance.indices.map { node in
          distance.indices.first { distance[node][$0] < .infinity && distance[$0][node] < .infinity } ?? -1
        }
      }
      #expect(run(.scc, graph).components == lowest(BruteForce.distances(graph)))
      var undirected = graph
      undirected.isDirected = false
      #expect(run(.components, graph).components == lowest(BruteForce.distances(undirected)))
    }
  }

  @Test func topologicalOrder() {
    var orders = 0
    for seed in Self.seeds {
      var graph = RandomGraphs.graph(seed: 2 * seed)
      if seed % 2 == 0 { graph.edges.removeAll { $0.source <= $0.target } }
      var expected: [Int] = []
      while let next = (0..<graph.nodeCount).first(where: { node in
        !expected.contains(node)
          && graph.edges.allSatisfy { $0.target != node || expected.contains($0.source) }
      }) {
        expected.append(next)
      }
      let result = run(.topologicalOrder, graph)
      if expected.count == graph.nodeCount {
        orders += 1
        #expect(result.order == expected)
      } else {
        #expect(result.order == nil && result.cycle != nil)
      }
    }
    #expect(orders > 500 && orders < 1400)
  }

  @Test func spanningForest() {
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed, weights: -3...9)
      let result = run(.minimumSpanningTree, graph)
      let (weight, trees) = BruteForce.forestWeight(graph)
      #expect(result.distances?.reduce(0, +) == weight)
      #expect(result.predecessors.map { list in list.indices.count { list[$0] == $0 } } == trees)
    }
  }

  @Test func pageRank() {
    for seed in Self.seeds {
      let graph = RandomGraphs.graph(seed: seed)
      let ranks = run(.pageRank, graph).ranks ?? []
      for (ours, exact) in zip(ranks, BruteForce.ranks(graph)) { #expect(abs(ours - exact) < 1e-10) }
      #expect(abs(ranks.reduce(0, +) - 1) < 1e-12)
    }
  }

  @Test(arguments: GraphAlgorithm.allCases) func smallestGraphs(_ algorithm: GraphAlgorithm) {
    let single = run(algorithm, Graph(nodeCount: 1, edges: []))
    #expect(single.cycle == nil)
    let unconnected = run(algorithm, Graph(nodeCount: 3, edges: []), source: 2)
    #expect(unconnected.predecessors == nil || unconnected.predecessors == [0, 1, 2])
    #expect(unconnected.components == nil || unconnected.components == [0, 1, 2])
    if algorithm != .dijkstra && algorithm != .bfs && algorithm != .bellmanFord {
      let empty = algorithm.reference(Graph(nodeCount: 0, edges: []))
      #expect(empty.order ?? [] == [])
    }
  }

  /// A check that cannot fail is none: every wrong answer here is found out.
  @Test func wrongAnswersAreFoundOut() {
    let graph = Graph(
      nodeCount: 4,
      edges: [.init(0, 1, weight: 1), .init(1, 2, weight: 0), .init(2, 1, weight: 0), .init(0, 3, weight: 5)])
    func wrong(_ algorithm: GraphAlgorithm, _ change: (inout GraphResult) -> Void) -> String? {
      let right = algorithm.reference(graph)
      var result = right
      change(&result)
      return algorithm.disagreement(of: result, with: right, graph: graph)
    }
    for algorithm in GraphAlgorithm.allCases { #expect(wrong(algorithm) { _ in } == nil) }
    #expect(wrong(.dijkstra) { $0.distances?[3] = 4 } != nil)
    #expect(wrong(.dijkstra) { $0.predecessors?[3] = 1 } != nil)
    // Zero-weight circle: every distance comes about, but nothing comes from the source.
    #expect(wrong(.dijkstra) { $0.predecessors = [0, 2, 1, 0] } != nil)
    #expect(wrong(.bellmanFord) { $0.cycle = [1, 2] } != nil)
    #expect(wrong(.bfs) { $0.predecessors = nil } != nil)
    #expect(wrong(.dfs) { $0.order = [0, 3, 1, 2] } != nil)
    #expect(wrong(.scc) { $0.components = [0, 1, 2, 3] } != nil)
    #expect(wrong(.topologicalOrder) { $0.cycle = [0, 1] } != nil)
    #expect(wrong(.topologicalOrder) { $0.cycle = nil } != nil)
    #expect(wrong(.minimumSpanningTree) { $0.predecessors?[2] = 0 } != nil)
    #expect(
      wrong(.minimumSpanningTree) {
        $0.predecessors = [0, 1, 1, 0]
        $0.distances?[1] = 0
      } != nil)
    #expect(wrong(.pageRank) { $0.ranks?[0] += 0.01 } != nil)
  }

  @Test func everyStepIsTold() {
    let graph = RandomGraphs.graph(seed: 4)
    for algorithm in [GraphAlgorithm.dijkstra, .bfs, .bellmanFord, .minimumSpanningTree] {
      var values = [Double](repeating: .infinity, count: graph.nodeCount)
      let result = algorithm.reference(graph) { event in
        for change in event.changes { values[change.node] = change.value }
      }
      #expect(result.distances == values)
    }
  }
}
