import Construction

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// FLEQ in five layers: one network that holds every function, and one loop that executes one instruction
///
///     mem[c] ← f(mem[a], mem[b]); if mem[flag] ≤ 0 goto target
///
/// Columns: d scratchpad columns C_0 … C_{d−1}, then – each with a position code – the memory cells (cell i at
/// position i), the instructions, the sink (all zero but for its position) and the unit column (one constant 1).
/// Every C_j holds the program counter and works on column j of each block.
///
/// | layer | attention | feed-forward |
/// |---|---|---|
/// | fetch | C_j reads the instruction at the program counter | which operands have a column j |
/// | address | reads the addresses in pointer cells, and the flag | pointer + j, by an adder |
/// | read | reads column j of a and of b; a sigmoid of the flag | lays out the input of each function; address + 1 |
/// | compute | products, sums of sigmoids, an average that spreads blocks | selects f's result |
/// | write | cells read from the C_j that points at them | stores; chooses the next program counter; clears |
///
/// Source: Giannou et al. 2023, section 5 (FLEQ; 9 layers plus the depth of the functions, at most 13). Reads are
/// direct, and all functions fit in one layer, so five suffice. Derivation: Documentation/Fleq.md.
public struct FleqNetwork: Sendable {
  public let blockSize: Int
  public let cells: Int
  public let instructions: Int
  public let network: ConstructedNetwork
  let fields: FleqFields
  /// The sums of sigmoids, by function.
  public let approximations: [FleqFunction: SigmoidSum]

  /// The number of sigmoid heads, which bounds the error of every element-wise function.
  public static let sigmoidCount = 32
  /// Values beyond this magnitude would open gates that must stay closed.
  public static let largestValue = 0x1p26

  /// Beyond 1/c, which a saturated product always is, products are far from linear: see `FleqProducts`.
  public let largestProduct: Double

  public func column(ofCell cell: Int) -> Int { blockSize + cell }
  public func column(ofInstruction instruction: Int) -> Int { blockSize + cells + instruction }
  public var sinkColumn: Int { blockSize + cells + instructions }
  public var unitColumn: Int { sinkColumn + 1 }
  public var columnCount: Int { unitColumn + 1 }

  /// The position code of a column behind the scratchpad.
  func position(ofColumn column: Int) -> Int { column - blockSize }

  /// - Parameters:
  ///   - blockSize: d, a power of two up to 16.
  ///   - productScale: c of the linearised softmax; see `FleqProducts`.
  public init(
    blockSize: Int, cells: Int, instructions: Int, productScale: Double = FleqProducts.scaleForFloat64
  ) {
    precondition([1, 2, 4, 8, 16].contains(blockSize) && cells >= 4 && instructions >= 1)
    self.blockSize = blockSize
    self.cells = cells
    self.instructions = instructions
    largestProduct = min(Self.largestValue, 1 / productScale)
    var layout = ResidualLayout()
    let positionBits = BitCode.width(for: cells + instructions + 2)
    let f = FleqFields(&layout, blockSize: blockSize, positionBits: positionBits)
    fields = f
    approximations = Self.fits
    var layers: [ConstructedLayer] = []
    func layer(_ name: String, _ build: (inout LayerBuilder) -> Void) {
      var builder = LayerBuilder(name, layout: layout)
      build(&builder)
      layers.append(builder.build())
    }
    layer("fetch") { f.fetch(into: &$0) }
    layer("address") { f.address(into: &$0) }
    layer("read") { f.read(into: &$0) }
    layer("compute") { f.compute(into: &$0, approximations: Self.fits, productScale: productScale) }
    layer("write") { f.write(into: &$0) }
    network = ConstructedNetwork(
      name: "FLEQ, \(cells) cells of \(blockSize), \(instructions) instructions", layout: layout,
      layers: layers)
  }

  /// Fits once per process: the sums do not depend on the program.
  private static let fits: [FleqFunction: SigmoidSum] = {
    var fits: [FleqFunction: SigmoidSum] = [:]
    for function in FleqFunction.allCases {
      if let domain = function.domain, let exact = function.exact {
        fits[function] = SigmoidSum(exact, on: domain, count: sigmoidCount)
      }
    }
    return fits
  }()
}

/// The rows of the FLEQ network. "Off the scratchpad" a register is zero between any two layers.
struct FleqFields: Sendable {
  let blockSize: Int

  // Constants of each column.
  /// Position code; zero on the scratchpad.
  let position: Field
  /// The sink's position off the scratchpad, zero on it: who has nothing to read reads the sink, which is zero.
  let rest: Field
  /// The sink's position on the scratchpad, zero off it.
  let home: Field
  let scratchpad: Field
  /// 1 on cells and instructions.
  let outside: Field
  let sink: Field
  let unit: Field
  /// On C_j: e_j, its complement 1 − e_j, and j in binary.
  let lane: Field
  let otherLane: Field
  let laneBits: Field

  // Memory.
  let value: Field
  let storedAddress: Field

  // Instructions, and below each the register it is fetched into.
  let code: Instruction
  let current: Instruction

  // Registers.
  let programCounter: Field
  let isActive: [Field]
  let pointer: [Field]
  let flag: Field
  let jump: Field
  let operandA: Field
  let operandB: Field
  let addressOfA: Field
  /// d × d: column i of operand a, on C_i only.
  let spread: Field
  /// d × d: all of operand a, on every C_j.
  let gathered: Field
  /// Row 0 of a, on the row of the element-wise function in force.
  let argument: Field
  let product: Field
  let sigmoids: Field
  let result: Field
  let resultAddress: Field
  let newValue: Field
  let newAddress: Field

  struct Instruction: Sendable {
    /// Position codes of the operands a, b, c where direct, else zero.
    let direct: [Field]
    /// Position codes of their pointer cells where indirect, else of the zero cell.
    let pointerCell: [Field]
    /// How many columns they have.
    let columns: [Field]
    let flag: Field
    let target: Field
    let next: Field
    /// One row per function: 1 for the one in force.
    let function: Field
    /// The complement of `function`.
    let otherFunction: Field

    init(_ layout: inout ResidualLayout, prefix: String, positionBits: Int) {
      func operands(_ name: String, rows: Int, bound: Double = 1) -> [Field] {
        ["a", "b", "c"].map { layout.add("\(prefix) \(name) \($0)", rows: rows, bound: bound) }
      }
      direct = operands("direct", rows: positionBits)
      pointerCell = operands("pointer cell", rows: positionBits)
      columns = operands("columns", rows: 1, bound: 16)
      flag = layout.add("\(prefix) flag", rows: positionBits)
      target = layout.add("\(prefix) target", rows: positionBits)
      next = layout.add("\(prefix) next", rows: positionBits)
      function = layout.add("\(prefix) function", rows: FleqFunction.allCases.count)
      otherFunction = layout.add("\(prefix) other functions", rows: FleqFunction.allCases.count)
    }

    var all: [Field] { direct + pointerCell + columns + [flag, target, next, function, otherFunction] }
  }

  init(_ layout: inout ResidualLayout, blockSize d: Int, positionBits: Int) {
    blockSize = d
    let large = FleqNetwork.largestValue
    position = layout.add("position", rows: positionBits)
    rest = layout.add("rest", rows: positionBits)
    home = layout.add("home", rows: positionBits)
    scratchpad = layout.addIndicator()
    outside = layout.add("outside", rows: 1)
    sink = layout.add("sink", rows: 1)
    unit = layout.add("unit", rows: 1)
    lane = layout.add("lane", rows: d)
    otherLane = layout.add("other lanes", rows: d)
    laneBits = layout.add("lane number", rows: max(1, d.trailingZeroBitCount))
    value = layout.add("value", rows: d, bound: large)
    storedAddress = layout.add("stored address", rows: positionBits)
    code = Instruction(&layout, prefix: "code", positionBits: positionBits)
    current = Instruction(&layout, prefix: "current", positionBits: positionBits)
    programCounter = layout.add("program counter", rows: positionBits)
    isActive = ["a", "b", "c"].map { layout.add("active \($0)", rows: 1) }
    pointer = ["a", "b", "c"].map { layout.add("pointer \($0)", rows: positionBits) }
    flag = layout.add("flag", rows: 1, bound: large)
    jump = layout.add("jump", rows: 1)
    operandA = layout.add("operand a", rows: d, bound: large)
    operandB = layout.add("operand b", rows: d, bound: large)
    addressOfA = layout.add("address in a", rows: positionBits)
    spread = layout.add("spread", rows: d * d, bound: large)
    gathered = layout.add("gathered", rows: d * d, bound: large)
    argument = layout.add("argument", rows: FleqFunction.allCases.count, bound: large)
    product = layout.add("product", rows: d, bound: large * large)
    sigmoids = layout.add("sigmoids", rows: FleqNetwork.sigmoidCount)
    result = layout.add("result", rows: d, bound: large)
    resultAddress = layout.add("result address", rows: positionBits)
    newValue = layout.add("new value", rows: d, bound: large)
    newAddress = layout.add("new address", rows: positionBits)
  }

  /// Non-zero on the scratchpad during a loop, zero between loops.
  var registers: [Field] {
    current.all + isActive + pointer + [
      flag, jump, operandA, operandB, addressOfA, spread, gathered, argument, product, sigmoids, result,
      resultAddress,
    ]
  }
}

extension FleqFunction {
  var index: Int { Self.allCases.firstIndex(of: self)! }
}

extension FleqFunction {
  /// The true function of an element-wise approximation.
  public var exact: ((Double) -> Double)? {
    switch self {
    case .reciprocal: { 1 / $0 }
    case .squareRoot: { $0.squareRoot() }
    case .exponential: { exp($0) }
    case .logarithm: { log($0) }
    case .sine: { sin($0) }
    default: nil
    }
  }
}
