import Construction
import Looping

/// Makes trace records from a run of the paper's machine: what each instruction did, and – in small machines – where
/// the network looked.
public final class SeparateTracer<Network: SeparateSubleqNetwork, Scalar: BinaryFloatingPoint & Sendable> {
  public let header: TraceHeader
  private let network: Network
  private let disassembler: Disassembler
  private let dense: DenseExecutor<Scalar>?
  private let sink: (TraceStep) throws -> Void
  private var data: [Int]
  private var loops = 0
  /// The state before the coming step, kept where attention is recorded.
  private var before: ResidualStream<Scalar>

  /// - Parameters:
  ///   - state: the state before the first instruction.
  ///   - attention: how the run computes it; `nil` where nobody will look. It costs a dense pass per head, so it is
  ///     recorded within `SubleqTracer.attentionLimits`.
  ///   - sink: takes each step as it happens.
  public init(
    network: Network, program: SeparateProgram, name: String, state: ResidualStream<Scalar>,
    attention: Attention?, sink: @escaping (TraceStep) throws -> Void
  ) {
    self.network = network
    self.sink = sink
    data = program.data
    before = state
    dense =
      network.columnCount <= SubleqTracer.attentionLimits.columns
      ? attention.map { DenseExecutor(network.network, attention: $0) } : nil
    disassembler = Disassembler(
      MemoryImage(words: []), dialect: SubleqDialect(wordBits: network.card.wordBits))
    header = TraceHeader(
      family: "SUBLEQ, separate memories", program: name, network: network.network.name,
      layers: network.network.layers.count, width: network.network.width,
      parameters: network.network.parameterCount, digest: String(network.network.digest, radix: 16),
      columns: program.data.indices.map { "[\($0)]" }, values: program.data.map(Double.init))
  }

  /// Call after every step.
  public func record<Body: LoopBody>(_ machine: SeparateMachine<Network, Body, Scalar>, _ step: SubleqStep)
    throws
  {
    loops += 1
    var changes: [TraceStep.Change] = []
    if let after = machine.word(inCell: step.b), after != data[step.b] {
      changes = [.init(column: step.b, before: Double(data[step.b]), after: Double(after))]
      data[step.b] = after
    }
    var attention: [TraceStep.Attention]?
    if let dense, loops <= SubleqTracer.attentionLimits.loops {
      attention = look(dense, step)
      before = machine.state
    }
    try sink(
      TraceStep(
        loop: loops, position: step.programCounter,
        summary: disassembler.describe(a: step.a, b: step.b, c: step.c, next: step.programCounter + 1),
        jumped: step.jumped, changes: changes, output: nil, attention: attention))
  }

  /// Every head once, from the column that the instruction is about: the scratchpad when it reads, the written cell
  /// when it writes. The two share their attention in equal parts.
  private func look(_ dense: DenseExecutor<Scalar>, _ step: SubleqStep) -> [TraceStep.Attention] {
    let layers = network.network.layers
    func query(_ layer: Int) -> Int {
      layers[layer].name == "write" ? network.card.column(ofCell: step.b) : PunchCard.scratchpad
    }
    return network.network.attention(before: before, by: dense, query: query, name: name(ofColumn:))
  }

  private func name(ofColumn column: Int) -> String {
    let card = network.card
    if column == PunchCard.scratchpad { return "scratchpad" }
    return column < card.column(ofInstruction: 0)
      ? "data \(column - card.column(ofCell: 0))" : "instruction \(column - card.column(ofInstruction: 0))"
  }
}
