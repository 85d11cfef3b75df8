import Construction
import Looping

/// Why a run ended.
public enum SubleqEnd: String, Sendable, CustomStringConvertible {
  /// The program jumped to a halting address.
  case halted
  /// The state no longer changes and never will: the program jumps to itself.
  case fixedPoint = "fixed point"
  /// The allowed number of instructions was executed.
  case limit

  public var description: String { rawValue }
}

/// Drives a unified SUBLEQ network through the shared loop: feeds its device, checks addresses before they are used,
/// and reports each instruction.
public struct SubleqMachine<Body: LoopBody, Scalar: BinaryFloatingPoint & Sendable>
where Body.State == ResidualStream<Scalar> {
  public let network: UnifiedSubleqNetwork
  public private(set) var state: ResidualStream<Scalar>
  private var loop: Loop<Body>

  /// - Throws: `MachineFault` if the image does not fit.
  public init(_ network: UnifiedSubleqNetwork, image: MemoryImage, body: Body) throws {
    self.network = network
    state = try network.prelude(image)
    loop = Loop(body: body, limit: 1)
  }

  public typealias End = SubleqEnd

  /// The program counter and every cell, decoded; `nil` where the state is not exactly ±1.
  public var programCounter: UnifiedSubleqNetwork.ProgramCounter? { network.decodeProgramCounter(state) }
  public func word(atCell cell: Int) -> Int? {
    network.word(inColumn: network.column(ofCell: cell), of: state)
  }
  public var memory: [Int?] { (0..<network.cells).map(word(atCell:)) }
  public var body: Body { loop.body }

  private func exactWord(_ cell: Int) throws -> Int {
    guard let word = word(atCell: cell) else { throw PrecisionLoss(what: "cell \(cell)") }
    return word
  }

  /// Runs one loop, which is one instruction.
  ///
  /// - Parameter read: called for a character when, and only when, the instruction reads one; `nil` at the end.
  /// - Returns: what happened, or `nil` if the program had halted before; and whether the state changed.
  /// - Throws: `MachineFault` before the network would use an address that is not there;
  ///   `PrecisionLoss` if the state is no longer exact.
  public mutating func step(read: () throws -> UInt8?) throws -> (step: SubleqStep?, changed: Bool) {
    guard let before = programCounter else { throw PrecisionLoss(what: "the program counter") }
    guard case .cell(let pc) = before else {
      let (_, halt) = try loop.run(&state)
      return (nil, halt != .fixedPoint)
    }
    let dialect = network.dialect
    try checkInstruction(at: pc, cells: network.cells)
    let (a, b, c) = (try exactWord(pc), try exactWord(pc + 1), try exactWord(pc + 2))
    try checkOperands(a: a, b: b, at: pc, cells: network.cells, dialect: dialect)
    if a == -1 {
      let character = try read().map(Int.init) ?? dialect.endOfInput
      // Mazonka's input adds; the network subtracts, so the device shows the negated character.
      let shown = dialect.input == .add && b != -1 ? -character : character
      state.setCode(shown, in: network.word.rows, column: network.deviceColumn)
    }
    let (_, halt) = try loop.run(&state)
    var step = SubleqStep(programCounter: pc, a: a, b: b, c: c, jumped: false)
    if !dialect.copies(a: a, b: b) {
      step.jumped = try exactWord(dialect.address(b)) <= 0
    }
    // The network's program counter has no room for a target that is not there.
    if step.jumped && !dialect.halts(at: c) {
      try checkJump(from: pc, to: dialect.address(c), cells: network.cells)
    }
    if b == -1 {
      guard let written = network.word(inColumn: network.deviceColumn, of: state) else {
        throw PrecisionLoss(what: "the device")
      }
      step.output = UInt8(truncatingIfNeeded: written)
    }
    return (step, halt != .fixedPoint)
  }

  /// Runs until the program halts, reaches a fixed point, or has executed `limit` instructions.
  ///
  /// - Parameters:
  ///   - read: the next input character, or `nil` at the end.
  ///   - write: takes each character as it is written.
  ///   - observe: called after every instruction.
  public mutating func run(
    limit: Int, read: () throws -> UInt8? = { nil }, write: (UInt8) throws -> Void = { _ in },
    observe: (Self, SubleqStep) throws -> Void = { _, _ in }
  ) throws -> (instructions: Int, end: End) {
    for instruction in 0..<limit {
      if programCounter == .halted { return (instruction, .halted) }
      let (step, changed) = try step(read: read)
      if let step {
        if let character = step.output { try write(character) }
        try observe(self, step)
        // I/O instructions may leave the state as it was and still do something.
        if !changed && step.a != -1 && step.b != -1 { return (instruction + 1, .fixedPoint) }
      }
    }
    return (limit, programCounter == .halted ? .halted : .limit)
  }
}

/// The state of a network is not exactly what its decoder knows: data type or temperature do not suffice.
public struct PrecisionLoss: Error, CustomStringConvertible {
  public let what: String
  public init(what: String) { self.what = what }
  public var description: String {
    "\(what) no longer holds exact ±1 entries; hint: hard attention, or a wider data type"
  }
}
