import Construction
import Looping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Drives Graph-SUBLEQ: feeds its device, checks addresses before they are used, reports each instruction.
public struct GraphSubleqMachine<Scalar: BinaryFloatingPoint & Sendable> {
  public struct Step: Equatable, Sendable {
    public var programCounter: Int
    public var a: Int
    public var b: Int
    public var c: Int
    /// The character written, if the instruction wrote one.
    public var output: UInt8?
  }

  public let network: GraphSubleqNetwork
  public let cells: Int
  public private(set) var state: ResidualStream<Scalar>
  private let circle: CircleCode
  private var loop: Loop<DenseExecutor<Scalar>>

  /// - Throws: `GraphSubleqError` or `PaperGraphError` if the program does not fit.
  public init(
    _ network: GraphSubleqNetwork, words: [Int], cells: Int? = nil, attention: Attention = .hard,
    as scalar: Scalar.Type = Scalar.self
  ) throws {
    self.network = network
    self.cells = cells ?? max(words.count, 3)
    (state, circle) = try network.prelude(words, cells: self.cells, attention: attention)
    loop = Loop(body: DenseExecutor(network.network, attention: attention), limit: 1)
  }

  /// The word of a cell; the device is cell number `cells`.
  ///
  /// - Throws: `PaperGraphError.precisionLoss` if it is no integer.
  public func word(atCell cell: Int) throws -> Int {
    let value = Double(state[network.word[0], network.column(ofCell: cell)])
    guard value == value.rounded(), abs(value) < 0x1p62 else {
      throw PaperGraphError.precisionLoss("cell \(cell)")
    }
    return Int(value)
  }

  public var memory: [Int] { get throws { try (0..<cells).map(word(atCell:)) } }

  /// Where the machine is: a cell, `cells` behind the last one, or `nil` once halted. The position is the one nearest to
  /// the angle, and must be that table row bit for bit.
  public var programCounter: Int? {
    get throws {
      let code = state[network.programCounter, 0].map { Double($0) }
      if code == [0, 0] { return cells }
      var angle = atan2(code[0], code[1])
      if angle < 0 { angle += 2 * Double.pi }
      let position = Int((angle / circle.angle).rounded())
      guard circle[position].map({ Double(Scalar($0)) }) == code, position >= 1 else {
        throw PaperGraphError.precisionLoss("the program counter")
      }
      return position == cells + 2 ? nil : position - 1
    }
  }

  /// Runs one loop, which is one instruction.
  ///
  /// - Parameter read: called for a character when, and only when, the instruction reads one; −1 stands for the end.
  /// - Returns: what was done, or `nil` if the program had halted before; and whether the state changed.
  /// - Throws: `GraphSubleqError` before the network would use an address that is not there.
  public mutating func step(read: () throws -> UInt8? = { nil }) throws -> (step: Step?, changed: Bool) {
    guard let pc = try programCounter else {
      let (_, halt) = try loop.run(&state)
      return (nil, halt != .fixedPoint)
    }
    guard pc + 3 <= cells else {
      throw GraphSubleqError.incompleteInstruction(programCounter: pc, cells: cells)
    }
    var step = Step(
      programCounter: pc, a: try word(atCell: pc), b: try word(atCell: pc + 1), c: try word(atCell: pc + 2))
    for address in [step.a, step.b] where !(-1..<cells).contains(address) {
      throw GraphSubleqError.address(address, programCounter: pc, cells: cells)
    }
    let device = network.column(ofCell: cells)
    if step.a == -1 {
      let character = try read().map(Int.init) ?? -1
      state[network.word[0], device] = Scalar(network.wrap(character))
    }
    let (_, halt) = try loop.run(&state)
    if step.b == -1 {
      step.output = UInt8(truncatingIfNeeded: try word(atCell: cells))
    } else if step.a != -1, step.c >= cells, try word(atCell: step.b) <= 0 {
      throw GraphSubleqError.jump(step.c, programCounter: pc, cells: cells)
    }
    return (step, halt != .fixedPoint)
  }

  /// Runs until the program halts or has executed `limit` instructions.
  public mutating func run(
    limit: Int, read: () throws -> UInt8? = { nil }, write: (UInt8) throws -> Void = { _ in }
  ) throws -> (instructions: Int, halted: Bool) {
    for instruction in 0..<limit {
      guard try programCounter != nil else { return (instruction, true) }
      if let character = try step(read: read).step?.output { try write(character) }
    }
    return (limit, try programCounter == nil)
  }
}
