/// A graph's arcs, grouped by the node they leave, targets ascending (compressed sparse rows).
///
/// The same arcs as `Graph.arcs`: at most one from any node to any other, the lightest of parallel ones.
/// Memory: O(nodes + arcs). Two counting sorts instead of one by comparison: O(nodes + edges).
struct CompressedAdjacency<Scalar: BinaryFloatingPoint> {
  /// The arcs of node v are `starts[v] ..< starts[v + 1]`.
  private(set) var starts: [Int]
  private(set) var targets: [Int32]
  private(set) var weights: [Scalar]

  var nodeCount: Int { starts.count - 1 }

  enum Direction { case forward, backward, both }

  /// - Parameter direction: `backward` turns every arc round; `both` adds every arc's opposite.
  init(_ graph: Graph, _ direction: Direction = .forward) {
    precondition(graph.nodeCount < Int32.max, "more nodes than 32 bits can number")
    let takesBoth = !graph.isDirected || direction == .both
    let isBackward = direction == .backward && graph.isDirected
    let count = graph.edges.count * (takesBoth ? 2 : 1)
    var byTarget = [(source: Int32, target: Int32, weight: Scalar)](repeating: (0, 0, 0), count: count)
    func forEachArc(_ visit: (Int, Int, Scalar) -> Void) {
      for edge in graph.edges {
        let weight = Scalar(edge.weight)
        if isBackward || takesBoth { visit(edge.target, edge.source, weight) }
        if !isBackward { visit(edge.source, edge.target, weight) }
      }
    }
    var next = [Int](repeating: 0, count: graph.nodeCount + 1)
    forEachArc { _, target, _ in next[target + 1] += 1 }
    for node in 0..<graph.nodeCount { next[node + 1] += next[node] }
    forEachArc { source, target, weight in
      byTarget[next[target]] = (Int32(source), Int32(target), weight)
      next[target] += 1
    }

    starts = [Int](repeating: 0, count: graph.nodeCount + 1)
    for arc in byTarget { starts[Int(arc.source) + 1] += 1 }
    for node in 0..<graph.nodeCount { starts[node + 1] += starts[node] }
    targets = [Int32](repeating: 0, count: count)
    weights = [Scalar](repeating: 0, count: count)
    next = starts
    for arc in byTarget {
      let place = next[Int(arc.source)]
      targets[place] = arc.target
      weights[place] = arc.weight
      next[Int(arc.source)] += 1
    }
    mergeParallelArcs()
  }

  private mutating func mergeParallelArcs() {
    var kept = 0
    var first = 0
    for node in 0..<nodeCount {
      let end = starts[node + 1]
      let start = kept
      for arc in first..<end {
        if kept > start && targets[kept - 1] == targets[arc] {
          weights[kept - 1] = min(weights[kept - 1], weights[arc])
        } else {
          targets[kept] = targets[arc]
          weights[kept] = weights[arc]
          kept += 1
        }
      }
      first = end
      starts[node + 1] = kept
    }
    targets.removeLast(targets.count - kept)
    weights.removeLast(weights.count - kept)
  }

  func arcs(of node: Int) -> Range<Int> { starts[node]..<starts[node + 1] }
}
