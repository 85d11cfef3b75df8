/// The reference for the paper's machine: SUBLEQ with separate memories in plain integers.
public struct SeparateInterpreter: Sendable {
  public let program: SeparateProgram
  public let wordBits: Int
  public private(set) var data: [Int]
  /// The number of the next instruction.
  public private(set) var programCounter = 0

  /// - Throws: `MachineFault` if the program is not well formed or its data need wider words.
  public init(_ program: SeparateProgram, wordBits: Int) throws {
    try program.check(wordBits: wordBits)
    self.program = program
    self.wordBits = wordBits
    data = program.data
  }

  /// Whether the next instruction jumps to itself and changes nothing, so that nothing will ever change.
  public var hasHalted: Bool {
    let instruction = program.instructions[programCounter]
    return instruction.c == programCounter && data[instruction.a] == 0 && data[instruction.b] <= 0
  }

  /// Executes one instruction, halted or not.
  /// - Throws: `MachineFault.ranPastTheEnd`, after the instruction's effect on the data.
  @discardableResult
  public mutating func step() throws -> SubleqStep {
    let number = programCounter
    let instruction = program.instructions[number]
    let result = SubleqDialect(wordBits: wordBits).wrap(data[instruction.b] - data[instruction.a])
    data[instruction.b] = result
    let next = result <= 0 ? instruction.c : number + 1
    guard next < program.instructions.count else {
      throw MachineFault.ranPastTheEnd(programCounter: number)
    }
    programCounter = next
    return SubleqStep(
      programCounter: number, a: instruction.a, b: instruction.b, c: instruction.c, jumped: result <= 0)
  }
}

extension SeparateProgram {
  /// - Throws: `MachineFault` for an operand or a target that is not there, and words that do not fit.
  func check(wordBits: Int) throws {
    guard !instructions.isEmpty, !data.isEmpty else {
      throw MachineFault.unsupportedSize("a program needs an instruction and a data cell at least")
    }
    for (number, instruction) in instructions.enumerated() {
      for (name, cell) in [("a", instruction.a), ("b", instruction.b)]
      where !data.indices.contains(cell) {
        throw MachineFault.addressOutOfRange(
          programCounter: number, operand: name, address: cell, cells: data.count)
      }
      guard instructions.indices.contains(instruction.c) else {
        throw MachineFault.jumpOutOfRange(
          programCounter: number, target: instruction.c, cells: instructions.count)
      }
    }
    let limit = 1 << (wordBits - 1)
    for (cell, value) in data.enumerated() where value < -limit || value >= limit {
      throw MachineFault.wordOutOfRange(address: cell, word: value, bits: wordBits)
    }
  }
}
