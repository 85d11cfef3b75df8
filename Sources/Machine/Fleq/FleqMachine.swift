import Construction
import Looping

extension FleqNetwork {
  /// A network of the right size for a program.
  /// - Throws: `FleqFault` if the program is not well formed.
  public init(for program: FleqProgram, productScale: Double = FleqProducts.scaleForFloat64) throws {
    try program.validate()
    self.init(
      blockSize: program.blockSize, cells: program.memory.count, instructions: program.instructions.count,
      productScale: productScale)
  }

  /// The state before the first instruction: the punch card.
  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ program: FleqProgram, as scalar: Scalar.Type = Scalar.self
  ) throws -> ResidualStream<Scalar> {
    try program.validate()
    precondition(
      program.blockSize == blockSize && program.memory.count == cells
        && program.instructions.count == instructions, "the network was built for another program's size")
    var state = ResidualStream<Scalar>(width: network.width, columnCount: columnCount)
    func code(_ column: Int) -> [Scalar] {
      BitCode.encode(position(ofColumn: column), bits: fields.position.count)
    }
    for j in 0..<blockSize {
      state[fields.scratchpad[0], j] = 1
      state[fields.home, j] = code(sinkColumn)
      state[fields.programCounter, j] = code(column(ofInstruction: 0))
      state[fields.lane[j], j] = 1
      for i in 0..<blockSize where i != j { state[fields.otherLane[i], j] = 1 }
      for i in 0..<fields.laneBits.count { state[fields.laneBits[i], j] = Scalar(j >> i & 1) }
    }
    for column in blockSize..<columnCount {
      state[fields.position, column] = code(column)
      state[fields.rest, column] = code(sinkColumn)
      if column < sinkColumn { state[fields.outside[0], column] = 1 }
    }
    state[fields.sink[0], sinkColumn] = 1
    state[fields.unit[0], unitColumn] = 1
    for (cell, content) in program.memory.enumerated() {
      state[fields.value, column(ofCell: cell)] = content.map { Scalar($0) }
    }
    for (cell, address) in program.pointers {
      state[fields.storedAddress, column(ofCell: cell)] = code(column(ofCell: address))
    }
    for (index, instruction) in program.instructions.enumerated() {
      write(instruction, into: &state, column: column(ofInstruction: index))
    }
    return state
  }

  private func write<Scalar>(
    _ instruction: FleqInstruction, into state: inout ResidualStream<Scalar>, column: Int
  ) {
    func code(_ column: Int) -> [Scalar] {
      BitCode.encode(position(ofColumn: column), bits: fields.position.count)
    }
    let field = fields.code
    for (i, operand) in [instruction.a, instruction.b, instruction.c].enumerated() {
      let cell = code(self.column(ofCell: operand.cell))
      if !operand.isIndirect { state[field.direct[i], column] = cell }
      state[field.pointerCell[i], column] =
        operand.isIndirect ? cell : code(self.column(ofCell: FleqProgram.zeroCell))
      state[field.columns[i][0], column] = Scalar(operand.columns)
    }
    state[field.flag, column] = code(self.column(ofCell: instruction.flag))
    state[field.target, column] = code(self.column(ofInstruction: instruction.target))
    state[field.next, column] = code(column + 1)
    for function in FleqFunction.allCases {
      state[
        (function == instruction.function ? field.function : field.otherFunction)[function.index], column] = 1
    }
  }
}

/// Drives a FLEQ network through the shared loop, and decodes its state.
public struct FleqMachine<Body: LoopBody, Scalar: BinaryFloatingPoint & Sendable>
where Body.State == ResidualStream<Scalar> {
  public let program: FleqProgram
  public let network: FleqNetwork
  public private(set) var state: ResidualStream<Scalar>
  private var loop: Loop<Body>

  public init(_ program: FleqProgram, network: FleqNetwork, body: Body) throws {
    self.program = program
    self.network = network
    state = try network.prelude(program)
    loop = Loop(body: body, limit: 1)
  }

  /// The number of the next instruction.
  /// - Throws: `PrecisionLoss` if the C_j do not all hold the same exact code.
  public var programCounter: Int {
    get throws {
      let codes = (0..<network.blockSize).map { BitCode.decode(state[network.fields.programCounter, $0]) }
      guard let position = codes[0], codes.allSatisfy({ $0 == position }) else {
        throw PrecisionLoss(what: "the program counter")
      }
      return position - network.position(ofColumn: network.column(ofInstruction: 0))
    }
  }

  /// The numbers in a cell.
  public func value(inCell cell: Int) -> [Double] {
    state[network.fields.value, network.column(ofCell: cell)].map { Double($0) }
  }
  public var memory: [[Double]] { (0..<network.cells).map(value(inCell:)) }

  /// The address a cell holds; `nil` if none.
  public func address(inCell cell: Int) throws -> Int? {
    let code = state[network.fields.storedAddress, network.column(ofCell: cell)]
    if code.allSatisfy({ $0 == 0 }) { return nil }
    guard let position = BitCode.decode(code) else {
      throw PrecisionLoss(what: "the address in cell \(cell)")
    }
    return position
  }

  /// Whether the next instruction only jumps to itself, so that nothing will ever change.
  public var hasHalted: Bool {
    get throws { program.onlyJumpsToItself(try programCounter) }
  }

  /// Runs one loop, which is one instruction.
  /// - Throws: `FleqFault` before the network would use an address that is not there, or when it has written a value
  ///   that it cannot hold; `PrecisionLoss`.
  /// - Returns: whether the state changed.
  @discardableResult
  public mutating func step() throws -> Bool {
    let current = try programCounter
    let instruction = program.instructions[current]
    try check(instruction, number: current)
    let written = instruction.c.isIndirect ? try address(inCell: instruction.c.cell)! : instruction.c.cell
    let (_, halt) = try loop.run(&state)
    let isProduct = instruction.function == .multiply
    let largest = Scalar(isProduct ? network.largestProduct : FleqNetwork.largestValue)
    for cell in written..<(written + instruction.c.columns) {
      for row in network.fields.value.rows {
        guard abs(state[row, network.column(ofCell: cell)]) <= largest else {
          throw isProduct
            ? FleqFault.productTooLarge(instruction: current, limit: network.largestProduct)
            : FleqFault.valueTooLarge(instruction: current, cell: cell)
        }
      }
    }
    guard try programCounter < network.instructions else { throw FleqFault.ranPastTheEnd }
    return halt != .fixedPoint
  }

  /// Runs to the end of the program.
  /// - Returns: the instructions executed, and whether the program came to its end within `limit`.
  public mutating func run(limit: Int, observe: (Self) throws -> Void = { _ in }) throws -> (
    instructions: Int, ended: Bool
  ) {
    for instruction in 0..<limit {
      if try hasHalted { return (instruction, true) }
      try step()
      try observe(self)
    }
    return (limit, try hasHalted)
  }

  private func check(_ instruction: FleqInstruction, number: Int) throws {
    for operand in [instruction.a, instruction.b, instruction.c] where operand.isIndirect {
      guard let address = try address(inCell: operand.cell) else {
        throw FleqFault.notAPointer(instruction: number, cell: operand.cell)
      }
      guard address + operand.columns <= network.cells else {
        throw FleqFault.addressOutOfRange(instruction: number, cell: address)
      }
    }
    if instruction.function == .increment {
      let first = instruction.a.isIndirect ? try address(inCell: instruction.a.cell) ?? 0 : instruction.a.cell
      for cell in first..<(first + min(instruction.a.columns, instruction.c.columns)) {
        guard let address = try address(inCell: cell) else {
          throw FleqFault.notAPointer(instruction: number, cell: cell)
        }
        guard address + 1 < network.cells else {
          throw FleqFault.addressOutOfRange(instruction: number, cell: address + 1)
        }
      }
    }
  }
}
