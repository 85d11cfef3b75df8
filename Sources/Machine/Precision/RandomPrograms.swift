/// Programs for tests and sweeps.
public struct RandomPrograms: Sendable {
  private var generator: SplitMix64

  /// The same seed gives the same programs everywhere.
  public init(seed: UInt64) { generator = SplitMix64(state: seed) }

  /// A program for the paper's machine: data cells 0 and 1 hold 0 and −1 and are never written; the last instruction
  /// is the paper's end of file, which jumps to itself, so no program ever faults. All others are random, and so are
  /// the data.
  public mutating func separate(cells: Int, instructions: Int, wordBits: Int) -> SeparateProgram {
    precondition(cells >= 3 && instructions >= 2, "a random program needs 3 cells and 2 instructions")
    let free = 2..<cells
    let code = (0..<(instructions - 1)).map { _ in
      SeparateProgram.Instruction(
        a: Int.random(in: free, using: &generator), b: Int.random(in: free, using: &generator),
        c: Int.random(in: 0..<(instructions - 1), using: &generator))
    }
    return SeparateProgram(
      instructions: code + [.init(a: 0, b: 1, c: instructions - 1)],
      data: [0, -1] + free.map { _ in word(wordBits) })
  }

  /// A program for one memory: two thirds instructions, one third data; operands are mostly data, now and then code
  /// (self-modification); jumps go to instructions, and no instruction uses the device. A program that
  /// modifies itself may still leave its memory.
  public mutating func unified(cells: Int, dialect: SubleqDialect) -> MemoryImage {
    let addressable = min(cells, dialect.largestCellCount)
    let code = addressable * 2 / 9 * 3
    return MemoryImage(
      words: (0..<cells).map { cell in
        if cell >= code { return word(dialect.wordBits) }
        if cell % 3 == 2 { return 3 * Int.random(in: 0..<(code / 3), using: &generator) }
        let isCode = Int.random(in: 0..<40, using: &generator) == 0
        return Int.random(in: isCode ? 0..<code : code..<addressable, using: &generator)
      })
  }

  /// One program for every pair of words (x, y) of those whose sums have the longest carries and change signs: its first
  /// instruction subtracts x from y; the others do nothing.
  static func extremeDifferences(cells: Int, instructions: Int, wordBits: Int) -> [SeparateProgram] {
    let words = extremes(wordBits)
    return words.flatMap { x in
      words.map { y in
        SeparateProgram(
          instructions: [.init(a: cells - 2, b: cells - 1, c: instructions - 1)]
            + Array(repeating: .init(a: 0, b: 1, c: instructions - 1), count: instructions - 1),
          data: [0, -1] + Array(repeating: 0, count: cells - 4) + [x, y])
      }
    }
  }

  /// The same in one memory.
  static func extremeDifferences(cells: Int, dialect: SubleqDialect) -> [MemoryImage] {
    let words = extremes(dialect.wordBits)
    return words.flatMap { x in
      words.map { y in
        MemoryImage(
          words: [cells - 2, cells - 1, 0] + Array(repeating: 0, count: cells - 5) + [x, y])
      }
    }
  }

  private static func extremes(_ bits: Int) -> [Int] {
    let half = 1 << (bits - 1)
    return [-half, -1, 0, 1, half / 2, half - 1]
  }

  /// Half of the words are any, a quarter are small and a quarter extreme: equal operands, long carries and sign
  /// changes are where arithmetic goes wrong first, and words of many bits never meet them by chance.
  private mutating func word(_ bits: Int) -> Int {
    let half = 1 << (bits - 1)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: return Int.random(in: -1...1, using: &generator)
    case 1: return [-half, 1 - half, half - 1, half / 2].randomElement(using: &generator)!
    default: return Int.random(in: -half..<half, using: &generator)
    }
  }
}

/// Even random numbers in 0..<1.
struct RandomNumbers {
  private var generator: SplitMix64
  init(seed: UInt64) { generator = SplitMix64(state: seed) }
  mutating func next() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
}

/// A small, fast generator whose sequence is part of its definition (Steele, Lea and Flood 2014).
private struct SplitMix64: RandomNumberGenerator, Sendable {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
