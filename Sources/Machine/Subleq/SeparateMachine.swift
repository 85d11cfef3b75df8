import Construction
import Looping

/// Drives a network of the paper's machine through the shared loop and decodes its state after every instruction.
public struct SeparateMachine<
  Network: SeparateSubleqNetwork, Body: LoopBody, Scalar: BinaryFloatingPoint & Sendable
>
where Body.State == ResidualStream<Scalar> {
  public let network: Network
  public let program: SeparateProgram
  public private(set) var state: ResidualStream<Scalar>
  private var loop: Loop<Body>

  /// - Throws: `MachineFault` if the program does not fit the network.
  public init(_ network: Network, program: SeparateProgram, body: Body) throws {
    self.network = network
    self.program = program
    state = try network.card.prelude(program, width: network.network.width)
    loop = Loop(body: body, limit: 1)
  }

  /// The number of the next instruction, out of range where the program ran past its end; `nil` where the state is
  /// not exactly ±1.
  public var programCounter: Int? { network.card.decodeProgramCounter(state) }

  /// The number in a data cell; `nil` where the state is not exactly ±1.
  public func word(inCell cell: Int) -> Int? { network.card.word(inCell: cell, of: state) }
  public var data: [Int?] { (0..<network.card.cells).map(word(inCell:)) }

  /// Runs one loop, which is one instruction.
  ///
  /// - Returns: what happened, and whether the state changed; if not, it never will again.
  /// - Throws: `PrecisionLoss` if the state is no longer exact; `MachineFault.ranPastTheEnd` after the last
  ///   instruction's effect; what the body throws.
  public mutating func step() throws -> (step: SubleqStep, changed: Bool) {
    guard let number = programCounter else { throw PrecisionLoss(what: "the program counter") }
    // A state that has lost precision may also hold a wrong, but exact, code.
    guard program.instructions.indices.contains(number) else {
      throw PrecisionLoss(what: "the program counter")
    }
    let instruction = program.instructions[number]
    let (_, halt) = try loop.run(&state)
    guard let result = word(inCell: instruction.b) else {
      throw PrecisionLoss(what: "data cell \(instruction.b)")
    }
    if result > 0 && number + 1 == program.instructions.count {
      throw MachineFault.ranPastTheEnd(programCounter: number)
    }
    let step = SubleqStep(
      programCounter: number, a: instruction.a, b: instruction.b, c: instruction.c, jumped: result <= 0)
    return (step, halt != .fixedPoint)
  }

  /// Runs to a fixed point, or for `limit` loops.
  ///
  /// - Parameter observe: called after every loop.
  /// - Returns: the loops made; the last one only confirms the fixed point.
  public mutating func run(
    limit: Int, observe: (Self, SubleqStep) throws -> Void = { _, _ in }
  ) throws -> (loops: Int, end: SubleqEnd) {
    for loop in 0..<limit {
      let (step, changed) = try step()
      try observe(self, step)
      if !changed { return (loop + 1, .fixedPoint) }
    }
    return (limit, .limit)
  }
}
