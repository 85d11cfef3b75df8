extension ReferenceAlgorithms {
  /// Shortest paths by Dijkstra's algorithm: the nearest unvisited node is extracted, the lowest of equally near ones.
  ///
  /// - Precondition: no negative weights.
  /// - Returns: `distances` and `predecessors`.
  /// - Complexity: O((nodes + edges) log nodes).
  public func dijkstra(from source: Int) -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph)
    var distances = [Scalar](repeating: .infinity, count: nodeCount)
    var predecessors = Array(0..<nodeCount)
    var isVisited = [Bool](repeating: false, count: nodeCount)
    var heap = MinimumHeap<Scalar>()
    distances[source] = 0
    heap.push(0, source)
    while let (distance, node) = heap.pop() {
      guard !isVisited[node] else { continue }
      isVisited[node] = true
      var event = GraphEvent(visited: [node])
      if node == source && observe != nil {
        event.changes.append(.init(node: node, value: 0, predecessor: node))
      }
      for arc in adjacency.arcs(of: node) {
        let target = Int(adjacency.targets[arc])
        let candidate = distance + adjacency.weights[arc]
        guard candidate < distances[target] else { continue }
        distances[target] = candidate
        predecessors[target] = node
        heap.push(candidate, target)
        if observe != nil {
          event.changes.append(.init(node: target, value: Double(candidate), predecessor: node))
        }
      }
      observe?(event)
    }
    var result = GraphResult()
    result.distances = distances.map { Double($0) }
    result.predecessors = predecessors
    return result
  }

  /// Breadth-first search with a queue, neighbours ascending.
  ///
  /// - Returns: `distances` in edges, `predecessors`, and `order`: the nodes reached, as they left the queue.
  /// - Complexity: O(nodes + edges).
  public func breadthFirstSearch(from source: Int) -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph)
    var distances = [Double](repeating: .infinity, count: nodeCount)
    var predecessors = Array(0..<nodeCount)
    var queue = [source]
    distances[source] = 0
    var head = 0
    while head < queue.count {
      let node = queue[head]
      var event = GraphEvent(visited: [node])
      if head == 0 && observe != nil {
        event.changes.append(.init(node: node, value: 0, predecessor: node))
      }
      head += 1
      for arc in adjacency.arcs(of: node) {
        let target = Int(adjacency.targets[arc])
        guard distances[target] == .infinity else { continue }
        distances[target] = distances[node] + 1
        predecessors[target] = node
        queue.append(target)
        if observe != nil {
          event.changes.append(.init(node: target, value: distances[target], predecessor: node))
        }
      }
      observe?(event)
    }
    var result = GraphResult()
    result.distances = distances
    result.predecessors = predecessors
    result.order = queue
    return result
  }

  /// Shortest paths by Bellman and Ford, all nodes at once: in every round each node looks at the distances its
  /// neighbours had before the round, and takes the best sum if it is strictly better.
  ///
  /// After k rounds a distance is at most that of the best walk of k edges. If round n (of n nodes) still improves a
  /// node, its chain of predecessors never ends, so it runs into a cycle. Every cycle of predecessors is negative: each
  /// node's distance is at least its predecessor's plus the weight between them, and more than that behind the node
  /// that improved last. So cycles are looked for early, after 1, 2, 4, … rounds.
  ///
  /// - Returns: `distances` and `predecessors`, or a negative `cycle` that the source reaches.
  /// - Complexity: O(nodes · edges), less where few nodes improve.
  public func bellmanFord(from source: Int) -> GraphResult {
    let adjacency = CompressedAdjacency<Scalar>(graph)
    var distances = [Scalar](repeating: .infinity, count: nodeCount)
    // -1: none. A negative self-loop makes a node its own predecessor, as a root must not look.
    var predecessors = [Int](repeating: -1, count: nodeCount)
    distances[source] = 0
    observe?(GraphEvent(changes: [.init(node: source, value: 0, predecessor: source)]))
    var improved = [source]
    var isCandidate = [Bool](repeating: false, count: nodeCount)
    var candidates = [Scalar](repeating: .infinity, count: nodeCount)
    var candidateSources = [Int](repeating: 0, count: nodeCount)
    var round = 0
    while !improved.isEmpty {
      round += 1
      var touched: [Int] = []
      // Ascending, so that of equal sums the lowest predecessor wins.
      for node in improved.sorted() {
        for arc in adjacency.arcs(of: node) {
          let target = Int(adjacency.targets[arc])
          let sum = distances[node] + adjacency.weights[arc]
          guard sum < distances[target], !isCandidate[target] || sum < candidates[target] else { continue }
          if !isCandidate[target] { touched.append(target) }
          isCandidate[target] = true
          candidates[target] = sum
          candidateSources[target] = node
        }
      }
      for node in touched {
        distances[node] = candidates[node]
        predecessors[node] = candidateSources[node]
        isCandidate[node] = false
      }
      if let observe {
        observe(
          GraphEvent(
            visited: improved,
            changes: touched.sorted().map {
              .init(node: $0, value: Double(distances[$0]), predecessor: predecessors[$0])
            }))
      }
      improved = touched
      if round & (round - 1) == 0 || round >= nodeCount, let cycle = Self.cycle(in: predecessors) {
        var result = GraphResult()
        result.cycle = cycle
        return result
      }
    }
    var result = GraphResult()
    result.distances = distances.map { Double($0) }
    result.predecessors = predecessors.indices.map { predecessors[$0] < 0 ? $0 : predecessors[$0] }
    return result
  }

  /// A cycle of predecessors, in the direction of the arcs; O(nodes).
  private static func cycle(in predecessors: [Int]) -> [Int]? {
    // 0: not seen; otherwise the number of the walk that saw the node.
    var walk = [Int](repeating: 0, count: predecessors.count)
    for start in predecessors.indices {
      var node = start
      while node >= 0 && walk[node] == 0 {
        walk[node] = start + 1
        node = predecessors[node]
      }
      guard node >= 0 && walk[node] == start + 1 else { continue }
      var cycle = [node]
      var next = predecessors[node]
      while next != node {
        cycle.append(next)
        next = predecessors[next]
      }
      return cycle.reversed()
    }
    return nil
  }
}
