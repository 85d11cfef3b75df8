/// The patterns that nearly all byte-level tokenizers split by, matched by hand.
///
/// Every one of them matches at every character, so that a text is a row of matches. The general engine runs the same
/// patterns from their source (`RegexProgram`); a test holds the two together.
enum KnownPattern: Equatable, Sendable {
  /// GPT-2's.
  case gpt2
  /// Those of cl100k, Llama 3 and Qwen 2, which differ in how many digits make a word.
  case cl100k(digits: Int)

  static let gpt2Source = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// The pattern of a source text; `nil` for one that is not known.
  init?(source: String) {
    switch source {
    case Self.gpt2Source: self = .gpt2
    case Self.cl100kSource(digits: #"\p{N}{1,3}"#): self = .cl100k(digits: 3)
    case Self.cl100kSource(digits: #"\p{N}"#): self = .cl100k(digits: 1)
    case Self.cl100kSource(digits: #"\p{N}+"#): self = .cl100k(digits: .max)
    default: return nil
    }
  }

  static func cl100kSource(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Where the match ends that begins at `i < end`.
  @inline(__always)
  func end(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>) -> Int {
    switch self {
    case .gpt2: Self.gpt2End(p, i, end, ascii)
    case .cl100k(let digits): Self.cl100kEnd(p, i, end, digits, ascii)
    }
  }

  // MARK: Parts

  private static let letter = CharacterClass.letter.rawValue
  private static let number = CharacterClass.number.rawValue
  private static let space = CharacterClass.space.rawValue
  private static let newline = CharacterClass.newline.rawValue
  private static let some = letter | number | space

  @inline(__always)
  private static func classify(
    _ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>
  ) -> (kind: UInt8, count: Int) {
    if p[i] < 0x80 { return (ascii[Int(p[i])], 1) }
    let (scalar, count) = UTF8Text.decodeLong(p, i, end)
    return (CharacterTable[scalar].rawValue, count)
  }

  /// The end of the run of characters whose class has one of `wanted`, and at most `most` of them.
  @inline(__always)
  private static func run(
    of wanted: UInt8, _ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>,
    most: Int = .max
  ) -> Int {
    var i = i
    var rest = most
    while i < end, rest > 0, case (let kind, let count) = classify(p, i, end, ascii), kind & wanted != 0 {
      i += count
      rest -= 1
    }
    return i
  }

  /// The end of the run of characters that are neither letter, number nor blank.
  @inline(__always)
  private static func runOfOthers(
    _ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>
  ) -> Int {
    var i = i
    while i < end, case (let kind, let count) = classify(p, i, end, ascii), kind & some == 0 { i += count }
    return i
  }

  /// `\s+(?!\S)|\s+`: a run of blanks, without the last one if something follows and it is not the only one.
  @inline(__always)
  private static func blanks(
    _ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>, afterNewline: Bool
  ) -> Int {
    var last = i
    var next = i
    var newlines = i
    while next < end, case (let kind, let count) = classify(p, next, end, ascii), kind & space != 0 {
      last = next
      next += count
      if kind & newline != 0 { newlines = next }
    }
    // `\s*[\r\n]+` comes first: up to the last line end of the run.
    if afterNewline && newlines > i { return newlines }
    return next == end || last == i ? next : last
  }

  // MARK: GPT-2

  static func gpt2End(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ ascii: UnsafePointer<UInt8>) -> Int {
    if p[i] == 39, i + 1 < end {
      switch p[i + 1] {
      case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return i + 2
      case UInt8(ascii: "r"), UInt8(ascii: "v"):
        if i + 2 < end, p[i + 2] == UInt8(ascii: "e") { return i + 3 }
      case UInt8(ascii: "l"):
        if i + 2 < end, p[i + 2] == UInt8(ascii: "l") { return i + 3 }
      default: break
      }
    }
    var (kind, count) = classify(p, i, end, ascii)
    var next = i + count
    if p[i] == 32, next < end {
      (kind, count) = classify(p, next, end, ascii)
      if kind & space != 0 { return blanks(p, i, end, ascii, afterNewline: false) }
      next += count
    }
    if kind & letter != 0 { return run(of: letter, p, next, end, ascii) }
    if kind & number != 0 { return run(of: number, p, next, end, ascii) }
    if kind & space == 0 { return runOfOthers(p, next, end, ascii) }
    return blanks(p, i, end, ascii, afterNewline: false)
  }

  // MARK: cl100k

  /// The end of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at an apostrophe; `i` if it is none. The long s folds to s.
  private static func contraction(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int) -> Int {
    guard i + 1 < end else { return i }
    switch p[i + 1] | 0x20 {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return p[i + 1] < 0x80 && p[i + 1] >= 0x40 ? i + 2 : i
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return i + 2 < end && p[i + 1] >= 0x40 && p[i + 2] & 0xdf == UInt8(ascii: "E") ? i + 3 : i
    case UInt8(ascii: "l"):
      return i + 2 < end && p[i + 1] >= 0x40 && p[i + 2] & 0xdf == UInt8(ascii: "L") ? i + 3 : i
    default: return i + 2 < end && p[i + 1] == 0xc5 && p[i + 2] == 0xbf ? i + 3 : i
    }
  }

  static func cl100kEnd(
    _ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int, _ digits: Int, _ ascii: UnsafePointer<UInt8>
  ) -> Int {
    if p[i] == 39, case let next = contraction(p, i, end), next > i { return next }
    let (kind, count) = classify(p, i, end, ascii)
    let next = i + count
    if kind & letter != 0 { return run(of: letter, p, next, end, ascii) }
    if kind & number != 0 { return run(of: number, p, i, end, ascii, most: digits) }
    if kind & newline == 0, next < end {
      let (following, followingCount) = classify(p, next, end, ascii)
      if following & letter != 0 { return run(of: letter, p, next + followingCount, end, ascii) }
    }
    var others = i
    if kind & space == 0 {
      others = next
    } else if p[i] == 32, next < end, case (let following, let width) = classify(p, next, end, ascii),
      following & some == 0
    {
      others = next + width
    }
    if others > i {
      others = runOfOthers(p, others, end, ascii)
      while others < end, p[others] == 10 || p[others] == 13 { others += 1 }
      return others
    }
    return blanks(p, i, end, ascii, afterNewline: true)
  }
}
