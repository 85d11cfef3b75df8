#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How the keys that a query attends to are found.
enum Route { case table, participants, leftmost, alongEdges }

/// One head with the tables that find its winners.
final class ExactHead<Scalar: BinaryFloatingPoint & Sendable> {
  let name: String
  let weights: CompiledHead<Scalar>
  let route: Route
  let isMixing: Bool
  let sharesCodes: Bool
  let keys: HeadIndex
  let queries: HeadIndex
  /// Selector heads: the columns with a priority, and it.
  var preferred: [(column: Int32, priority: Scalar)] = []
  /// Smooth heads: the keys that can have a weight, in ascending order, and their priorities.
  var participants: [(column: Int32, priority: Scalar)] = []
  var codes: [Scalar] = []
  /// The highest priority among all other columns.
  var excludedPriority = -Scalar.infinity

  /// Leftmost heads: how the winner is found.
  let search: LeftmostSearch<Scalar>?
  /// Whether another head of the layer keeps `search` up to date.
  let sharesSearch: Bool
  /// Graph heads: what they pass on.
  let mixer: Mixer<Scalar>?

  init(_ head: AttentionHead, layer: String, columnCount: Int, search: LeftmostSearch<Scalar>?) {
    name = "\(layer) / \(head.name)"
    let weights = CompiledHead<Scalar>(head)
    self.weights = weights
    sharesCodes = head.query == head.key
    route =
      if head.neighborhood != nil { .alongEdges } else {
        switch head.kind {
        case .selector: .table
        case .smooth: .participants
        case .leftmost: .leftmost
        }
      }
    isMixing = head.mixing != nil
    let isLeftmost = route == .leftmost
    self.search = search ?? (isLeftmost ? LeftmostSearch(head, columnCount: columnCount) : nil)
    sharesSearch = search != nil
    mixer = head.mixing.map { Mixer($0, weights, columnCount: columnCount) }
    let isSelector = route == .table
    keys = HeadIndex(columnCount: isSelector ? columnCount : 0, dimension: isSelector ? head.key.rowCount : 0)
    queries =
      sharesCodes
      ? keys
      : HeadIndex(columnCount: isSelector ? columnCount : 0, dimension: isSelector ? head.key.rowCount : 0)
  }

  func priority(of column: Int32) -> Scalar {
    for entry in preferred where entry.column == column { return entry.priority }
    return 0
  }
}

/// e^−746 underflows to 0 in double precision, and so in every narrower type.
private let negligible = 746.0

extension ExactExecutor {
  /// Refreshes the codes of dirty columns, and activates resting columns that attend, or attended, to one of them.
  @inline(__always)
  func rekey(_ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>, _ active: inout [Int32]) throws {
    switch head.route {
    case .table: break
    case .participants: return try findParticipants(head, x)
    case .leftmost:
      if !head.sharesSearch { try refresh(head.search!, head, x, &active) }
      return
    case .alongEdges: return activateNeighbors(of: head.weights.neighborhood!.direction, &active)
    }
    for column in dirty where hasNewCodes[Int(column)] {
      let source = UnsafePointer(x) + Int(column) * network.width
      let key = try pack(head.weights.key, source, head, column)
      let old = head.keys.codes[Int(column)]
      if key != old {
        activateColumns(querying: old, head, &active)
        head.keys.update(Int(column), to: key)
      }
      if !head.sharesCodes {
        head.queries.update(Int(column), to: try pack(head.weights.query, source, head, column))
      }
      if head.weights.hasPriority { try updatePriority(head, source, column) }
    }
    for column in dirty { activateColumns(querying: head.keys.codes[Int(column)], head, &active) }
  }

  @inline(__always)
  private func activateColumns(querying code: UInt64, _ head: ExactHead<Scalar>, _ active: inout [Int32]) {
    guard code != HeadIndex.none else { return }
    var column = head.queries.first(code)
    while column >= 0 {
      if !isActive[Int(column)] {
        isActive[Int(column)] = true
        active.append(column)
      }
      column = head.queries.after(column)
    }
  }

  private func updatePriority(
    _ head: ExactHead<Scalar>, _ source: UnsafePointer<Scalar>, _ column: Int32
  ) throws {
    let priority = head.weights.priority.dot(0, source)
    guard priority != head.priority(of: column) else { return }
    guard priority >= 0 && priority < 2 else {
      throw ExecutionError.priorityOutOfRange(head: head.name, column: Int(column))
    }
    head.preferred.removeAll { $0.column == column }
    if priority > 0 { head.preferred.append((column, priority)) }
  }

  @inline(__always)
  private func pack(
    _ rows: CompiledRows<Scalar>, _ column: UnsafePointer<Scalar>, _ head: ExactHead<Scalar>, _ number: Int32
  ) throws -> UInt64 {
    var set: UInt64 = 0
    var zero: UInt64 = 0
    var other = false
    for i in 0..<rows.rowCount {
      let entry = rows.dot(i, column)
      set |= (entry == 1 ? 1 : 0) << UInt64(i)
      zero |= (entry == 0 ? 1 : 0) << UInt64(i)
      other = other || !(entry == 1 || entry == 0 || entry == -1)
    }
    if !other {
      if zero == 0 { return set }
      if zero == (1 << UInt64(rows.rowCount)) - 1 { return HeadIndex.none }
    }
    throw ExecutionError.notACode(head: head.name, column: Int(number))
  }

  /// Adds the head's output for one query column to `target`, and notes whether the column may come to rest.
  @inline(__always)
  func attend(
    _ head: ExactHead<Scalar>, _ column: Int32, _ x: UnsafeMutablePointer<Scalar>,
    _ target: UnsafeMutablePointer<Scalar>
  ) throws {
    let width = network.width
    switch head.route {
    case .table: break
    case .participants: return try attendSmoothly(head, column, x, target)
    case .leftmost: return try attendLeftmost(head.search!, head, column, x, target)
    case .alongEdges: return try attendAlongEdges(head, column, x, target)
    }
    let isSettled = findWinners(head, column)
    if winners.count == 1 {
      let winner = winners[0]
      if isDirty[Int(column)] && (!isSettled || (winner != column && isDirty[Int(winner)])) {
        isRestless[Int(column)] = true
      }
      head.weights.addValues(of: UnsafePointer(x) + Int(winner) * width, weight: 1, to: target)
      return
    }
    if isDirty[Int(column)] && (!isSettled || winners.contains { $0 != column && isDirty[Int($0)] }) {
      isRestless[Int(column)] = true
    }
    winners.sort()  // The order in which the dense executor adds.
    let share = 1 / Scalar(winners.count)
    for winner in winners {
      head.weights.addValues(of: UnsafePointer(x) + Int(winner) * width, weight: share, to: target)
    }
  }

  /// Puts the columns with the largest score into `winners`.
  /// - Returns: whether they were found in the table, so that only a change of a matching key can change them.
  @inline(__always)
  private func findWinners(_ head: ExactHead<Scalar>, _ column: Int32) -> Bool {
    winners.removeAll(keepingCapacity: true)
    let query = head.queries.codes[Int(column)]
    if query != HeadIndex.none {
      var candidate = head.keys.first(query)
      var highest = -Scalar.infinity
      while candidate >= 0 {
        let priority = head.weights.hasPriority ? head.priority(of: candidate) : 0
        if priority > highest {
          highest = priority
          winners.removeAll(keepingCapacity: true)
        }
        if priority == highest { winners.append(candidate) }
        candidate = head.keys.after(candidate)
      }
      if !winners.isEmpty { return true }
    } else if head.preferred.count == 1 {
      // A zero query scores 0 everywhere: priority alone decides.
      winners.append(head.preferred[0].column)
      return false
    }
    scanForWinners(head, query)
    return false
  }

  /// The definition, for queries that no key equals. Complexity: O(n).
  private func scanForWinners(_ head: ExactHead<Scalar>, _ query: UInt64) {
    let dimension = head.weights.key.rowCount
    var highest = -Scalar.infinity
    for key in 0..<columnCount {
      let code = head.keys.codes[key]
      let matching =
        code == HeadIndex.none || query == HeadIndex.none ? 0 : dimension - 2 * (code ^ query).nonzeroBitCount
      let score = Scalar(matching) + head.priority(of: Int32(key))
      if score > highest {
        highest = score
        winners.removeAll(keepingCapacity: true)
      }
      if score == highest { winners.append(Int32(key)) }
    }
  }

  // MARK: Smooth heads

  /// Classifies columns with new codes, and computes the keys of the participants, which may change in every layer.
  private func findParticipants(_ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>) throws {
    let rows = head.weights.key
    func isZero(_ source: UnsafePointer<Scalar>) -> Bool {
      for i in 0..<rows.rowCount where rows.dot(i, source) != 0 { return false }
      return true
    }
    for column in dirty where hasNewCodes[Int(column)] {
      let source = UnsafePointer(x) + Int(column) * network.width
      let priority = head.weights.priority.dot(0, source)
      if let known = head.participants.firstIndex(where: { $0.column == column }) {
        guard head.participants[known].priority == priority else {
          throw ExecutionError.priorityOutOfRange(head: head.name, column: Int(column))
        }
      } else if priority > -Scalar(negligible) || !isZero(source) {
        let place = head.participants.firstIndex { $0.column > column } ?? head.participants.count
        head.participants.insert((column, priority), at: place)
      } else {
        head.excludedPriority = max(head.excludedPriority, priority)
      }
    }
    head.codes.removeAll(keepingCapacity: true)
    for (column, _) in head.participants {
      let source = UnsafePointer(x) + Int(column) * network.width
      for i in 0..<rows.rowCount { head.codes.append(rows.dot(i, source)) }
    }
  }

  @inline(__always)
  private func attendSmoothly(
    _ head: ExactHead<Scalar>, _ column: Int32, _ x: UnsafeMutablePointer<Scalar>,
    _ target: UnsafeMutablePointer<Scalar>
  ) throws {
    let width = network.width
    let query = head.weights.query
    let dimension = query.rowCount
    let source = UnsafePointer(x) + Int(column) * width
    scores.removeAll(keepingCapacity: true)
    for (_, priority) in head.participants { scores.append(priority) }
    var hasQuery = false
    for i in 0..<dimension {
      let entry = query.dot(i, source)
      guard entry != 0 else { continue }
      hasQuery = true
      for key in scores.indices { scores[key] += head.codes[key * dimension + i] * entry }
    }
    let highest = scores.max() ?? 0
    guard Double(highest - head.excludedPriority) > negligible else {
      throw ExecutionError.notExcluded(head: head.name, column: Int(column))
    }
    var total: Scalar = 0
    for key in scores.indices {
      scores[key] = Scalar(exp(Double(scores[key] - highest)))
      total += scores[key]
    }
    // With a zero query only priorities count, and those are constant.
    var isSettled = !hasQuery
    for key in scores.indices where scores[key] != 0 {
      let attended = head.participants[key].column
      if attended != column && isDirty[Int(attended)] { isSettled = false }
      head.weights.addValues(
        of: UnsafePointer(x) + Int(attended) * width, weight: scores[key] / total, to: target)
    }
    if isDirty[Int(column)] && !isSettled { isRestless[Int(column)] = true }
  }
}
