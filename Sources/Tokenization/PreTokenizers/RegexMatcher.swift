/// Runs a compiled regular expression over a text.
struct RegexMatcher {
  private let program: RegexProgram
  private let p: UnsafePointer<UInt8>
  private let end: Int

  /// A place to go back to.
  private struct Choice {
    var instruction: Int
    var position: Int
    /// What to undo: the value that a mark had; -1 for a choice.
    var mark: Int
    var value: Int
  }

  /// After so many steps of one match, states are remembered.
  static let patience = 2000

  private var marks: [Int]
  private var steps = 0
  /// States that failed, since the last match: instruction and position.
  private var failed: Set<UInt64> = []

  init(_ program: RegexProgram, _ p: UnsafePointer<UInt8>, _ end: Int) {
    self.program = program
    self.p = p
    self.end = end
    marks = Array(repeating: -1, count: program.markCount)
  }

  /// The next match at or after `from`, but no empty one at `lastEnd`; `nil` if there is none.
  mutating func next(from: Int, lastEnd: Int?) -> Range<Int>? {
    steps = 0
    failed = []
    var start = from
    while start <= end {
      if let stop = match(0, start) {
        if stop > start || stop != lastEnd { return start..<stop }
        // What led to an empty match that does not count is no failure.
        failed = []
      }
      guard start < end else { break }
      start += UTF8Text.decode(p, start, end).count
    }
    return nil
  }

  /// Runs from an instruction to the next `match`.
  /// - Returns: where the match ends.
  private mutating func match(_ first: Int, _ start: Int) -> Int? {
    var choices: [Choice] = []
    var instruction = first
    var position = start
    while true {
      steps += 1
      var isFailed = false
      // Marks make states differ that look the same; programs with loops over what can be empty are rare, and their states
      // differ only in whether an empty turn is cut.
      if steps > Self.patience,
        !failed.insert(UInt64(instruction) << 40 | UInt64(position)).inserted,
        case .split = program.instructions[instruction]
      {
        isFailed = true
      } else {
        switch program.instructions[instruction] {
        case .set(let index):
          if position < end, case (let scalar, let count) = UTF8Text.decode(p, position, end),
            program.sets[index].contains(scalar)
          {
            position += count
            instruction += 1
          } else {
            isFailed = true
          }
        case .split(let preferred, let other):
          choices.append(Choice(instruction: other, position: position, mark: -1, value: 0))
          instruction = preferred
        case .jump(let target): instruction = target
        case .mark(let mark):
          choices.append(Choice(instruction: 0, position: 0, mark: mark, value: marks[mark]))
          marks[mark] = position
          instruction += 1
        case .progress(let mark):
          if marks[mark] == position { isFailed = true } else { instruction += 1 }
        case .assertion(let assertion):
          if holds(assertion, position) { instruction += 1 } else { isFailed = true }
        case .sub(let after, let kind):
          if let stop = sub(instruction + 1, position, kind) {
            position = stop
            instruction = after
          } else {
            isFailed = true
          }
        case .match: return position
        }
      }
      guard isFailed else { continue }
      while let choice = choices.popLast() {
        if choice.mark >= 0 {
          marks[choice.mark] = choice.value
        } else {
          instruction = choice.instruction
          position = choice.position
          isFailed = false
          break
        }
      }
      if isFailed { return nil }
    }
  }

  /// - Returns: where to go on, or `nil` if that part fails.
  private mutating func sub(_ first: Int, _ position: Int, _ kind: RegexProgram.SubKind) -> Int? {
    // Within, the same states may be reached again from other places, and succeed: they are judged on their own.
    let outer = failed
    failed = []
    defer { failed = outer }
    switch kind {
    case .atomic: return match(first, position)
    case .ahead: return match(first, position) == nil ? nil : position
    case .notAhead: return match(first, position) == nil ? position : nil
    case .behind, .notBehind:
      let before = position > 0 ? UTF8Text.previous(p, position, 0) : -1
      let isFound = before >= 0 && match(first, before) == position
      return isFound == (kind == .behind) ? position : nil
    }
  }

  private func holds(_ assertion: RegexProgram.Assertion, _ position: Int) -> Bool {
    switch assertion {
    case .lineStart: return position == 0 || (p[position - 1] == 10 && position < end)
    case .lineEnd: return position == end || p[position] == 10
    case .textStart: return position == 0
    case .textEnd: return position == end
    case .textEndOrNewline: return position == end || (position == end - 1 && p[position] == 10)
    case .wordBoundary, .noWordBoundary:
      func isWord(_ i: Int) -> Bool { CharacterTable[UTF8Text.decode(p, i, end).scalar].contains(.word) }
      let before = position > 0 && isWord(UTF8Text.previous(p, position, 0))
      let after = position < end && isWord(position)
      return (before != after) == (assertion == .wordBoundary)
    }
  }
}
