import GraphAlgorithms

struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Small random graphs of every kind: empty to dense, directed and undirected, self-loops, parallel edges, weights that
/// are zero, whole or quarters.
struct RandomGraphs {
  var generator: SplitMix64

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

/// The textbook algorithms in their shortest form: recursion, a plain queue, a search for every minimum.
struct PlainSearch {
  let count: Int
  let out: [[(node: Int, weight: Double)]]

  init(_ graph: Graph) {
    count = graph.nodeCount
    var out = [[(node: Int, weight: Double)]](repeating: [], count: count)
    for arc in graph.arcs { out[arc.source].append((arc.target, arc.weight)) }
    self.out = out
  }

  func run(_ algorithm: GraphAlgorithm, source: Int) -> GraphResult {
    var result = GraphResult()
    var predecessors = Array(0..<count)
    var distances = [Double](repeating: .infinity, count: count)
    var order: [Int] = []
    switch algorithm {
    case .dijkstra:
      distances[source] = 0
      var open = Set(0..<count)
      while let node = open.min(by: { (distances[$0], $0) < (distances[$1], $1) }) {
        open.remove(node)
        for (target, weight) in out[node] where distances[node] + weight < distances[target] {
          distances[target] = distances[node] + weight
          predecessors[target] = node
        }
      }
      (result.distances, result.predecessors) = (distances, predecessors)
    case .bfs:
      distances[source] = 0
      order = [source]
      var head = 0
      while head < order.count {
        let node = order[head]
        head += 1
        for (target, _) in out[node] where distances[target] == .infinity {
          distances[target] = distances[node] + 1
          predecessors[target] = node
          order.append(target)
        }
      }
      (result.distances, result.predecessors, result.order) = (distances, predecessors, order)
    case .dfs:
      func visit(_ node: Int) {
        order.append(node)
        for (target, _) in out[node] where !order.contains(target) {
          predecessors[target] = node
          visit(target)
        }
      }
      for root in [source] + (0..<count) where !order.contains(root) { visit(root) }
      (result.predecessors, result.order) = (predecessors, order)
    default:
      let reach = (0..<count).map { reachable(from: $0) }
      result.components = (0..<count).map { node in
        (0..<count).first { reach[node].contains($0) && reach[$0].contains(node) }!
      }
    }
    return result
  }

  private func reachable(from node: Int) -> Set<Int> {
    var seen: Set = [node]
    var open = [node]
    while let node = open.popLast() {
      for (target, _) in out[node] where seen.insert(target).inserted { open.append(target) }
    }
    return seen
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
