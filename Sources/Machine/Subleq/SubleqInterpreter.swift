/// What one instruction did.
public struct SubleqStep: Equatable, Sendable {
  public var programCounter: Int
  public var a: Int
  public var b: Int
  public var c: Int
  public var jumped: Bool
  /// The character written, if the instruction wrote one.
  public var output: UInt8?
}

/// The reference interpreter: SUBLEQ in plain integers, with no network in sight.
public struct SubleqInterpreter: Sendable {
  public let dialect: SubleqDialect
  public private(set) var memory: [Int]
  /// `nil` once halted.
  public private(set) var programCounter: Int? = 0

  /// - Throws: `MachineFault` if the image does not fit the memory or the words.
  public init(_ image: MemoryImage, cells: Int, dialect: SubleqDialect) throws {
    try image.check(cells: cells, dialect: dialect)
    self.dialect = dialect
    memory = image.words.map(dialect.wrap) + Array(repeating: 0, count: cells - image.words.count)
  }

  /// The operands at the program counter, checked; `nil` once halted.
  public func fetch() throws -> (a: Int, b: Int, c: Int)? {
    guard let pc = programCounter else { return nil }
    try checkInstruction(at: pc, cells: memory.count)
    let (a, b, c) = (memory[pc], memory[pc + 1], memory[pc + 2])
    try checkOperands(a: a, b: b, at: pc, cells: memory.count, dialect: dialect)
    return (a, b, c)
  }

  /// Executes one instruction. Does nothing once halted.
  ///
  /// - Parameter read: called for a character when, and only when, the instruction reads one; `nil` at the end.
  public mutating func step(read: () throws -> UInt8? = { nil }) throws -> SubleqStep? {
    guard let pc = programCounter, let (a, b, c) = try fetch() else { return nil }
    var step = SubleqStep(programCounter: pc, a: a, b: b, c: c, jumped: false)
    let source = a == -1 ? try read().map(Int.init) ?? dialect.endOfInput : memory[dialect.address(a)]
    if b == -1 {
      step.output = UInt8(truncatingIfNeeded: source)
    } else if dialect.copies(a: a, b: b) {
      memory[dialect.address(b)] = dialect.wrap(source)
    } else {
      let old = memory[dialect.address(b)]
      let result = dialect.wrap(a == -1 ? old + source : old - source)
      memory[dialect.address(b)] = result
      step.jumped = result <= 0
    }
    if !step.jumped {
      programCounter = pc + 3
    } else if dialect.halts(at: c) {
      programCounter = nil
    } else {
      try checkJump(from: pc, to: dialect.address(c), cells: memory.count)
      programCounter = dialect.address(c)
    }
    return step
  }
}

extension MemoryImage {
  func check(cells: Int, dialect: SubleqDialect) throws {
    guard cells <= dialect.largestCellCount, cells >= 3 else {
      throw MachineFault.unsupportedSize(
        "\(dialect.wordBits)-bit words with \(dialect.addressing) addresses reach 3 to "
          + "\(dialect.largestCellCount) cells, not \(cells)"
          + (dialect.addressing == .signed ? "; hint: --addressing unsigned, or wider words with --bits" : "")
      )
    }
    guard words.count <= cells else { throw MachineFault.tooManyWords(words: words.count, cells: cells) }
    for (address, word) in words.enumerated() {
      // An unsigned literal such as 65535 in 16 bits is accepted as the bit pattern it names.
      guard word >= -(1 << (dialect.wordBits - 1)) && word < 1 << dialect.wordBits else {
        throw MachineFault.wordOutOfRange(address: address, word: word, bits: dialect.wordBits)
      }
    }
  }
}

func checkJump(from pc: Int, to target: Int, cells: Int) throws {
  guard target >= 0 && target < cells else {
    throw MachineFault.jumpOutOfRange(programCounter: pc, target: target, cells: cells)
  }
}

func checkInstruction(at pc: Int, cells: Int) throws {
  guard pc >= 0 && pc + 3 <= cells else {
    throw MachineFault.incompleteInstruction(programCounter: pc, cells: cells)
  }
}

func checkOperands(a: Int, b: Int, at pc: Int, cells: Int, dialect: SubleqDialect) throws {
  func check(_ operand: Int, _ name: String) throws {
    guard operand != -1 else { return }
    let address = dialect.address(operand)
    guard address >= 0 && address < cells else {
      throw MachineFault.addressOutOfRange(programCounter: pc, operand: name, address: address, cells: cells)
    }
  }
  try check(a, "a")
  try check(b, "b")
}
