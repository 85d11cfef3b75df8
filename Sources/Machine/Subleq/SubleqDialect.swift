/// What the public SUBLEQ tools disagree about, said once.
///
/// Common to all: `a b c` means mem[b] ← mem[b] − mem[a] in two's complement of `wordBits`, then a jump to c if the
/// result is ≤ 0. Address −1 (all bits set) is the device: a = −1 reads a character, b = −1 writes one.
public struct SubleqDialect: Equatable, Sendable {
  /// What `-1 b c` does with the character x it reads.
  public enum Input: String, Sendable, CaseIterable {
    /// mem[b] ← x; c is not used (the esolang wiki and Rosetta Code).
    case store
    /// mem[b] ← mem[b] + x, then the usual jump (Mazonka's sqrun).
    case add
  }

  /// Which jump targets end the program.
  public enum Addressing: String, Sendable, CaseIterable {
    /// A word is a signed number; every negative target halts. At most 2^(wordBits − 1) cells.
    case signed
    /// A word is an unsigned address; only the target −1 halts. At most 2^wordBits cells.
    case unsigned
  }

  public var wordBits: Int
  public var input: Input
  public var addressing: Addressing
  /// What is read once the input is at its end.
  public var endOfInput: Int

  public init(
    wordBits: Int = 16, input: Input = .store, addressing: Addressing = .signed, endOfInput: Int = -1
  ) {
    self.wordBits = wordBits
    self.input = input
    self.addressing = addressing
    self.endOfInput = endOfInput
  }

  /// The number nearest in meaning to `value` in a word: its low `wordBits` bits, as two's complement.
  public func wrap(_ value: Int) -> Int {
    let shift = Int.bitWidth - wordBits
    return (value &<< shift) &>> shift
  }

  /// The cell a word names, before any check against the size of the memory.
  public func address(_ word: Int) -> Int {
    addressing == .signed ? word : word & ((1 << wordBits) - 1)
  }

  /// Whether a jump to `word` ends the program.
  public func halts(at word: Int) -> Bool { addressing == .signed ? word < 0 : word == -1 }

  /// Whether `a b c` copies a character and never jumps.
  func copies(a: Int, b: Int) -> Bool { b == -1 || (a == -1 && input == .store) }

  public var largestCellCount: Int { 1 << (addressing == .signed ? wordBits - 1 : wordBits) }
}

/// A program for a memory that holds instructions and data alike; execution starts at cell 0.
public struct MemoryImage: Equatable, Sendable {
  public var words: [Int]
  /// Label names by address, for traces.
  public var labels: [Int: String]

  /// Source lines by address, for listings.
  public var lines: [Int: Int] = [:]
  /// Words that the source declares as data, for listings.
  public var data: [Range<Int>] = []

  public init(words: [Int], labels: [Int: String] = [:]) {
    self.words = words
    self.labels = labels
  }
}

/// A program that leaves its memory: the same error from the interpreter and from the network's driver.
public enum MachineFault: Error, Equatable, CustomStringConvertible {
  case addressOutOfRange(programCounter: Int, operand: String, address: Int, cells: Int)
  case jumpOutOfRange(programCounter: Int, target: Int, cells: Int)
  case incompleteInstruction(programCounter: Int, cells: Int)
  case tooManyWords(words: Int, cells: Int)
  case wordOutOfRange(address: Int, word: Int, bits: Int)
  case ranPastTheEnd(programCounter: Int)
  case unsupportedSize(String)

  public var description: String {
    switch self {
    case .addressOutOfRange(let programCounter, let operand, let address, let cells):
      return "the instruction at \(programCounter) uses \(operand) = \(address), outside the \(cells) cells; "
        + "hint: --cells gives it more memory"
    case .jumpOutOfRange(let programCounter, let target, let cells):
      return "the instruction at \(programCounter) jumps to \(target), outside the \(cells) cells; "
        + "hint: --cells gives it more memory"
    case .incompleteInstruction(let programCounter, let cells):
      return "execution ran to \(programCounter), where no whole instruction is left in \(cells) cells; "
        + "hint: end the program with a jump to -1"
    case .tooManyWords(let words, let cells):
      return "the program has \(words) words but the memory only \(cells) cells; hint: --cells \(words)"
    case .wordOutOfRange(let address, let word, let bits):
      return
        "word \(word) at address \(address) does not fit into \(bits) bits; hint: --bits gives wider words"
    case .ranPastTheEnd(let programCounter):
      return "the program ran past instruction \(programCounter), its last; "
        + "hint: end it with an instruction that jumps to itself and changes nothing"
    case .unsupportedSize(let why): return why
    }
  }
}
