import GraphAlgorithms
import Testing
import TextFiles

@Suite struct GraphQuestionTests {
  private func source(_ text: String, _ format: GraphFormat = .edgeList) throws -> GraphSource {
    try Graph.read(Array(text.utf8), file: "g", format: format)
  }

  @Test func sourcesAreNodes() throws {
    let file = try source("alpha beta\nbeta gamma\n")
    #expect(try GraphQuestion(.dijkstra, file, source: "beta").source == 1)
    #expect(try GraphQuestion(.dfs, file).source == 0)
    let unknown = #expect(throws: GraphFault.self) { try GraphQuestion(.bfs, file, source: "bata") }
    #expect(unknown?.hint == "did you mean 'beta'?")
    #expect(throws: GraphFault.self) { try GraphQuestion(.bfs, file, source: "alpha", target: "delta9") }
    let missing = #expect(throws: GraphFault.self) { try GraphQuestion(.dijkstra, file) }
    #expect(missing?.hint?.contains("--source alpha") ?? false)
    let plain = try source("0 1")
    #expect(throws: GraphFault.self) { try GraphQuestion(.bfs, plain, source: "2") }
    #expect(throws: GraphFault.self) { try GraphQuestion(.scc, source("# nothing")) }
  }

  @Test func negativeWeightsAreShown() throws {
    let file = try source("a b 1\nb c -2\nc d -3")
    for algorithm in [GraphAlgorithm.dijkstra, .pageRank] {
      let error = #expect(throws: SourceError.self) { try GraphQuestion(algorithm, file, source: "a") }
      #expect(error?.line == 2 && error?.column == 5)
      #expect(error?.message == "\(algorithm.rawValue) allows no negative weights")
    }
    for algorithm in [GraphAlgorithm.bellmanFord, .bfs, .minimumSpanningTree, .scc] {
      #expect(throws: Never.self) { try GraphQuestion(algorithm, file, source: "a") }
    }
  }

  /// Path sums up to 2^24 and 2^53 − 1 and not one more.
  @Test(arguments: [(true, 24), (false, 53)]) func exactRange(isFloat32: Bool, bits: Int) throws {
    let limit = isFloat32 ? 1 << bits : 1 << bits - 1
    let within = try source("a b \(limit - 1)\nb c 1")
    let beyond = try source("a b \(limit - 1)\nb c 2")
    for algorithm in [GraphAlgorithm.dijkstra, .bellmanFord] {
      #expect(throws: Never.self) { try GraphQuestion(algorithm, within, source: "a", isFloat32: isFloat32) }
      let error = #expect(throws: SourceError.self) {
        try GraphQuestion(algorithm, beyond, source: "a", isFloat32: isFloat32)
      }
      #expect(error?.line == 1 && error?.column == 5)
    }
    // A spanning tree only compares.
    #expect(throws: Never.self) { try GraphQuestion(.minimumSpanningTree, beyond, isFloat32: isFloat32) }
  }

  @Test func dataTypeFollowsTheWeights() throws {
    func isFloat32(_ text: String, _ algorithm: GraphAlgorithm = .dijkstra) throws -> Bool {
      try GraphQuestion(algorithm, source(text), source: "a").isFloat32
    }
    #expect(try isFloat32("a b 5"))
    #expect(try !isFloat32("a b 16777217"))
    #expect(try isFloat32("a b 16777217", .bfs))
    #expect(try !isFloat32("a b 0.1"))
    #expect(try !isFloat32("a b 5", .pageRank))
    // What float32 would turn into infinity.
    #expect(throws: SourceError.self) {
      try GraphQuestion(.dijkstra, source("a b 1e39\nb c 0.5"), source: "a", isFloat32: true)
    }
    #expect(throws: SourceError.self) {
      try GraphQuestion(.dijkstra, source("a b 1e308\nb c 1.7e308\nc d .5"), source: "a")
    }
    #expect(throws: SourceError.self) { try GraphQuestion(.pageRank, source("a b 1e308\na c 1.7e308")) }
  }

  @Test func undirectedGraphsHaveNoOrder() throws {
    #expect(throws: GraphFault.self) {
      try GraphQuestion(.topologicalOrder, source("graph { a -- b }", .dot))
    }
  }

  @Test func paths() throws {
    let graph = try source("0 1\n1 2\n3 2").graph
    let result = GraphAlgorithm.dijkstra.reference(graph)
    #expect(graph.path(to: 2, in: result) == [0, 1, 2])
    #expect(graph.path(to: 0, in: result) == [0])
    #expect(graph.path(to: 3, in: result) == nil)
  }
}
