import Construction
import Foundation
import Looping

/// Makes trace records from a run: what each instruction did, and – in small memories – where the network looked.
public final class SubleqTracer {
  /// Takes each step as it happens.
  public typealias Sink = (TraceStep) throws -> Void

  public let header: TraceHeader
  private let network: UnifiedSubleqNetwork
  private let disassembler: Disassembler
  /// Whether the steps to come say where the network looked; who is short of time may change its mind.
  public var recordsAttention: Bool {
    didSet { recordsAttention = recordsAttention && network.columnCount <= Self.attentionLimits.columns }
  }
  private let sink: Sink
  private var words: [Int]
  private var loops = 0
  /// The state before the coming step, kept where attention is recorded.
  private var before: Any?

  /// Attention costs a dense pass per head, so it is recorded for so many columns and loops at most.
  public static let attentionLimits = (columns: 300, loops: 400)

  /// - Parameter source: the assembly text, which viewers show beside the memory.
  public init(
    network: UnifiedSubleqNetwork, image: MemoryImage, name: String, source: String? = nil,
    recordsAttention: Bool, sink: @escaping Sink
  ) {
    self.network = network
    self.sink = sink
    disassembler = Disassembler(image, dialect: network.dialect)
    self.recordsAttention = recordsAttention && network.columnCount <= Self.attentionLimits.columns
    words =
      image.words.map(network.dialect.wrap) + Array(repeating: 0, count: network.cells - image.words.count)
    let weights = network.network
    var header = TraceHeader(
      family: "SUBLEQ", program: name, network: weights.name, layers: weights.layers.count,
      width: weights.width,
      parameters: weights.parameterCount, digest: String(weights.digest, radix: 16),
      columns: (0..<network.cells).map { cell in image.labels[cell].map { "\(cell) \($0)" } ?? String(cell) },
      values: words.map(Double.init))
    if let source {
      header.listing = .init(text: source, lines: (0..<network.cells).map { image.lines[$0] ?? 0 })
    }
    self.header = header
  }

  /// Call before the first step, so that its attention can be recorded.
  public func begin<Scalar>(_ state: ResidualStream<Scalar>) {
    if recordsAttention { before = state }
  }

  /// Call after every step.
  public func record<Body: LoopBody, Scalar>(_ machine: SubleqMachine<Body, Scalar>, _ step: SubleqStep)
    throws
  where Body.State == ResidualStream<Scalar> {
    loops += 1
    var changes: [TraceStep.Change] = []
    let cell = network.dialect.address(step.b)
    if step.b != -1, let after = machine.word(atCell: cell), after != words[cell] {
      changes = [.init(column: cell, before: Double(words[cell]), after: Double(after))]
      words[cell] = after
    }
    var attention: [TraceStep.Attention]?
    if recordsAttention && loops <= Self.attentionLimits.loops {
      if let state = before as? ResidualStream<Scalar> { attention = look(state, written: cell, step) }
      before = machine.state
    }
    try sink(
      TraceStep(
        loop: loops, position: step.programCounter,
        summary: disassembler.describe(a: step.a, b: step.b, c: step.c, next: step.programCounter + 3),
        jumped: step.jumped, changes: changes,
        output: step.output.map { String(UnicodeScalar($0)) }, attention: attention))
  }

  /// Every head once, from the column that the instruction is about: the scratchpad when it reads, the written cell
  /// when it writes.
  private func look<Scalar>(
    _ state: ResidualStream<Scalar>, written cell: Int, _ step: SubleqStep
  ) -> [TraceStep.Attention] {
    let layers = network.network.layers
    func query(_ layer: Int) -> Int {
      guard layer == layers.count - 1 else { return UnifiedSubleqNetwork.scratchpad }
      return step.b == -1 ? network.deviceColumn : network.column(ofCell: cell)
    }
    return network.network.attention(
      before: state, by: DenseExecutor(network.network), query: query, name: name(ofColumn:))
  }

  private func name(ofColumn column: Int) -> String {
    switch column {
    case UnifiedSubleqNetwork.scratchpad: "scratchpad"
    case network.deviceColumn: "device"
    case network.haltColumn: "halt"
    default: "cell \(header.columns[column - 1])"
    }
  }
}
