import Construction

/// The input matrix of Giannou et al. 2023 ("punch card"): which column holds what, and which rows every network of
/// the paper's machine shares, whatever else it adds.
///
///     column      0            1 … cells    cells + 1 … cells + instructions
///     holds       scratchpad   data         instructions
///
/// Column j > 0 has the position code of j, L = ⌈log₂ n⌉ entries of ±1; the scratchpad's is zero, because there the
/// pointers stand in its place. Numbers are two's complement in ±1, least significant bit first.
public struct PunchCard: Sendable {
  public let cells: Int
  public let instructions: Int
  public let wordBits: Int

  /// The pointers p_a, p_b, p_c of an instruction: non-zero in instruction columns only.
  let commandA: Field
  let commandB: Field
  let commandC: Field
  /// Non-zero in data columns only.
  let memory: Field
  /// Non-zero on the scratchpad only.
  let programCounter: Field
  let position: Field
  let indicator: Field

  public static let scratchpad = 0
  public func column(ofCell cell: Int) -> Int { 1 + cell }
  public func column(ofInstruction number: Int) -> Int { 1 + cells + number }
  public var columnCount: Int { 1 + cells + instructions }

  /// L, the length of a position code.
  static func positionBits(cells: Int, instructions: Int) -> Int {
    BitCode.width(for: 1 + cells + instructions)
  }

  /// - Throws: `MachineFault.unsupportedSize`.
  static func check(cells: Int, instructions: Int, wordBits: Int) throws {
    guard (2...54).contains(wordBits) else {
      throw MachineFault.unsupportedSize("words have 2 to 54 bits, not \(wordBits)")
    }
    guard cells >= 1, instructions >= 1, cells <= 1 << 20, instructions <= 1 << 20 else {
      throw MachineFault.unsupportedSize(
        "a machine has 1 to 2^20 data cells and instructions, not \(cells) and \(instructions)")
    }
  }

  /// The state before the first instruction.
  ///
  /// - Throws: `MachineFault` if the program is not well formed or does not fit.
  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ program: SeparateProgram, width: Int, as scalar: Scalar.Type = Scalar.self
  ) throws -> ResidualStream<Scalar> {
    try program.check(wordBits: wordBits)
    guard program.data.count == cells, program.instructions.count == instructions else {
      throw MachineFault.unsupportedSize(
        "the network was built for \(cells) data cells and \(instructions) instructions, not for "
          + "\(program.data.count) and \(program.instructions.count)")
    }
    var state = ResidualStream<Scalar>(width: width, columnCount: columnCount)
    for column in 1..<columnCount { state.setCode(column, in: position.rows, column: column) }
    for (cell, value) in program.data.enumerated() {
      state.setCode(value, in: memory.rows, column: column(ofCell: cell))
    }
    for (number, instruction) in program.instructions.enumerated() {
      let column = column(ofInstruction: number)
      state.setCode(self.column(ofCell: instruction.a), in: commandA.rows, column: column)
      state.setCode(self.column(ofCell: instruction.b), in: commandB.rows, column: column)
      state.setCode(self.column(ofInstruction: instruction.c), in: commandC.rows, column: column)
    }
    state[indicator[0], Self.scratchpad] = 1
    state.setCode(column(ofInstruction: 0), in: programCounter.rows, column: Self.scratchpad)
    return state
  }

  /// The number in a data cell, or `nil` if the state is not exactly ±1 there.
  public func word<Scalar>(inCell cell: Int, of state: ResidualStream<Scalar>) -> Int? {
    state.code(in: memory.rows, column: column(ofCell: cell))
      .map(SubleqDialect(wordBits: wordBits).wrap)
  }

  /// The number of the next instruction, or `nil` if the state is not exactly ±1 there. It is out of range where
  /// the program ran past its end.
  public func decodeProgramCounter<Scalar>(_ state: ResidualStream<Scalar>) -> Int? {
    state.code(in: programCounter.rows, column: Self.scratchpad).map { $0 - column(ofInstruction: 0) }
  }
}

/// A network that runs programs of the paper's machine, one instruction per loop.
public protocol SeparateSubleqNetwork: Sendable {
  /// - Throws: `MachineFault.unsupportedSize`.
  init(cells: Int, instructions: Int, wordBits: Int) throws

  var card: PunchCard { get }
  var network: ConstructedNetwork { get }
  /// Rows that every layer leaves zero in every column.
  var buffers: [Field] { get }
  /// The widest words whose arithmetic is exact in a data type, with attention that is exact.
  static func largestWordBits<Scalar: BinaryFloatingPoint>(in scalar: Scalar.Type) -> Int
}

extension SeparateSubleqNetwork {
  public var columnCount: Int { card.columnCount }

  /// A network of the right size for a program.
  /// - Throws: `MachineFault.unsupportedSize`.
  public init(for program: SeparateProgram, wordBits: Int) throws {
    try self.init(
      cells: program.data.count, instructions: program.instructions.count, wordBits: wordBits)
  }
}
