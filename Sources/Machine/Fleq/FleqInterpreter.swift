#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The reference for FLEQ: the same instructions in plain double precision, with the true functions.
public struct FleqInterpreter: Sendable {
  /// A flag x jumps where x ≤ `flagTolerance`: the network's test is a steep sigmoid,
  /// and this is its middle.
  public static let flagTolerance = 0x1p-24

  public let program: FleqProgram
  public private(set) var memory: [[Double]]
  public private(set) var pointers: [Int: Int]
  public private(set) var programCounter = 0

  public init(_ program: FleqProgram) throws {
    try program.validate()
    self.program = program
    memory = program.memory
    pointers = program.pointers
  }

  /// Whether the next instruction only jumps to itself, so that nothing will ever change.
  public var hasHalted: Bool { program.onlyJumpsToItself(programCounter) }

  /// Executes one instruction.
  /// - Throws: `FleqFault` if a pointer leads outside the memory, a value is too large for the network, or the
  ///   program runs past its end.
  public mutating func step() throws {
    let instruction = program.instructions[programCounter]
    let d = program.blockSize
    let jumps = memory[instruction.flag][0] <= Self.flagTolerance
    let a = try read(instruction.a)
    let b = try read(instruction.b)
    var c = Array(repeating: Array(repeating: 0.0, count: d), count: d)
    func elementwise(_ function: (Double) -> Double) {
      for j in 0..<instruction.a.columns { c[j][0] = function(a[j][0]) }
    }
    switch instruction.function {
    case .copy: c = a
    case .add: for j in 0..<d { for i in 0..<d { c[j][i] = a[j][i] + b[j][i] } }
    case .subtract: for j in 0..<d { for i in 0..<d { c[j][i] = a[j][i] - b[j][i] } }
    case .multiply:
      for j in 0..<d { for i in 0..<d { for k in 0..<d { c[j][i] += a[i][k] * b[j][k] } } }
    case .transpose: for j in 0..<d { for i in 0..<d { c[j][i] = a[i][j] } }
    case .diagonal: for i in 0..<d { c[i][i] = a[0][i] }
    case .scalarDiagonal: for i in 0..<d { c[i][i] = a[0][0] }
    case .sigmoid: elementwise { 1 / (1 + exp(-$0)) }
    case .reciprocal: elementwise { 1 / $0 }
    case .squareRoot: elementwise { $0.squareRoot() }
    case .exponential: elementwise { exp($0) }
    case .logarithm: elementwise { log($0) }
    case .sine: elementwise { sin($0) }
    case .increment: c = a
    }
    let addresses = try addresses(after: instruction)
    let first = try firstCell(instruction.c)
    for j in 0..<instruction.c.columns {
      guard c[j].allSatisfy({ abs($0) <= FleqNetwork.largestValue }) else {
        throw FleqFault.valueTooLarge(instruction: programCounter, cell: first + j)
      }
      memory[first + j] = c[j]
      pointers[first + j] = addresses[j]
    }
    programCounter = jumps ? instruction.target : programCounter + 1
    guard programCounter < program.instructions.count else { throw FleqFault.ranPastTheEnd }
  }

  /// The addresses the written cells hold: a's for a copy, the next one for an increment, none otherwise.
  private func addresses(after instruction: FleqInstruction) throws -> [Int?] {
    guard instruction.function == .copy || instruction.function == .increment else {
      return Array(repeating: nil, count: program.blockSize)
    }
    let first = try firstCell(instruction.a)
    return try (0..<program.blockSize).map { j in
      guard j < instruction.a.columns else { return nil }
      let address = pointers[first + j]
      guard instruction.function == .increment && j < instruction.c.columns else { return address }
      guard let address else {
        throw FleqFault.notAPointer(instruction: programCounter, cell: first + j)
      }
      guard address + 1 < memory.count else {
        throw FleqFault.addressOutOfRange(instruction: programCounter, cell: address + 1)
      }
      return address + 1
    }
  }

  private func firstCell(_ operand: FleqOperand) throws -> Int {
    guard operand.isIndirect else { return operand.cell }
    guard let address = pointers[operand.cell] else {
      throw FleqFault.notAPointer(instruction: programCounter, cell: operand.cell)
    }
    guard address >= 0 && address + operand.columns <= memory.count else {
      throw FleqFault.addressOutOfRange(instruction: programCounter, cell: address)
    }
    return address
  }

  /// d columns, those beyond the operand's own being zero.
  private func read(_ operand: FleqOperand) throws -> [[Double]] {
    let first = try firstCell(operand)
    let zero = Array(repeating: 0.0, count: program.blockSize)
    return (0..<program.blockSize).map { $0 < operand.columns ? memory[first + $0] : zero }
  }
}

/// Why a FLEQ program cannot run, or cannot go on.
public enum FleqFault: Error, Equatable, CustomStringConvertible {
  case notAPointer(instruction: Int, cell: Int)
  case addressOutOfRange(instruction: Int, cell: Int)
  /// Above `FleqNetwork.largestValue`, or not a number.
  case valueTooLarge(instruction: Int, cell: Int)
  /// So large that linearised softmax is far from linear.
  case productTooLarge(instruction: Int, limit: Double)
  case ranPastTheEnd
  case invalid(instruction: Int, String)

  public var description: String {
    switch self {
    case .notAPointer(let instruction, let cell):
      "instruction \(instruction): cell \(cell) holds no address"
    case .addressOutOfRange(let instruction, let cell):
      "instruction \(instruction): cell \(cell) is outside the memory"
    case .valueTooLarge(let instruction, let cell):
      "instruction \(instruction): the value for cell \(cell) is not a number up to 2^26"
    case .productTooLarge(let instruction, let limit):
      "instruction \(instruction): the product is above \(Int(limit)), too large for linearised softmax"
    case .ranPastTheEnd: "the program ran past its last instruction; hint: end it with a jump to itself"
    case .invalid(let instruction, let why): "instruction \(instruction): \(why)"
    }
  }
}

extension FleqProgram {
  func onlyJumpsToItself(_ number: Int) -> Bool {
    let instruction = instructions[number]
    return instruction.target == number && instruction.flag == Self.zeroCell
      && instruction.c.cell == Self.discardCell
  }

  /// Checks everything that can be checked before the first step.
  /// - Throws: `FleqFault`.
  public func validate() throws {
    guard !instructions.isEmpty else { throw FleqFault.ranPastTheEnd }
    guard [1, 2, 4, 8, 16].contains(blockSize) else {
      throw FleqFault.invalid(instruction: 0, "the block size is \(blockSize), not 1, 2, 4, 8 or 16")
    }
    guard memory.count >= Self.firstFreeCell, memory.allSatisfy({ $0.count == blockSize }) else {
      throw FleqFault.invalid(
        instruction: 0, "every memory cell needs \(blockSize) rows, and there are at least 4")
    }
    for (index, instruction) in instructions.enumerated() {
      for operand in [instruction.a, instruction.b, instruction.c] {
        guard (1...blockSize).contains(operand.columns) else {
          throw FleqFault.invalid(
            instruction: index, "a block of \(operand.columns) columns; at most \(blockSize)")
        }
        let cells = operand.isIndirect ? 1 : operand.columns
        guard operand.cell >= 0 && operand.cell + cells <= memory.count else {
          throw FleqFault.addressOutOfRange(instruction: index, cell: operand.cell)
        }
      }
      guard !instruction.function.isElementwise || instruction.c.columns <= instruction.a.columns else {
        throw FleqFault.invalid(
          instruction: index, "\(instruction.function) writes more columns than it reads")
      }
      guard memory.indices.contains(instruction.flag), instructions.indices.contains(instruction.target)
      else {
        throw FleqFault.invalid(instruction: index, "flag or target is outside the program")
      }
      let written = instruction.c.cell..<(instruction.c.cell + instruction.c.columns)
      guard instruction.c.isIndirect || !written.contains(instruction.flag) else {
        throw FleqFault.invalid(instruction: index, "it writes the flag that it tests")
      }
    }
  }
}
