extension ReferenceAlgorithms {
  /// A minimum spanning forest by Prim's algorithm, edges taken both ways: the unvisited node with the lightest edge to
  /// the tree comes next, the lowest of equal ones; the lowest unvisited node starts a new tree if no edge leads on.
  ///
  /// - Returns: `predecessors`, `distances` (the weight of the edge to the predecessor, 0 for roots), and `order`.
  /// - Complexity: O((nodes + edges) log nodes).
  public func minimumSpanningTree() -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph, .both)
    var keys = [Scalar](repeating: .infinity, count: nodeCount)
    var predecessors = Array(0..<nodeCount)
    var isVisited = [Bool](repeating: false, count: nodeCount)
    var order: [Int] = []
    var heap = MinimumHeap<Scalar>()
    for root in 0..<nodeCount where !isVisited[root] {
      keys[root] = 0
      heap.push(0, root)
      while let (_, node) = heap.pop() {
        guard !isVisited[node] else { continue }
        isVisited[node] = true
        order.append(node)
        var event = GraphEvent(visited: [node])
        if node == root && observe != nil {
          event.changes.append(.init(node: node, value: 0, predecessor: node))
        }
        for arc in adjacency.arcs(of: node) {
          let target = Int(adjacency.targets[arc])
          guard !isVisited[target], adjacency.weights[arc] < keys[target] else { continue }
          keys[target] = adjacency.weights[arc]
          predecessors[target] = node
          heap.push(keys[target], target)
          if observe != nil {
            event.changes.append(.init(node: target, value: Double(keys[target]), predecessor: node))
          }
        }
        observe?(event)
      }
    }
    var result = GraphResult()
    result.distances = keys.map { Double($0) }
    result.predecessors = predecessors
    result.order = order
    return result
  }

  /// PageRank by power iteration: r ← d (Wᵀr + m/n) + (1 − d)/n, where W has rows of sum 1 and m is the rank of the
  /// nodes without outgoing weight, from r = 1/n until Σ|Δr| < n · tolerance (networkx's convention).
  ///
  /// - Precondition: no negative weights.
  /// - Returns: `ranks`, summing to 1.
  /// - Parameters:
  ///   - tolerance: not below what `Scalar` can tell apart.
  ///   - limit: the number of iterations after which it gives up getting closer.
  /// - Complexity: O(edges) for each of about log(1/(n · tolerance)) / log(1/damping) iterations.
  public func pageRank(damping: Scalar = 0.85, tolerance: Scalar = 1e-12, limit: Int = 1000) -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph)
    let share = 1 / Scalar(max(nodeCount, 1))
    var ranks = [Scalar](repeating: share, count: nodeCount)
    let inverseSums = (0..<nodeCount).map { node in
      let sum = adjacency.arcs(of: node).reduce(Scalar(0)) { $0 + adjacency.weights[$1] }
      return sum > 0 ? 1 / sum : 0
    }
    let smallestChange = Scalar(nodeCount) * max(tolerance, Scalar.ulpOfOne * share)
    for _ in 0..<limit {
      var next = [Scalar](repeating: 0, count: nodeCount)
      var dangling: Scalar = 0
      for node in 0..<nodeCount {
        guard inverseSums[node] > 0 else {
          dangling += ranks[node]
          continue
        }
        let flow = ranks[node] * inverseSums[node]
        for arc in adjacency.arcs(of: node) {
          next[Int(adjacency.targets[arc])] += flow * adjacency.weights[arc]
        }
      }
      let base = damping * dangling * share + (1 - damping) * share
      var change: Scalar = 0
      for node in 0..<nodeCount {
        next[node] = damping * next[node] + base
        change += abs(next[node] - ranks[node])
      }
      ranks = next
      observe?(
        GraphEvent(
          changes: observe == nil
            ? [] : ranks.indices.map { .init(node: $0, value: Double(ranks[$0]), predecessor: $0) }))
      if change < smallestChange { break }
    }
    var result = GraphResult()
    result.ranks = ranks.map { Double($0) }
    return result
  }
}
