import Construction

/// Why a compact network does not run on a graph: found before anything runs.
public enum CompactLimitError: Error, Equatable, CustomStringConvertible {
  case noSuchNode(Int, nodeCount: Int)
  case tooManyNodes(Int, limit: Int, dataType: String)
  case edge(Graph.Edge, String)
  case weightsTooLarge(sum: Double)

  public var description: String {
    switch self {
    case .noSuchNode(let node, let count): "there is no node \(node) among \(count)"
    case .tooManyNodes(let count, let limit, let dataType):
      "\(count) nodes: in \(dataType) the network tells \(limit) nodes apart"
    case .edge(let edge, let why):
      "the edge \(edge.source) → \(edge.target) has weight \(edge.weight): \(why)"
    case .weightsTooLarge(let sum):
      "the weights' magnitudes add up to \(sum), but distances must stay below \(CompactGraphLimits.largestSum)"
    }
  }
}

/// What the compact networks can compute with exactly.
public enum CompactGraphLimits {
  /// The largest sum of the magnitudes of all weights.
  public static let largestSum = 0x1p94

  /// The most nodes a network of this data type can number and tell apart: 2,097,151 for strongly connected components
  /// in float32; otherwise the limit of `DialCode`, and of indices below 2^23.
  public static func largestNodeCount(_ algorithm: GraphAlgorithm, ulpOfOne: Double) -> Int {
    let integers = algorithm == .scc ? CompactStrongComponents.largestNodeCount : (1 << 22) - 1
    return min(integers, Int(0.25 / ulpOfOne), DialCode.largestNodeCount(ulpOfOne: ulpOfOne))
  }
}

extension CompactGraphNetwork {
  func checkLimits<Scalar: BinaryFloatingPoint>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) throws(CompactLimitError) {
    if let source, source < 0 || source >= graph.nodeCount {
      throw .noSuchNode(source, nodeCount: graph.nodeCount)
    }
    if source == nil && algorithm.needsSource && graph.nodeCount == 0 {
      throw .noSuchNode(0, nodeCount: 0)
    }
    let limit = CompactGraphLimits.largestNodeCount(algorithm, ulpOfOne: Double(Scalar.ulpOfOne))
    if graph.nodeCount > limit {
      throw .tooManyNodes(graph.nodeCount, limit: limit, dataType: "float\(MemoryLayout<Scalar>.size * 8)")
    }
    let usesWeights = [.dijkstra, .minimumSpanningTree, .bellmanFord, .pageRank].contains(algorithm)
    let forbidsNegative = algorithm == .dijkstra || algorithm == .pageRank
    var sum = 0.0
    for edge in graph.edges {
      for node in [edge.source, edge.target] where node < 0 || node >= graph.nodeCount {
        throw .noSuchNode(node, nodeCount: graph.nodeCount)
      }
      guard usesWeights else { continue }
      if !edge.weight.isFinite { throw .edge(edge, "it must be a number") }
      if forbidsNegative && edge.weight < 0 { throw .edge(edge, "\(algorithm.rawValue) needs weights ≥ 0") }
      sum += abs(edge.weight)
    }
    if sum >= CompactGraphLimits.largestSum { throw .weightsTooLarge(sum: sum) }
  }
}
