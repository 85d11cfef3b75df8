extension ReferenceAlgorithms {
  /// Depth-first search as the recursion with ascending neighbours does it, without the recursion; when no node is
  /// left to reach, it starts again at the lowest unvisited one.
  ///
  /// - Returns: `order` (every node, as it was first seen) and `predecessors`.
  /// - Complexity: O(nodes + edges).
  public func depthFirstSearch(from source: Int) -> GraphResult {
    var result = GraphResult()
    guard nodeCount > 0 else {
      (result.order, result.predecessors) = ([], [])
      return result
    }
    var order: [Int] = []
    var predecessors = Array(0..<nodeCount)
    forest(CompressedAdjacency<Scalar>(graph), roots: [source] + Array(0..<nodeCount)) { node, predecessor in
      order.append(node)
      predecessors[node] = predecessor
      observe?(
        GraphEvent(
          visited: [node],
          changes: [.init(node: node, value: Double(order.count - 1), predecessor: predecessor)]))
    } leave: { _ in
    }
    result.order = order
    result.predecessors = predecessors
    return result
  }

  /// Kosaraju's algorithm: nodes by the time a depth-first search left them, latest first, then a search against the
  /// edges; each of its trees is a component.
  ///
  /// - Returns: `components`: the lowest node of each node's strongly connected component.
  /// - Complexity: O(nodes + edges).
  public func stronglyConnectedComponents() -> GraphResult {
    var left: [Int] = []
    left.reserveCapacity(nodeCount)
    forest(CompressedAdjacency<Scalar>(graph), roots: Array(0..<nodeCount)) { _, _ in
    } leave: {
      left.append($0)
    }
    var root = Array(0..<nodeCount)
    forest(CompressedAdjacency<Scalar>(graph, .backward), roots: left.reversed()) { node, predecessor in
      root[node] = predecessor == node ? node : root[predecessor]
      observe?(
        GraphEvent(
          visited: [node], changes: [.init(node: node, value: Double(root[node]), predecessor: predecessor)]))
    } leave: { _ in
    }
    var result = GraphResult()
    result.components = GraphResult.lowestNodes(root)
    return result
  }

  /// Components of the graph with every edge taken both ways.
  ///
  /// - Returns: `components`: the lowest node of each node's component.
  /// - Complexity: O(nodes + edges).
  public func connectedComponents() -> GraphResult {
    var components = Array(0..<nodeCount)
    forest(CompressedAdjacency<Scalar>(graph, .both), roots: Array(0..<nodeCount)) { node, predecessor in
      components[node] = predecessor == node ? node : components[predecessor]
      observe?(
        GraphEvent(
          visited: [node],
          changes: [.init(node: node, value: Double(components[node]), predecessor: predecessor)]))
    } leave: { _ in
    }
    var result = GraphResult()
    result.components = components
    return result
  }

  /// Kahn's algorithm: of the nodes without an unvisited predecessor the lowest comes next.
  ///
  /// - Returns: `order` if it holds every node; otherwise a `cycle`. An undirected edge is a cycle of two nodes.
  /// - Complexity: O((nodes + edges) log nodes).
  public func topologicalOrder() -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph)
    var incoming = [Int](repeating: 0, count: nodeCount)
    for target in adjacency.targets { incoming[Int(target)] += 1 }
    var heap = MinimumHeap<Int>()
    for node in 0..<nodeCount where incoming[node] == 0 { heap.push(node, node) }
    var order: [Int] = []
    while let (_, node) = heap.pop() {
      order.append(node)
      observe?(
        GraphEvent(
          visited: [node], changes: [.init(node: node, value: Double(order.count - 1), predecessor: node)]))
      for arc in adjacency.arcs(of: node) {
        let target = Int(adjacency.targets[arc])
        incoming[target] -= 1
        if incoming[target] == 0 { heap.push(target, target) }
      }
    }
    var result = GraphResult()
    if order.count == nodeCount {
      result.order = order
    } else {
      result.cycle = cycle(among: incoming)
    }
    return result
  }

  /// Every node left has a predecessor among those left: walking backwards must meet a node again.
  private func cycle(among incoming: [Int]) -> [Int] {
    let backward = CompressedAdjacency<Scalar>(graph, .backward)
    var node = incoming.firstIndex { $0 > 0 } ?? 0
    var place = [Int: Int]()
    var walk: [Int] = []
    while place[node] == nil {
      place[node] = walk.count
      walk.append(node)
      let before = backward.arcs(of: node).first { incoming[Int(backward.targets[$0])] > 0 }
      node = before.map { Int(backward.targets[$0]) } ?? node
    }
    return walk[(place[node] ?? 0)...].reversed()
  }

  /// Depth-first trees from each root that is not yet visited, neighbours ascending.
  private func forest(
    _ adjacency: CompressedAdjacency<Scalar>, roots: [Int], enter: (_ node: Int, _ predecessor: Int) -> Void,
    leave: (Int) -> Void
  ) {
    // The arc of each node that is looked at next; -1 before the node is visited.
    var next = [Int](repeating: -1, count: nodeCount)
    var stack: [Int] = []
    for root in roots where next[root] < 0 {
      next[root] = adjacency.starts[root]
      stack.append(root)
      enter(root, root)
      while let node = stack.last {
        guard next[node] < adjacency.starts[node + 1] else {
          leave(node)
          stack.removeLast()
          continue
        }
        let target = Int(adjacency.targets[next[node]])
        next[node] += 1
        guard next[target] < 0 else { continue }
        next[target] = adjacency.starts[target]
        stack.append(target)
        enter(target, node)
      }
    }
  }
}

extension GraphResult {
  /// The same partition with the lowest node of every part as its representative; O(nodes).
  ///
  /// - Parameter representatives: one node for each node, the same for all of a part.
  public static func lowestNodes(_ representatives: [Int]) -> [Int] {
    var lowest = [Int](repeating: -1, count: representatives.count)
    return representatives.indices.map { node in
      let representative = representatives[node]
      if lowest[representative] < 0 { lowest[representative] = node }
      return lowest[representative]
    }
  }
}
