import Construction
import GraphAlgorithms
import Testing

/// On both sides of every limit: the last value that is promised works, the first that is not is refused.
@Suite struct PaperLimitTests {
  let dijkstra = PaperGraphNetwork.dijkstra(.float32)

  /// A path that weighs `sum` in all, in three edges.
  func path(_ sum: Double) -> Graph {
    Graph(
      nodeCount: 4,
      edges: [.init(0, 1, weight: sum - 3), .init(1, 2, weight: 1), .init(2, 3, weight: 2)])
  }

  @Test func pathSums() throws {
    for sum in [4_194_303, 4_194_303.0 / 1024] {
      let run = try dijkstra.run(
        .dijkstra,
        on: Graph(
          nodeCount: 4,
          edges: path(4_194_303).edges.map {
            .init($0.source, $0.target, weight: $0.weight * sum / 4_194_303)
          }), as: Float.self)
      #expect(run.result.distances?.last == sum)
    }
    #expect(throws: PaperGraphError.weightRange(largestSum: 4_194_304, limit: 4_194_304, range: .float32)) {
      try dijkstra.run(.dijkstra, on: path(4_194_304), as: Float.self)
    }
    let wide = PaperGraphNetwork.dijkstra(.float64)
    let largest = Double(1 << 51) - 1
    let run = try wide.run(.dijkstra, on: path(largest), as: Double.self)
    #expect(run.result.distances?.last == largest)
    #expect(throws: PaperGraphError.self) { try wide.run(.dijkstra, on: path(largest + 1), as: Double.self) }
  }

  /// A single node whose distance is next to Ω is told from one that is not reached.
  @Test func unreachedNodesStayInfiniteBesideLargeSums() throws {
    let graph = Graph(nodeCount: 3, edges: [.init(0, 2, weight: 4_194_303)])
    let result = try dijkstra.run(.dijkstra, on: graph, as: Float.self).result
    #expect(result.distances == [0, .infinity, 4_194_303])
  }

  @Test(arguments: [-1, -.infinity, .infinity, .nan, 1e300, 0x1p-1074] as [Double])
  func badWeights(weight: Double) {
    #expect(throws: PaperGraphError.self) {
      let edges: [Graph.Edge] = [.init(0, 1, weight: weight), .init(1, 0, weight: 1)]
      _ = try dijkstra.run(.dijkstra, on: Graph(nodeCount: 2, edges: edges), as: Float.self)
    }
    // Breadth-first search does not look at weights.
    #expect(throws: Never.self) {
      let graph = Graph(nodeCount: 2, edges: [.init(0, 1, weight: weight)])
      _ = try PaperGraphNetwork.bfs(.float32).run(.bfs, on: graph, as: Float.self)
    }
  }

  /// The unit is the weights' own, however small or large; a common power of two is no precision.
  @Test(arguments: [0x1p-1070, 0x1p-3, 0x1p1000]) func weightsInAnyUnit(unit: Double) throws {
    let edges: [Graph.Edge] = [.init(0, 1, weight: unit), .init(1, 2, weight: 3 * unit)]
    let result = try dijkstra.run(.dijkstra, on: Graph(nodeCount: 3, edges: edges), as: Float.self).result
    #expect(result.distances == [0, unit, 4 * unit])
  }

  /// At δ = 2π/13 twelve nodes are distinct and thirteen are not.
  @Test func circleCapacity() throws {
    let angle = 2 * Double.pi / 13
    func run(_ count: Int) throws -> GraphResult {
      let graph = Graph(nodeCount: count, edges: (1..<count).map { .init($0 - 1, $0) })
      return try dijkstra.run(.dijkstra, on: graph, as: Float.self, angle: angle).result
    }
    #expect(try run(12).distances == (0..<12).map(Double.init))
    #expect(throws: PaperGraphError.tooManyPositions(13, limit: 12, range: .float32)) { try run(13) }
  }

  /// The largest float32 table: each code scores strictly more with itself than with any other.
  @Test func largestTableIsSelective() throws {
    let count = CircleCode.largestCount(.float32)
    let circle = try CircleCode(count: count, range: .float32, attention: .hard)
    #expect(throws: PaperGraphError.self) {
      try CircleCode(count: count + 1, range: .float32, attention: .hard)
    }
    let codes = (1...count).map { circle[$0].map { Float($0) } }
    func score(_ i: Int, _ j: Int) -> Float { codes[i][0] * codes[j][0] + codes[i][1] * codes[j][1] }
    for i in codes.indices {
      let own = score(i, i)
      for distance in 1...64 {
        #expect(score(i, (i + distance) % count) < own && score(i, (i + count - distance) % count) < own)
      }
    }
    for range in [ExactRange.float32, .float64] {
      let count = CircleCode.largestCount(range)
      #expect(throws: Never.self) { try CircleCode(count: count, range: range, attention: .hard) }
    }
  }

  @Test func temperature() throws {
    let graph = Graph(nodeCount: 8, edges: [.init(0, 7)])
    let needed = CircleCode.neededInverseTemperature(angle: 2 * Double.pi / 9, range: .float32)
    #expect(throws: Never.self) {
      try dijkstra.run(
        .dijkstra, on: graph, attention: .softmax(inverseTemperature: needed), as: Float.self)
    }
    #expect(throws: PaperGraphError.self) {
      try dijkstra.run(
        .dijkstra, on: graph, attention: .softmax(inverseTemperature: needed - 1), as: Float.self)
    }
  }

  @Test func dataTypeAndTask() {
    let graph = Graph(nodeCount: 2, edges: [.init(0, 1)])
    #expect(throws: PaperGraphError.dataType(needed: .float64)) {
      try PaperGraphNetwork.dijkstra(.float64).run(.dijkstra, on: graph, as: Float.self)
    }
    #expect(throws: PaperGraphError.self) { try dijkstra.run(.bfs, on: graph, as: Float.self) }
    for source in [-1, 2] {
      #expect(throws: PaperGraphError.source(source, nodes: 2)) {
        try dijkstra.run(.dijkstra, on: graph, source: source, as: Float.self)
      }
    }
  }
}
