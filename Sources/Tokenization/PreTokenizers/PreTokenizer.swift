/// Takes the words of a text as they are found.
protocol WordSink: ~Copyable {
  /// - Parameter p: `WordCache.longestWord` bytes can be read, whatever `count`.
  mutating func add(_ p: UnsafePointer<UInt8>, _ count: Int)
}

/// Splits a text into words, in which alone tokens are merged.
///
/// Stages follow one another: each splits every piece that the one before left. Pieces are never stored; a piece goes
/// down all stages before the next one is looked for.
struct PreTokenizer: Sendable {
  enum Stage: Sendable {
    case split(SplitPattern, SplitBehavior, inverted: Bool)
    /// A blank before every piece that has none.
    case prefixSpace
  }

  var stages: [Stage] = []

  /// What a text needs behind its end, so that words can be read in parts of eight bytes.
  static let padding = 32

  /// - Parameter p: `padding` bytes can be read behind `count`.
  func run<Sink: WordSink & ~Copyable>(_ p: UnsafePointer<UInt8>, _ count: Int, into sink: inout Sink) {
    guard count > 0 else { return }
    run(0, p, count, CharacterTable.ascii, &sink)
  }

  private func run<Sink: WordSink & ~Copyable>(
    _ stage: Int, _ p: UnsafePointer<UInt8>, _ count: Int, _ ascii: UnsafePointer<UInt8>, _ sink: inout Sink
  ) {
    guard stage < stages.count else { return sink.add(p, count) }
    switch stages[stage] {
    case .prefixSpace:
      guard p[0] != 32 else { return run(stage + 1, p, count, ascii, &sink) }
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: count + 1 + Self.padding)
      defer { copy.deallocate() }
      copy[0] = 32
      (copy + 1).update(from: p, count: count)
      (copy + 1 + count).initialize(repeating: 0, count: Self.padding)
      run(stage + 1, copy, count + 1, ascii, &sink)
    case .split(.known(let pattern), .isolated, _):
      // The path of nearly all text.
      var start = 0
      if stage + 1 == stages.count {
        while start < count {
          let next = pattern.end(p, start, count, ascii)
          sink.add(p + start, next - start)
          start = next
        }
      } else {
        while start < count {
          let next = pattern.end(p, start, count, ascii)
          run(stage + 1, p + start, next - start, ascii, &sink)
          start = next
        }
      }
    case .split(let pattern, let behavior, let inverted):
      split(pattern, behavior, inverted, p, count, ascii) { piece in
        run(stage + 1, p + piece.lowerBound, piece.count, ascii, &sink)
      }
    }
  }

  private func split(
    _ pattern: SplitPattern, _ behavior: SplitBehavior, _ inverted: Bool, _ p: UnsafePointer<UInt8>,
    _ count: Int,
    _ ascii: UnsafePointer<UInt8>, _ emit: (Range<Int>) -> Void
  ) {
    var joiner = PieceJoiner(behavior)
    var position = 0
    var lastEnd: Int?
    var from = 0
    func add(_ range: Range<Int>, _ isMatch: Bool) {
      if let piece = joiner.add(range, isMatch: isMatch != inverted), !piece.isEmpty { emit(piece) }
    }
    while let match = pattern.next(p, from: from, count, lastEnd: lastEnd, ascii) {
      if position < match.lowerBound { add(position..<match.lowerBound, false) }
      add(match, true)
      position = match.upperBound
      lastEnd = position
      from = position
    }
    if position < count { add(position..<count, false) }
    if let piece = joiner.finish(), !piece.isEmpty { emit(piece) }
  }
}

/// What becomes of the matches of a pattern.
enum SplitBehavior: String, CaseIterable, Sendable {
  case isolated = "Isolated"
  case removed = "Removed"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

/// Joins matches and what lies between them, as a behaviour demands. One piece waits until it is known to be whole.
struct PieceJoiner {
  private let behavior: SplitBehavior
  private var waiting: Range<Int>?
  private var wasMatch = false

  init(_ behavior: SplitBehavior) { self.behavior = behavior }

  /// - Returns: a piece that is whole now.
  @inline(__always)
  mutating func add(_ range: Range<Int>, isMatch: Bool) -> Range<Int>? {
    switch behavior {
    case .isolated: return range
    case .removed: return isMatch ? nil : range
    case .contiguous:
      defer { wasMatch = isMatch }
      return join(range, isMatch == wasMatch)
    case .mergedWithPrevious:
      // The first of several matches belongs to what is before it.
      defer { wasMatch = isMatch }
      return join(range, isMatch && !wasMatch)
    case .mergedWithNext:
      // The last of several matches belongs to what comes after it.
      defer { wasMatch = isMatch }
      return join(range, wasMatch && !isMatch)
    }
  }

  private mutating func join(_ range: Range<Int>, _ joins: Bool) -> Range<Int>? {
    guard let before = waiting else {
      waiting = range
      return nil
    }
    if joins {
      waiting = before.lowerBound..<range.upperBound
      return nil
    }
    waiting = range
    return before
  }

  mutating func finish() -> Range<Int>? {
    defer { waiting = nil }
    return waiting
  }
}
