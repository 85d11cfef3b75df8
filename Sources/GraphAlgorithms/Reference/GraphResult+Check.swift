extension GraphAlgorithm {
  /// What is wrong with a result, or `nil` if it is a right one: equal to the reference where only one answer is right,
  /// and as good where there are several (predecessors, topological orders, spanning trees, cycles).
  ///
  /// - Parameters:
  ///   - reference: what `reference(…)` found for the same question.
  ///   - tolerance: how far ranks may be from the reference's; everything else must be equal.
  /// - Complexity: O((nodes + edges) log nodes).
  public func disagreement(
    of result: GraphResult, with reference: GraphResult, graph: Graph, source: Int = 0,
    isFloat32: Bool = false,
    tolerance: Double? = nil
  ) -> String? {
    isFloat32
      ? ResultCheck<Float>(graph, result, reference, source).run(self, tolerance: tolerance ?? 1e-5)
      : ResultCheck<Double>(graph, result, reference, source).run(self, tolerance: tolerance ?? 1e-9)
  }
}

private struct ResultCheck<Scalar: BinaryFloatingPoint> {
  let graph: Graph
  let result: GraphResult
  let reference: GraphResult
  let source: Int
  let adjacency: CompressedAdjacency<Scalar>

  init(_ graph: Graph, _ result: GraphResult, _ reference: GraphResult, _ source: Int) {
    self.graph = graph
    self.result = result
    self.reference = reference
    self.source = source
    adjacency = CompressedAdjacency<Scalar>(graph)
  }

  func run(_ algorithm: GraphAlgorithm, tolerance: Double) -> String? {
    switch algorithm {
    case .dijkstra, .bfs: return distances() ?? tree(isBreadthFirst: algorithm == .bfs)
    case .bellmanFord: return cycle(isNegative: true) ?? distances() ?? tree(isBreadthFirst: false)
    case .dfs:
      return equal(result.order, reference.order, "node in the order")
        ?? equal(result.predecessors, reference.predecessors, "predecessor")
    case .scc, .components:
      return equal(
        result.components.map(GraphResult.lowestNodes), reference.components.map(GraphResult.lowestNodes),
        "component")
    case .topologicalOrder: return cycle(isNegative: false) ?? order()
    case .minimumSpanningTree: return spanningForest()
    case .pageRank:
      guard let ranks = result.ranks, let expected = reference.ranks, ranks.count == expected.count else {
        return "there are no ranks"
      }
      return ranks.indices.first { !(abs(ranks[$0] - expected[$0]) <= tolerance) }.map {
        "the rank of \(graph.name($0)) is \(ranks[$0]), the reference's \(expected[$0])"
      }
    }
  }

  private func equal<Value: Equatable>(_ ours: [Value]?, _ theirs: [Value]?, _ what: String) -> String? {
    guard let ours, let theirs else { return ours == nil && theirs == nil ? nil : "there is no \(what)" }
    guard ours.count == theirs.count else { return "\(ours.count) values for \(theirs.count) nodes: \(what)" }
    return ours.indices.first { ours[$0] != theirs[$0] }.map {
      "\(what) \(graph.name($0)) is \(ours[$0]), the reference's \(theirs[$0])"
    }
  }

  private func distances() -> String? { equal(result.distances, reference.distances, "distance of") }

  private func weight(_ from: Int, _ to: Int, _ adjacency: CompressedAdjacency<Scalar>) -> Scalar? {
    var range = adjacency.arcs(of: from)
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      let target = Int(adjacency.targets[middle])
      if target == to { return adjacency.weights[middle] }
      range = target < to ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }

  /// Whether following predecessors always ends at a node that is its own.
  private func endsAtRoots(_ predecessors: [Int]) -> Bool {
    var isGood = predecessors.indices.map { predecessors[$0] == $0 }
    for start in predecessors.indices where !isGood[start] {
      var path: [Int] = []
      var node = start
      while !isGood[node] {
        guard path.count < predecessors.count else { return false }
        path.append(node)
        node = predecessors[node]
      }
      for node in path { isGood[node] = true }
    }
    return true
  }

  /// Every node reached has a predecessor over which its distance comes about.
  private func tree(isBreadthFirst: Bool) -> String? {
    guard let distances = result.distances else { return nil }
    guard let predecessors = result.predecessors, predecessors.count == graph.nodeCount,
      predecessors.allSatisfy({ distances.indices.contains($0) })
    else { return "there are no predecessors" }
    for node in predecessors.indices {
      let before = predecessors[node]
      if before == node {
        if node != source && distances[node] < .infinity {
          return "\(graph.name(node)) is reached, but has no predecessor"
        }
        continue
      }
      guard let weight = weight(before, node, adjacency) else {
        return "there is no edge from \(graph.name(before)) to \(graph.name(node))"
      }
      let sum =
        isBreadthFirst ? distances[before] + 1 : Double(Scalar(distances[before]) + weight)
      guard node != source, sum == distances[node], sum < .infinity else {
        return "\(graph.name(node)) is not reached over \(graph.name(before))"
      }
    }
    return endsAtRoots(predecessors) ? nil : "the predecessors run in a circle"
  }

  private func order() -> String? {
    guard let order = result.order else { return result.cycle == nil ? "there is no order" : nil }
    var place = [Int](repeating: -1, count: graph.nodeCount)
    for (index, node) in order.enumerated() {
      guard place.indices.contains(node), place[node] < 0 else { return "node \(node) is no node, or twice" }
      place[node] = index
    }
    guard order.count == graph.nodeCount else { return "the order lacks nodes" }
    for node in place.indices {
      for arc in adjacency.arcs(of: node) where place[node] >= place[Int(adjacency.targets[arc])] {
        return "\(graph.name(node)) must come before \(graph.name(Int(adjacency.targets[arc])))"
      }
    }
    return nil
  }

  private func cycle(isNegative: Bool) -> String? {
    guard let cycle = result.cycle else {
      return reference.cycle == nil ? nil : "there is a cycle, which was not found"
    }
    guard !cycle.isEmpty, Set(cycle).count == cycle.count,
      cycle.allSatisfy({ $0 >= 0 && $0 < graph.nodeCount })
    else { return "the cycle is empty, or meets a node twice" }
    var sum: Scalar = 0
    for (node, next) in zip(cycle, cycle.dropFirst() + [cycle[0]]) {
      guard let weight = weight(node, next, adjacency) else {
        return "there is no edge from \(graph.name(node)) to \(graph.name(next))"
      }
      sum += weight
    }
    return !isNegative || sum < 0 ? nil : "the cycle's weight is \(sum)"
  }

  /// All minimum spanning forests have the same weights, sorted.
  private func spanningForest() -> String? {
    guard let predecessors = result.predecessors, let weights = result.distances,
      predecessors.count == graph.nodeCount, weights.count == graph.nodeCount,
      predecessors.allSatisfy({ weights.indices.contains($0) })
    else { return "there is no tree" }
    let both = CompressedAdjacency<Scalar>(graph, .both)
    for node in predecessors.indices {
      let edge = predecessors[node] == node ? 0 : weight(predecessors[node], node, both)
      guard let edge, Double(edge) == weights[node] else {
        return "no edge of weight \(weights[node]) joins \(graph.name(node)) to the tree"
      }
    }
    guard endsAtRoots(predecessors) else { return "the tree has a circle" }
    func roots(_ predecessors: [Int]?) -> Int {
      predecessors.map { list in list.indices.reduce(0) { $0 + (list[$1] == $1 ? 1 : 0) } } ?? 0
    }
    guard roots(predecessors) == roots(reference.predecessors) else { return "wrong number of trees" }
    return weights.sorted() == reference.distances?.sorted() ? nil : "the tree is not the lightest"
  }
}
