/// What a text is split by.
enum SplitPattern: Sendable {
  case known(KnownPattern)
  /// A text, as it stands.
  case literal([UInt8])
  /// Runs of numbers, of so many characters at most.
  case numbers(most: Int, isDigit: Bool)
  /// Runs of blanks.
  case blanks(most: Int)
  /// Whatever a regular expression matches: the slow way, for patterns that no other case knows.
  case regex(RegexProgram)

  /// The next match at or after `from`, in the text that begins at 0 and ends at `end`; `nil` if there is none.
  /// - Parameter lastEnd: where the match before ended: an empty match there does not count.
  func next(
    _ p: UnsafePointer<UInt8>, from: Int, _ end: Int, lastEnd: Int?, _ ascii: UnsafePointer<UInt8>
  ) -> Range<Int>? {
    switch self {
    case .known(let pattern): return from < end ? from..<pattern.end(p, from, end, ascii) : nil
    case .literal(let text): return Self.find(text, p, from, end)
    case .numbers(let most, let isDigit):
      return Self.run(p, from, end, most) {
        isDigit ? CharacterTable.isDigit($0) : CharacterTable[$0].contains(.number)
      }
    case .regex(let program):
      var matcher = RegexMatcher(program, p, end)
      return matcher.next(from: from, lastEnd: lastEnd)
    case .blanks(let most): return Self.run(p, from, end, most) { CharacterTable[$0].contains(.space) }
    }
  }

  private static func find(_ text: [UInt8], _ p: UnsafePointer<UInt8>, _ from: Int, _ end: Int) -> Range<Int>?
  {
    var i = from
    while i + text.count <= end {
      if p[i] == text[0] {
        var length = 1
        while length < text.count && p[i + length] == text[length] { length += 1 }
        if length == text.count { return i..<(i + length) }
      }
      i += 1
    }
    return nil
  }

  @inline(__always)
  private static func run(
    _ p: UnsafePointer<UInt8>, _ from: Int, _ end: Int, _ most: Int, _ isWanted: (UInt32) -> Bool
  ) -> Range<Int>? {
    var start = from
    while start < end {
      let (scalar, count) = UTF8Text.decode(p, start, end)
      if isWanted(scalar) {
        var next = start + count
        var rest = most - 1
        while rest > 0, next < end, case (let scalar, let count) = UTF8Text.decode(p, next, end),
          isWanted(scalar)
        {
          next += count
          rest -= 1
        }
        return start..<next
      }
      start += count
    }
    return nil
  }
}
