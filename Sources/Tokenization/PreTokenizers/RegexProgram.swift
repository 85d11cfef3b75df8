/// A regular expression, compiled: for the patterns of pre-tokenizers that no hand-written matcher knows.
///
/// Of the language of Oniguruma, which tokenizer files are written in: alternatives, groups, (?i:…), (?=…) (?!…) (?<=…) (?<!…)
/// (look-behind of a single character), greedy, lazy and possessive repetition, classes with ranges, negation and &&,
/// \p{…} of general categories and some scripts, \s \d \w \h \n \r \t \f \v \xhh \x{…} \u, ^ $ \A \z \b \B, and (?>…). What is
/// missing, such as back references, is a named error.
///
/// Matching backtracks, as Oniguruma does, so that the same alternative wins; but every state that failed at a place is
/// remembered once a match has taken long, so that no pattern takes exponential time.
struct RegexProgram: Sendable {
  indirect enum Node: Sendable {
    case empty
    case set(RegexSet)
    case sequence([Node])
    case alternatives([Node])
    /// `most` nil: without an end.
    case repeated(Node, least: Int, most: Int?, RepetitionKind)
    case look(Node, ahead: Bool, isNegated: Bool)
    case atomic(Node)
    case assertion(Assertion)
  }

  enum RepetitionKind: Sendable { case greedy, lazy, possessive }
  enum Assertion: Sendable {
    case lineStart, lineEnd, textStart, textEnd, textEndOrNewline, wordBoundary, noWordBoundary
  }

  enum Instruction: Sendable {
    case set(Int)
    /// Try the first; if that fails, the second.
    case split(Int, Int)
    case jump(Int)
    case assertion(Assertion)
    /// Match from the next instruction to `end`, then go on there; nothing within is tried again.
    case sub(end: Int, kind: SubKind)
    case match
    /// Fails if nothing was matched since the loop's turn began: an empty turn ends the loop.
    case progress(Int)
    case mark(Int)
  }

  enum SubKind: Sendable { case atomic, ahead, notAhead, behind, notBehind }

  /// Larger programs are refused: {1000}{1000} must not fill memory.
  static let largestProgram = 20_000

  private(set) var instructions: [Instruction] = []
  private(set) var sets: [RegexSet] = []
  private(set) var markCount = 0

  /// - Throws: `RegexError`.
  init(_ source: String) throws {
    var parser = RegexParser(source)
    let node = try parser.parse()
    try emit(node)
    try add(.match)
  }

  private mutating func add(_ instruction: Instruction) throws {
    guard instructions.count < Self.largestProgram else {
      throw RegexError(offset: 0, message: "the regular expression is too large")
    }
    instructions.append(instruction)
  }

  private mutating func emit(_ node: Node) throws {
    switch node {
    case .empty: break
    case .set(let set):
      sets.append(set)
      try add(.set(sets.count - 1))
    case .sequence(let nodes): for node in nodes { try emit(node) }
    case .alternatives(let nodes):
      var exits: [Int] = []
      for (index, node) in nodes.enumerated() {
        guard index + 1 < nodes.count else {
          try emit(node)
          break
        }
        let split = instructions.count
        try add(.match)
        try emit(node)
        exits.append(instructions.count)
        try add(.match)
        instructions[split] = .split(split + 1, instructions.count)
      }
      for exit in exits { instructions[exit] = .jump(instructions.count) }
    case .assertion(let assertion): try add(.assertion(assertion))
    case .atomic(let node): try sub(node, .atomic)
    case .look(let node, let ahead, let isNegated):
      try sub(node, ahead ? (isNegated ? .notAhead : .ahead) : (isNegated ? .notBehind : .behind))
    case .repeated(let node, let least, let most, .possessive):
      try sub(.repeated(node, least: least, most: most, .greedy), .atomic)
    case .repeated(let node, let least, let most, let kind):
      for _ in 0..<least { try emit(node) }
      if let most {
        var splits: [Int] = []
        for _ in least..<max(most, least) {
          splits.append(instructions.count)
          try add(.match)
          try emit(node)
        }
        for split in splits {
          instructions[split] =
            kind == .greedy ? .split(split + 1, instructions.count) : .split(instructions.count, split + 1)
        }
      } else {
        let split = instructions.count
        try add(.match)
        let mark = markCount
        markCount += 1
        try add(.mark(mark))
        try emit(node)
        try add(.progress(mark))
        try add(.jump(split))
        instructions[split] =
          kind == .greedy ? .split(split + 1, instructions.count) : .split(instructions.count, split + 1)
      }
    }
  }

  private mutating func sub(_ node: Node, _ kind: SubKind) throws {
    let start = instructions.count
    try add(.match)
    try emit(node)
    try add(.match)
    instructions[start] = .sub(end: instructions.count, kind: kind)
  }
}

/// What is wrong with a regular expression.
struct RegexError: Error {
  /// In characters.
  var offset: Int
  var message: String
}

/// A set of characters.
indirect enum RegexSet: Sendable {
  case any(withNewline: Bool)
  case range(UInt32, UInt32)
  case classes(CharacterClass)
  case category(Set<Unicode.GeneralCategory>)
  case script(Int)
  case decimal
  case hexadecimal
  case union([RegexSet])
  case intersection(RegexSet, RegexSet)
  case inverted(RegexSet)
  /// Whatever folds to the same as a member.
  case folded(RegexSet)

  /// - Parameter scalar: a character, or `UTF8Text.invalid`, which only inverted sets and the dot contain.
  func contains(_ scalar: UInt32) -> Bool {
    switch self {
    case .any(let withNewline): return withNewline || scalar != 10
    case .range(let first, let last): return first <= scalar && scalar <= last
    case .classes(let classes): return !CharacterTable[scalar].isDisjoint(with: classes)
    case .category(let categories):
      guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
      if let age = properties.age, age.major > CharacterTable.newestVersion {
        return categories.contains(.unassigned)
      }
      return categories.contains(properties.generalCategory)
    case .script(let index): return RegexScripts.all[index].ranges.contains { $0.contains(scalar) }
    case .decimal:
      guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
      return properties.generalCategory == .decimalNumber && CharacterTable[scalar].contains(.number)
    case .hexadecimal:
      return (48...57).contains(scalar) || (65...70).contains(scalar) || (97...102).contains(scalar)
    case .union(let sets): return sets.contains { $0.contains(scalar) }
    case .intersection(let left, let right): return left.contains(scalar) && right.contains(scalar)
    case .inverted(let set): return !set.contains(scalar)
    case .folded(let set):
      if set.contains(scalar) { return true }
      guard let character = Unicode.Scalar(scalar) else { return false }
      let properties = character.properties
      for mapping in [properties.lowercaseMapping, properties.uppercaseMapping] {
        guard let other = mapping.unicodeScalars.first, mapping.unicodeScalars.count == 1 else { continue }
        if set.contains(other.value) { return true }
        // ſ becomes S, and S becomes s.
        for back in [other.properties.lowercaseMapping, other.properties.uppercaseMapping] {
          if let scalar = back.unicodeScalars.first, set.contains(scalar.value) { return true }
        }
      }
      // s and k have a third form.
      switch scalar {
      case 0x53, 0x73: return set.contains(0x17f)
      case 0x4b, 0x6b: return set.contains(0x212a)
      default: return false
      }
    }
  }
}

/// Scripts that public patterns name. Ranges of letters and digits as Unicode's Scripts.txt has them.
enum RegexScripts {
  static let all: [(name: String, ranges: [ClosedRange<UInt32>])] = [
    (
      "han",
      [
        0x2e80...0x2e99, 0x2e9b...0x2ef3, 0x2f00...0x2fd5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029,
        0x3038...0x303b, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xf900...0xfa6d, 0xfa70...0xfad9,
        0x16fe2...0x16fe3,
        0x16ff0...0x16ff1, 0x20000...0x2a6df, 0x2a700...0x2b739, 0x2b740...0x2b81d, 0x2b820...0x2cea1,
        0x2ceb0...0x2ebe0, 0x2ebf0...0x2ee5d, 0x2f800...0x2fa1d, 0x30000...0x3134a, 0x31350...0x323af,
      ]
    )
  ]
}
