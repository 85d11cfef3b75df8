import GraphAlgorithms

/// SplitMix64: the same graphs on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

enum RandomGraphs {
  /// Small graphs of every density, with self-loops, parallel edges, zero weights, and often in several parts.
  static func graph(seed: Int, weights: ClosedRange<Int> = 0...9) -> Graph {
    var generator = SeededGenerator(seed: seed)
    let nodes = Int.random(in: 1...12, using: &generator)
    let edges = Int.random(in: 0...(seed % 3 == 0 ? nodes : 3 * nodes), using: &generator)
    return Graph(
      nodeCount: nodes, isDirected: seed % 2 == 0,
      edges: (0..<edges).map { _ in
        .init(
          .random(in: 0..<nodes, using: &generator), .random(in: 0..<nodes, using: &generator),
          weight: Double(Int.random(in: weights, using: &generator)))
      })
  }
}

/// Slow and obvious.
enum BruteForce {
  /// Floyd–Warshall: all distances; nodes on negative cycles have a negative distance to themselves.
  static func distances(_ graph: Graph, isUnit: Bool = false) -> [[Double]] {
    let nodes = 0..<graph.nodeCount
    var distance = nodes.map { row in nodes.map { $0 == row ? 0 : Double.infinity } }
    for arc in graph.arcs {
      distance[arc.source][arc.target] = min(distance[arc.source][arc.target], isUnit ? 1 : arc.weight)
    }
    if isUnit { for node in nodes { distance[node][node] = 0 } }
    for middle in nodes {
      for from in nodes {
        for to in nodes {
          distance[from][to] = min(distance[from][to], distance[from][middle] + distance[middle][to])
        }
      }
    }
    return distance
  }

  static func depthFirst(_ graph: Graph, from source: Int) -> (order: [Int], predecessors: [Int]) {
    var order: [Int] = []
    var predecessors = Array(0..<graph.nodeCount)
    func visit(_ node: Int, _ predecessor: Int) {
      guard !order.contains(node) else { return }
      order.append(node)
      predecessors[node] = predecessor
      for arc in graph.arcs where arc.source == node { visit(arc.target, node) }
    }
    for root in [source] + Array(0..<graph.nodeCount) { visit(root, root) }
    return (order, predecessors)
  }

  /// The weight of a minimum spanning forest, by Kruskal's algorithm.
  static func forestWeight(_ graph: Graph) -> (weight: Double, trees: Int) {
    var part = Array(0..<graph.nodeCount)
    var weight = 0.0
    var trees = graph.nodeCount
    for edge in graph.edges.sorted(by: { $0.weight < $1.weight })
    where part[edge.source] != part[edge.target] {
      let (old, new) = (part[edge.source], part[edge.target])
      for node in part.indices where part[node] == old { part[node] = new }
      weight += edge.weight
      trees -= 1
    }
    return (weight, trees)
  }

  /// PageRank by solving its linear equations (Gauss–Jordan).
  static func ranks(_ graph: Graph) -> [Double] {
    let n = graph.nodeCount
    var rows = (0..<n).map { row in (0...n).map { $0 == n ? 0.15 / Double(n) : $0 == row ? 1.0 : 0.0 } }
    for node in 0..<n {
      let arcs = graph.arcs.filter { $0.source == node }
      let sum = arcs.reduce(0) { $0 + $1.weight }
      for target in 0..<n {
        let weight = arcs.first { $0.target == target }?.weight ?? 0
        rows[target][node] -= 0.85 * (sum > 0 ? weight / sum : 1 / Double(n))
      }
    }
    for column in 0..<n {
      let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
      rows.swapAt(column, pivot)
      for row in 0..<n where row != column {
        let factor = rows[row][column] / rows[column][column]
        for k in column...n { rows[row][k] -= factor * rows[column][k] }
      }
    }
    return (0..<n).map { rows[$0][n] / rows[$0][$0] }
  }
}
