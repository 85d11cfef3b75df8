/// Finds the leftmost of the largest scores without looking at every key. The shape of a head says how:
///
/// - **Candidates** (the head has a priority): keys that are not zero are candidates, few of them; every other key scores
///   its priority, which must be below the best candidate's score. Comparisons of two numbers are such heads.
/// - **Tournament** (one dimension, no priority): queries are 0 or 1. Where it is 1 the largest key wins.
/// - **Codes** (more dimensions, no priority): a key with the bits of the query wins against all other keys, as
///   `CodeTable` proves; a query that no key equals is looked for in all of them.
///
/// A query of zeros, without priorities, scores 0 everywhere: column 0 wins.
///
/// See Documentation/CompactGraphNetworks.md for the proofs.
final class LeftmostSearch<Scalar: BinaryFloatingPoint & Sendable> {
  enum Kind { case candidates, tournament, codes }

  let kind: Kind
  let dimension: Int
  /// Whether the column that zero queries attend to, or a candidate, had to be recomputed the last time.
  var wasDirty: [Bool] = [true]
  /// Room for one key or query.
  var vector: [Scalar]

  // Candidates, in ascending order.
  var candidates: [Int32] = []
  var candidatePriorities: [Scalar] = []
  var candidateKeys: [Scalar] = []
  var excludedPriority = -Scalar.infinity

  // Tournament.
  let tree: TournamentTree<Scalar>
  let isAsking: ColumnFlags
  var asking: [Int32] = []

  // Codes.
  let table: CodeTable<Scalar>
  let keys: CodeIndex
  let queries: CodeIndex

  init(_ head: AttentionHead, columnCount: Int) {
    dimension = head.key.rowCount
    kind = !head.priority.isEmpty ? .candidates : dimension == 1 ? .tournament : .codes
    vector = Array(repeating: 0, count: dimension)
    tree = TournamentTree(count: kind == .tournament ? columnCount : 1)
    isAsking = ColumnFlags(count: kind == .tournament ? columnCount : 0)
    table = CodeTable(dimension: dimension)
    keys = CodeIndex(columnCount: kind == .codes ? columnCount : 0)
    queries = CodeIndex(columnCount: kind == .codes ? columnCount : 0)
  }
}

extension ExactExecutor {
  /// Brings the search up to date with columns whose keys or queries changed, and activates resting columns that attend,
  /// or attended, to a column that may change.
  @inline(never)
  func refresh(
    _ search: LeftmostSearch<Scalar>, _ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>,
    _ active: inout [Int32]
  ) throws {
    switch search.kind {
    case .candidates: refreshCandidates(search, head, x, &active)
    case .tournament: try refreshTournament(search, head, x, &active)
    case .codes: try refreshCodes(search, head, x, &active)
    }
  }

  /// Every column is recomputed from here on. That is rare: a column that many attend to begins to change.
  private func wakeAll(_ active: inout [Int32]) {
    for column in 0..<Int32(columnCount) {
      markDirty(column)
      activate(column, &active)
    }
  }

  @inline(__always)
  func activate(_ column: Int32, _ active: inout [Int32]) {
    if !isActive[Int(column)] {
      isActive[Int(column)] = true
      active.append(column)
    }
  }

  @inline(__always)
  private func wakeIfDisturbed(
    _ search: LeftmostSearch<Scalar>, by column: Int32, _ place: Int, _ active: inout [Int32]
  ) {
    let dirty = isDirty[Int(column)]
    if dirty && !search.wasDirty[place] { wakeAll(&active) }
    search.wasDirty[place] = dirty
  }

  @inline(__always)
  private func project(
    _ rows: CompiledRows<Scalar>, _ source: UnsafePointer<Scalar>, into search: LeftmostSearch<Scalar>
  ) {
    for i in 0..<search.dimension { search.vector[i] = rows.dot(i, source) }
  }

  // MARK: Codes

  @inline(__always)
  private func refreshCodes(
    _ search: LeftmostSearch<Scalar>, _ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>,
    _ active: inout [Int32]
  ) throws {
    wakeIfDisturbed(search, by: 0, 0, &active)
    for column in dirty where hasNewCodes[Int(column)] {
      let source = UnsafePointer(x) + Int(column) * network.width
      let old = search.keys.codes[Int(column)]
      let key = number(head.weights.key, source, search, old)
      if key != old {
        activateColumns(querying: old, search, &active)
        search.keys.update(Int(column), to: key)
      }
      search.queries.update(
        Int(column), to: number(head.weights.query, source, search, search.queries.codes[Int(column)]))
    }
    guard search.table.isTellingApart else { throw ExecutionError.codesTooClose(head: head.name) }
    for column in dirty { activateColumns(querying: search.keys.codes[Int(column)], search, &active) }
  }

  @inline(__always)
  private func number(
    _ rows: CompiledRows<Scalar>, _ source: UnsafePointer<Scalar>, _ search: LeftmostSearch<Scalar>,
    _ guess: Int32
  ) -> Int32 {
    project(rows, source, into: search)
    return search.vector.withUnsafeBufferPointer { vector in
      let vector = vector.baseAddress!
      return search.table.isEqual(guess, vector) ? guess : search.table.number(of: vector)
    }
  }

  @inline(__always)
  private func activateColumns(
    querying code: Int32, _ search: LeftmostSearch<Scalar>, _ active: inout [Int32]
  ) {
    var column = search.queries.first(code)
    while column >= 0 {
      activate(column, &active)
      column = search.queries.after(column)
    }
  }

  // MARK: Tournament

  @inline(__always)
  private func refreshTournament(
    _ search: LeftmostSearch<Scalar>, _ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>,
    _ active: inout [Int32]
  ) throws {
    wakeIfDisturbed(search, by: 0, 0, &active)
    var isNew = false
    for column in dirty where hasNewCodes[Int(column)] {
      let source = UnsafePointer(x) + Int(column) * network.width
      let query = head.weights.query.dot(0, source)
      guard query == 0 || query == 1 else {
        throw ExecutionError.notAUnitQuery(head: head.name, column: Int(column))
      }
      if search.isAsking[Int(column)] != (query == 1) {
        search.isAsking[Int(column)] = query == 1
        if query == 1 { search.asking.append(column) } else { search.asking.removeAll { $0 == column } }
      }
      let key = head.weights.key.dot(0, source)
      if key != search.tree.score(Int(column)) {
        search.tree.set(Int(column), to: key)
        isNew = true
      }
    }
    if isNew || isDirty[Int(search.tree.winner)] {
      for column in search.asking { activate(column, &active) }
    }
  }

  // MARK: Candidates

  private func refreshCandidates(
    _ search: LeftmostSearch<Scalar>, _ head: ExactHead<Scalar>, _ x: UnsafeMutablePointer<Scalar>,
    _ active: inout [Int32]
  ) {
    var isChanged = false
    for column in dirty where hasNewCodes[Int(column)] {
      let source = UnsafePointer(x) + Int(column) * network.width
      let priority = head.weights.priority.dot(0, source)
      project(head.weights.key, source, into: search)
      let place = search.candidates.firstIndex { $0 >= column } ?? search.candidates.count
      let isKnown = place < search.candidates.count && search.candidates[place] == column
      if !isKnown && search.vector.allSatisfy({ $0 == 0 }) {
        search.excludedPriority = max(search.excludedPriority, priority)
        continue
      }
      let range = place * search.dimension..<(place + 1) * search.dimension
      if !isKnown {
        search.candidates.insert(column, at: place)
        search.candidatePriorities.insert(priority, at: place)
        search.candidateKeys.insert(contentsOf: search.vector, at: range.lowerBound)
        isChanged = true
      } else if search.candidatePriorities[place] != priority
        || !search.candidateKeys[range].elementsEqual(search.vector)
      {
        search.candidatePriorities[place] = priority
        search.candidateKeys.replaceSubrange(range, with: search.vector)
        isChanged = true
      }
    }
    if isChanged {
      search.wasDirty = Array(repeating: true, count: search.candidates.count)
      wakeAll(&active)
    }
    for (place, candidate) in search.candidates.enumerated() {
      wakeIfDisturbed(search, by: candidate, place, &active)
    }
  }

  // MARK: Attention

  @inline(never)
  func attendLeftmost(
    _ search: LeftmostSearch<Scalar>, _ head: ExactHead<Scalar>, _ column: Int32,
    _ x: UnsafeMutablePointer<Scalar>, _ target: UnsafeMutablePointer<Scalar>
  ) throws {
    let width = network.width
    var winner: Int32 = 0
    switch search.kind {
    case .codes:
      let query = search.queries.codes[Int(column)]
      if query >= 0 {
        var key = search.keys.first(query)
        winner = key
        while key >= 0 {
          winner = min(winner, key)
          key = search.keys.after(key)
        }
        if winner < 0 {
          if isDirty[Int(column)] { isRestless[Int(column)] = true } else { markDirtyAndRestless(column) }
          winner = scanForLeftmost(head, column, x)
        }
      }
    case .tournament: if search.isAsking[Int(column)] { winner = search.tree.winner }
    case .candidates:
      let source = UnsafePointer(x) + Int(column) * width
      project(head.weights.query, source, into: search)
      var highest = -Scalar.infinity
      for (place, candidate) in search.candidates.enumerated() {
        var score = search.candidatePriorities[place]
        for i in 0..<search.dimension {
          score += search.candidateKeys[place * search.dimension + i] * search.vector[i]
        }
        if score > highest {
          highest = score
          winner = candidate
        }
      }
      guard highest > search.excludedPriority else {
        throw ExecutionError.notExcluded(head: head.name, column: Int(column))
      }
    }
    if winner != column && isDirty[Int(column)] && isDirty[Int(winner)] { isRestless[Int(column)] = true }
    head.weights.addValues(of: UnsafePointer(x) + Int(winner) * width, weight: 1, to: target)
  }

  private func markDirtyAndRestless(_ column: Int32) {
    markDirty(column)
    isRestless[Int(column)] = true
  }

  /// The definition, for queries that no key equals. Complexity: O(n).
  private func scanForLeftmost(
    _ head: ExactHead<Scalar>, _ column: Int32, _ x: UnsafeMutablePointer<Scalar>
  ) -> Int32 {
    let width = network.width
    let dimension = head.weights.key.rowCount
    let query = (0..<dimension).map { head.weights.query.dot($0, UnsafePointer(x) + Int(column) * width) }
    var (winner, highest) = (Int32(0), -Scalar.infinity)
    for key in 0..<columnCount {
      var score: Scalar = 0
      for i in 0..<dimension { score += head.weights.key.dot(i, UnsafePointer(x) + key * width) * query[i] }
      if score > highest { (winner, highest) = (Int32(key), score) }
    }
    return winner
  }
}
