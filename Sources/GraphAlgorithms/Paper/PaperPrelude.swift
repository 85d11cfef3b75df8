import Construction

/// What a run needs besides the weights: state, graph, and the unit in which its weights are integers.
public struct PaperInput<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  public var state: ResidualStream<Scalar>
  public var graph: ColumnGraph
  /// Weights were multiplied by 2^scaleExponent.
  public var scaleExponent: Int
}

extension PaperGraphNetwork {
  /// The state before the first loop, and the graph as heads see it.
  ///
  /// - Parameters:
  ///   - source: where to start; ignored by `scc`.
  ///   - attention: the run's, so that limits are checked before anything runs.
  ///   - angle: δ between position codes; by default the largest that fits.
  /// - Throws: `PaperGraphError` if the result could not be exact.
  /// - Complexity: O(nodes + edges · log edges).
  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, _ algorithm: GraphAlgorithm, source: Int, attention: Attention, angle: Double? = nil,
    as scalar: Scalar.Type = Scalar.self
  ) throws -> PaperInput<Scalar> {
    let count = graph.nodeCount
    guard algorithms.contains(algorithm) else {
      throw PaperGraphError.algorithm(algorithm, network: network.name)
    }
    guard Scalar.significandBitCount + 1 >= range.significandBits else {
      throw PaperGraphError.dataType(needed: range)
    }
    if algorithm != .scc && (count > 0 || algorithm.needsSource) {
      guard (0..<count).contains(source) else { throw PaperGraphError.source(source, nodes: count) }
    }
    let circle = try CircleCode(count: count, angle: angle, range: range, attention: attention)
    // Keys of the first phase of scc fall to Ω/2 − 2·3n − 1.
    guard Double(6 * count + 2) <= range.infinity / 2 else {
      throw PaperGraphError.tooManyPositions(count, limit: Int(range.infinity / 12) - 1, range: range)
    }
    var arcs = graph.arcs
    var exponent = 0
    if algorithm == .dijkstra {
      exponent = try range.scale(&arcs, of: graph)
    } else {
      for arc in arcs.indices { arcs[arc].weight = 1 }
    }
    var state = ResidualStream<Scalar>(width: network.width, columnCount: count + 1)
    let codes = (0..<max(count, 1)).map { circle[$0 + 1].map { Scalar($0) } }
    let omega = Scalar(range.infinity)
    func set(_ field: Field, _ value: Scalar, _ column: Int) { state[field[0], column] = value }
    for node in 0..<count {
      let column = column(ofNode: node)
      set(scan.roles.local, 1, column)
      state[scan.roles.code, column] = codes[node]
      state[scan.successor, column] = codes[(node + 1) % count]
      set(scan.index, Scalar(node + 1), column)
      set(scan.key, node == source && algorithm != .scc ? 0 : omega, column)
    }
    set(scan.roles.global, 1, 0)
    set(scan.running, 1, 0)
    set(scan.time, 1, 0)
    set(scan.bestKey, 4 * omega, 0)
    if count > 0 { state[scan.current, 0] = codes[0] }
    switch fields {
    case .search(let search, let flags):
      for node in 0..<count {
        set(search.predecessor, Scalar(node + 1), column(ofNode: node))
        set(search.due, algorithm != .bfs || node == source ? 1 : 0, column(ofNode: node))
      }
      if let flag = flags[algorithm] { set(flag, 1, 0) }
    case .components(let components):
      for column in 0...count { set(components.firstPhase, 1, column) }
      for node in 0..<count { set(components.ownLabel, Scalar(node + 1), column(ofNode: node)) }
    }
    return PaperInput(
      state: state,
      graph: ColumnGraph(
        columnCount: count + 1,
        edges: arcs.map { .init(source: $0.source + 1, target: $0.target + 1, weight: $0.weight) }),
      scaleExponent: exponent)
  }

  public func hasTerminated<Scalar>(_ state: ResidualStream<Scalar>) -> Bool {
    state[scan.terminated[0], 0] == 1
  }

  /// The answer in a state. Depths of `bfs` are counted along its predecessors.
  ///
  /// - Throws: `PaperGraphError.precisionLoss` if a number is no integer in its range.
  /// - Complexity: O(nodes · log nodes).
  public func coda<Scalar>(
    _ state: ResidualStream<Scalar>, _ algorithm: GraphAlgorithm, scaleExponent: Int = 0
  ) throws -> GraphResult {
    let nodes = 0..<(state.columnCount - 1)
    func numbers(_ field: Field, _ limit: Double) throws -> [Int] {
      try nodes.map { node in
        let value = Double(state[field[0], column(ofNode: node)])
        guard value >= 0, value <= limit, value == value.rounded() else {
          throw PaperGraphError.precisionLoss("\(field.name) of node \(node)")
        }
        return Int(value)
      }
    }
    func indices(_ field: Field) throws -> [Int] {
      let numbers = try numbers(field, Double(nodes.count)).map { $0 - 1 }
      guard numbers.allSatisfy({ $0 >= 0 }) else { throw PaperGraphError.precisionLoss(field.name) }
      return numbers
    }
    var result = GraphResult()
    switch fields {
    case .components(let components): result.components = try indices(components.ownLabel)
    case .search(let search, _):
      let predecessors = try indices(search.predecessor)
      result.predecessors = predecessors
      if algorithm == .dijkstra {
        let unit = Double(sign: .plus, exponent: -scaleExponent, significand: 1)
        result.distances = try numbers(scan.key, range.infinity).map {
          Double($0) == range.infinity ? .infinity : Double($0) * unit
        }
        break
      }
      let times = try numbers(search.visitTime, Double(nodes.count))
      let order = nodes.filter { times[$0] > 0 }.sorted { times[$0] < times[$1] }
      result.order = order
      if algorithm == .bfs {
        var depths = [Double](repeating: .infinity, count: nodes.count)
        for node in order { depths[node] = predecessors[node] == node ? 0 : depths[predecessors[node]] + 1 }
        result.distances = depths
      }
    }
    return result
  }
}

extension ExactRange {
  /// Turns weights into integers: the largest power of two that divides them all becomes the unit.
  ///
  /// - Returns: the exponent e, where weights were multiplied by 2^e.
  /// - Throws: `PaperGraphError` for weights that are negative, infinite or NaN, and if a path could weigh Ω or more:
  ///   if the n − 1 heaviest arcs together do.
  func scale(_ arcs: inout [Graph.Edge], of graph: Graph) throws -> Int {
    var lowest = Int.max
    var highest = Int.min
    for arc in arcs {
      guard arc.weight >= 0, arc.weight.isFinite else {
        throw PaperGraphError.weight(
          arc.weight, source: graph.name(arc.source), target: graph.name(arc.target))
      }
      guard arc.weight > 0 else { continue }
      lowest = min(lowest, Int(arc.weight.exponent) - arc.weight.significandWidth)
      highest = max(highest, Int(arc.weight.exponent))
    }
    guard lowest < Int.max else { return 0 }
    let limit = infinity
    guard highest - lowest < significandBits - 2 else {
      throw PaperGraphError.weightRange(
        largestSum: Double(sign: .plus, exponent: highest - lowest, significand: 1), limit: limit, range: self
      )
    }
    for arc in arcs.indices where arcs[arc].weight > 0 {
      let weight = arcs[arc].weight
      arcs[arc].weight = Double(
        sign: .plus, exponent: Int(weight.exponent) - lowest, significand: weight.significand)
    }
    let largest = arcs.map(\.weight).sorted(by: >).prefix(max(graph.nodeCount - 1, 0)).reduce(0, +)
    guard largest < limit else {
      throw PaperGraphError.weightRange(largestSum: largest, limit: limit, range: self)
    }
    return -lowest
  }
}
