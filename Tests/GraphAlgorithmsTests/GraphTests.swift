import GraphAlgorithms
import Testing

@Suite struct GraphTests {
  @Test func arcsAreSortedAndSingle() {
    let edges: [Graph.Edge] = [
      .init(2, 0, weight: 5), .init(0, 1, weight: 3), .init(0, 1, weight: 2), .init(1, 1),
    ]
    let directed = Graph(nodeCount: 3, edges: edges)
    #expect(directed.arcs == [.init(0, 1, weight: 2), .init(1, 1), .init(2, 0, weight: 5)])
    let undirected = Graph(nodeCount: 3, isDirected: false, edges: edges)
    #expect(
      undirected.arcs == [
        .init(0, 1, weight: 2), .init(0, 2, weight: 5), .init(1, 0, weight: 2), .init(1, 1),
        .init(2, 0, weight: 5),
      ])
  }
}
