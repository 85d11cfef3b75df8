/// The functions one FLEQ network holds. A block is d × d; unused rows and columns are zero.
///
/// Element-wise functions act on row 0 of each column, so on scalars and row vectors.
public enum FleqFunction: String, CaseIterable, Sendable, Codable {
  /// c ← a, with the address that a holds: so a pointer is set by copying one that keeps its start
  case copy
  /// c ← a + b
  case add
  /// c ← a − b
  case subtract
  /// c ← aᵀ b (linearised softmax)
  case multiply
  /// c ← aᵀ
  case transpose
  /// c ← the diagonal matrix of the column vector a (a has one column, c up to d)
  case diagonal
  /// c ← the scalar a times the identity (c has up to d columns)
  case scalarDiagonal
  /// Element-wise 1 / (1 + e^−x): one softmax head, exact
  case sigmoid
  /// Element-wise 1 / x on [½, 2], a sum of sigmoids
  case reciprocal
  /// Element-wise √x on [¼, 2], a sum of sigmoids
  case squareRoot
  /// Element-wise e^x on [−1, 1], a sum of sigmoids
  case exponential
  /// Element-wise ln x on [½, 2], a sum of sigmoids
  case logarithm
  /// Element-wise sin x on [−π, π], a sum of sigmoids
  case sine
  /// c ← a, with the address that a holds, plus 1 (pointer cells)
  case increment

  /// Whether it acts on row 0 of each column alone.
  public var isElementwise: Bool { domain != nil || self == .sigmoid }

  /// Where an element-wise approximation holds; `nil` for functions without such a limit.
  public var domain: ClosedRange<Double>? {
    switch self {
    case .reciprocal, .logarithm: 0.5...2
    case .squareRoot: 0.25...2
    case .exponential: -1...1
    case .sine: -Double.pi...Double.pi
    default: nil
    }
  }
}

/// A block of consecutive memory cells, or one named by a pointer cell.
public struct FleqOperand: Equatable, Sendable {
  /// The first cell of the block; the pointer cell if `isIndirect`.
  public var cell: Int
  /// How many cells (matrix columns) are read or written, 1 to d.
  public var columns: Int
  /// Whether `cell` holds the address of the first cell.
  public var isIndirect: Bool

  public init(cell: Int, columns: Int = 1, isIndirect: Bool = false) {
    self.cell = cell
    self.columns = columns
    self.isIndirect = isIndirect
  }
}

/// `mem[c] ← f(mem[a], mem[b]); if mem[flag] ≤ 0 goto target`, the flag being read before the write.
///
/// A cell holds d numbers and may hold an address. A write replaces both: only `copy` and `increment` write an
/// address, every other function leaves the written cells without one.
///
/// Source: Giannou et al. 2023, FLEQ (section 5). `flag` tests row 0 of its cell.
public struct FleqInstruction: Equatable, Sendable {
  public var function: FleqFunction
  public var a: FleqOperand
  public var b: FleqOperand
  public var c: FleqOperand
  public var flag: Int
  public var target: Int

  public init(
    _ function: FleqFunction, a: FleqOperand, b: FleqOperand, c: FleqOperand, flag: Int, target: Int
  ) {
    self.function = function
    self.a = a
    self.b = b
    self.c = c
    self.flag = flag
    self.target = target
  }
}

/// A FLEQ program: separate instructions and memory, as in the paper.
///
/// Cells 0 to 3 have fixed roles: see the constants.
public struct FleqProgram: Equatable, Sendable {
  /// Always the zero vector.
  public static let zeroCell = 0
  /// Always (1, 0, …): the flag of instructions that do not jump.
  public static let oneCell = 1
  /// Where results nobody wants go.
  public static let discardCell = 2
  /// Never read or written by the compiler; keeps the first four cells a round number.
  public static let spareCell = 3
  public static let firstFreeCell = 4

  /// d: rows of a cell, and the most columns of a block; a power of two.
  public var blockSize: Int
  /// Initial contents, `memory[cell][row]`, each of d rows.
  public var memory: [[Double]]
  /// Initial addresses held by pointer cells.
  public var pointers: [Int: Int]
  public var instructions: [FleqInstruction]
  /// Where named variables live, for reading results.
  public var variables: [Variable]
  /// The source line of each instruction (0 where there is none).
  public var lines: [Int]
  /// What listings and traces call cells.
  public var cellNames: [Int: String]
  /// What listings call the operands of each instruction; empty if they are called what their cells are.
  public var operandNames: [OperandNames]

  public struct Variable: Equatable, Sendable {
    public var name: String
    public var cell: Int
    public var rows: Int
    public var columns: Int
    public init(name: String, cell: Int, rows: Int, columns: Int) {
      self.name = name
      self.cell = cell
      self.rows = rows
      self.columns = columns
    }
  }

  public init(
    blockSize: Int, memory: [[Double]], pointers: [Int: Int] = [:], instructions: [FleqInstruction],
    variables: [Variable] = [], lines: [Int] = [], cellNames: [Int: String] = [:],
    operandNames: [OperandNames] = []
  ) {
    self.blockSize = blockSize
    self.memory = memory
    self.pointers = pointers
    self.instructions = instructions
    self.variables = variables
    self.cellNames = cellNames
    self.operandNames = operandNames
    self.lines = lines.isEmpty ? Array(repeating: 0, count: instructions.count) : lines
  }
}
