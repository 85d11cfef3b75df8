import GraphAlgorithms

/// Small random graphs of every kind: empty to dense, directed and undirected, self-loops, parallel edges, weights that
/// are zero, whole or quarters.
struct SmallGraphs {
  var generator: SeededGenerator

  init(seed: Int) { generator = SeededGenerator(seed: seed) }

  mutating func graph(largest: Int, smallest: Int = 1) -> Graph {
    let count = Int.random(in: smallest...largest, using: &generator)
    let edges = Int.random(
      in: 0...[0, count, 2 * count, count * count].randomElement(using: &generator)!, using: &generator)
    let unit = Bool.random(using: &generator) ? 1.0 : 0.25
    return Graph(
      nodeCount: count, isDirected: Bool.random(using: &generator),
      edges: (0..<edges).map { _ in
        .init(
          Int.random(in: 0..<count, using: &generator), Int.random(in: 0..<count, using: &generator),
          weight: unit * Double(Int.random(in: 0...12, using: &generator)))
      })
  }
}

extension GraphResult {
  /// The same result with components named by their lowest node.
  var canonical: GraphResult {
    var result = self
    if let components {
      result.components = components.indices.map { components.firstIndex(of: components[$0])! }
    }
    return result
  }
}
