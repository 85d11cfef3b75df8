/// What one graph head passes on: y_i for every column i, and which of them are not zero. Only those are multiplied by
/// the graph, so a head that passes on one node's values costs as much as the node has edges.
final class Mixer<Scalar: BinaryFloatingPoint & Sendable> {
  let mixing: GraphMixing
  private let rowCount: Int
  /// y, `rowCount` destination rows per column.
  private var values: [Scalar]
  private let isSource: ColumnFlags
  private var sources: [Int32] = []
  private var areSorted = true
  private var areAllSources = true
  /// Contributions to each active column, a list in ascending order of the source.
  private let first: UnsafeMutablePointer<Int32>
  private var targets: [Int32] = []
  private var contributions: [(source: Int32, next: Int32, factor: Scalar)] = []

  init(_ mixing: GraphMixing, _ weights: CompiledHead<Scalar>, columnCount: Int) {
    self.mixing = mixing
    rowCount = weights.destinations.count
    values = Array(repeating: 0, count: columnCount * rowCount)
    isSource = ColumnFlags(count: columnCount)
    first = .allocate(capacity: columnCount)
    first.initialize(repeating: -1, count: columnCount)
  }

  deinit { first.deallocate() }

  /// - Returns: whether y of the column changed.
  @inline(__always)
  func set(_ column: Int32, from attended: UnsafePointer<Scalar>, _ weights: CompiledHead<Scalar>) -> Bool {
    var isChanged = false
    var isZero = true
    let base = Int(column) * rowCount
    for i in 0..<rowCount {
      let value = attended[Int(weights.destinations[i])]
      isChanged = isChanged || value != values[base + i]
      isZero = isZero && value == 0
      values[base + i] = value
    }
    if isSource[Int(column)] == isZero {
      isSource[Int(column)] = !isZero
      if isZero { areAllSources = false } else { insert(column) }
    }
    return isChanged
  }

  @inline(__always)
  private func insert(_ column: Int32) {
    areSorted = areSorted && (sources.last ?? -1) < column
    sources.append(column)
  }

  /// Lists, for every active column, what it receives.
  @inline(__always)
  func gather(_ edges: ColumnGraph.Adjacency, _ isActive: ColumnFlags) {
    if !areAllSources {
      sources.removeAll { !isSource[Int($0)] }
      areAllSources = true
    }
    if !areSorted {
      sources.sort()
      areSorted = true
    }
    for source in sources.reversed() {
      for edge in edges.range(Int(source)) where isActive[Int(edges.columns[edge])] {
        let target = edges.columns[edge]
        if first[Int(target)] < 0 { targets.append(target) }
        contributions.append(
          (source, first[Int(target)], mixing.isWeighted ? Scalar(edges.weights[edge]) : 1))
        first[Int(target)] = Int32(contributions.count - 1)
      }
    }
  }

  @inline(__always)
  func add(to column: Int32, _ weights: CompiledHead<Scalar>, _ target: UnsafeMutablePointer<Scalar>) {
    var entry = first[Int(column)]
    while entry >= 0 {
      let (source, next, factor) = contributions[Int(entry)]
      for i in 0..<rowCount {
        target[Int(weights.destinations[i])] += factor * values[Int(source) * rowCount + i]
      }
      entry = next
    }
  }

  func forget() {
    for target in targets { first[Int(target)] = -1 }
    targets.removeAll(keepingCapacity: true)
    contributions.removeAll(keepingCapacity: true)
  }
}

extension GraphMixing.Direction {
  var reversed: Self { self == .alongEdges ? .againstEdges : .alongEdges }
}

extension ExactExecutor {
  /// Recomputes what active columns pass on, and activates those that receive something else than before.
  @inline(never)
  func passOn(_ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>, _ active: inout [Int32]) throws {
    let mixer = head.mixer!
    let receivers = graph!.adjacency(mixer.mixing.direction.reversed)
    try passed.withUnsafeMutableBufferPointer { passed in
      let passed = passed.baseAddress!
      var order = 0
      let count = active.count
      while order < count {
        let column = active[order]
        order += 1
        for row in head.weights.destinations { passed[Int(row)] = 0 }
        try attend(head, column, x, passed)
        guard mixer.set(column, from: passed, head.weights) else { continue }
        for edge in receivers.range(Int(column)) { activate(receivers.columns[edge], &active) }
      }
    }
  }

  @inline(never)
  func gather(_ head: ExactHead<Scalar>) {
    head.mixer!.gather(graph!.adjacency(head.mixer!.mixing.direction.reversed), isActive)
  }

  /// Activates the columns that attend to a dirty one.
  @inline(never)
  func activateNeighbors(of direction: GraphMixing.Direction, _ active: inout [Int32]) {
    let readers = graph!.adjacency(direction.reversed)
    for column in dirty {
      for edge in readers.range(Int(column)) { activate(readers.columns[edge], &active) }
    }
  }

  /// As `DenseExecutor` does it. Complexity: O(edges of the column).
  @inline(never)
  func attendAlongEdges(
    _ head: ExactHead<Scalar>, _ column: Int32, _ x: UnsafeMutablePointer<Scalar>,
    _ target: UnsafeMutablePointer<Scalar>
  ) throws {
    let width = network.width
    let weights = head.weights
    guard weights.kind != .smooth else { throw ExecutionError.smoothAlongEdges(head: head.name) }
    let neighborhood = weights.neighborhood!
    let edges = graph!.adjacency(neighborhood.direction)
    let source = UnsafePointer(x) + Int(column) * width
    let perWeight = Scalar(neighborhood.scorePerWeight)
    winners.removeAll(keepingCapacity: true)
    var highest = -Scalar.infinity
    for edge in edges.range(Int(column)) {
      let key = UnsafePointer(x) + Int(edges.columns[edge]) * width
      var score = weights.priority.dot(0, key)
      for i in 0..<weights.key.rowCount { score += weights.key.dot(i, key) * weights.query.dot(i, source) }
      score += perWeight * Scalar(edges.weights[edge])
      if score > highest {
        highest = score
        winners.removeAll(keepingCapacity: true)
      }
      if score == highest && (weights.kind == .selector || winners.isEmpty) { winners.append(Int32(edge)) }
    }
    let share = 1 / Scalar(winners.count)
    for edge in winners {
      weights.addValues(
        of: UnsafePointer(x) + Int(edges.columns[Int(edge)]) * width, weight: share, to: target)
      for output in neighborhood.weightOutputs {
        target[output.row] += share * Scalar(output.coefficient) * Scalar(edges.weights[Int(edge)])
      }
    }
  }
}
