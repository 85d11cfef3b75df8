import ArgumentParser
import Construction
import Foundation
import Looping
import Machine

/// `looped run` for programs of the paper's machine: separate memories, no device.
struct SeparateRun {
  /// Which network runs them.
  enum Network: String, CaseIterable, ExpressibleByArgument {
    case paper, compact

    var type: any SeparateSubleqNetwork.Type {
      switch self {
      case .paper: PaperSubleqNetwork.self
      case .compact: CompactSubleqNetwork.self
      }
    }
  }

  let program: SeparateProgram
  let name: String
  let command: RunCommand
  private var loops = 0
  /// `nil` if it was interrupted.
  private var end: SubleqEnd?
  private var seconds = 0.0
  private var data: [Int?] = []
  private var network: ConstructedNetwork?

  init(_ program: SeparateProgram, name: String, command: RunCommand) {
    self.program = program
    self.name = name
    self.command = command
  }

  private var limit: Int { command.limit == 0 ? .max : command.limit }

  mutating func run() throws {
    guard command.machine.cells == nil else {
      throw CommandError("--cells is for programs in one memory; this one has its data in \(name)")
    }
    Interrupt.install()
    if command.executor == .interpreter {
      guard !command.trace && command.traceTo == nil else {
        throw CommandError("a trace needs a network: leave out --executor")
      }
      try interpret()
    } else {
      guard let kind = Network(rawValue: command.network?.rawValue ?? Network.compact.rawValue) else {
        throw CommandError(
          "\(name) has separate memories, which the \(command.network!) network has not",
          hint: "--network paper or compact")
      }
      let type = kind.type
      let dataType =
        command.dataType ?? (command.machine.bits <= type.largestWordBits(in: Float.self) ? .f32 : .f64)
      guard let scalar = dataType.scalar else { throw CommandError("this platform has no \(dataType)") }
      let widest = type.largestWordBits(in: scalar)
      guard command.machine.bits <= widest else {
        throw CommandError(
          "the \(kind) network is exact up to \(widest) bits in \(dataType), not \(command.machine.bits)",
          hint: dataType == .f64 ? "fewer --bits" : "--data-type f64, or fewer --bits")
      }
      let network = try type.init(for: program, wordBits: command.machine.bits)
      // Named types, so that the compiler specialises the whole run.
      switch dataType {
      case .f16: try execute(network, scalar)
      case .f32: try execute(network, Float.self)
      case .f64: try execute(network, Double.self)
      }
    }
    try report()
  }

  private mutating func interpret() throws {
    var interpreter = try SeparateInterpreter(program, wordBits: command.machine.bits)
    let start = ContinuousClock.now
    while loops < limit && end == nil && !Interrupt.isRequested {
      if interpreter.hasHalted { end = .fixedPoint }
      try interpreter.step()
      loops += 1
    }
    if end == nil && !Interrupt.isRequested { end = .limit }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    data = interpreter.data
  }

  private mutating func execute<N: SeparateSubleqNetwork, Scalar: BinaryFloatingPoint & Sendable>(
    _ network: N, _ scalar: Scalar.Type
  ) throws {
    let attention = command.inverseTemperature.map(Attention.softmax(inverseTemperature:)) ?? .hard
    switch command.executor {
    case .dense: try execute(network, DenseExecutor<Scalar>(network.network, attention: attention), attention)
    default: try execute(network, ExactExecutor<Scalar>(network.network), attention)
    }
  }

  private mutating func execute<N: SeparateSubleqNetwork, Body: LoopBody, Scalar>(
    _ network: N, _ body: Body, _ attention: Attention
  ) throws where Body.State == ResidualStream<Scalar> {
    self.network = network.network
    var machine = try SeparateMachine(network, program: program, body: body)
    let output = try TraceOutput(toTerminal: command.trace, path: command.traceTo)
    let tracer = output.map { output in
      SeparateTracer(
        network: network, program: program, name: name, state: machine.state,
        attention: output.needsAttention ? attention : nil, sink: { try output.record($0) })
    }
    if let tracer { try output?.begin(tracer.header) }
    let start = ContinuousClock.now
    while loops < limit && end == nil && !Interrupt.isRequested {
      let (step, changed) = try machine.step()
      loops += 1
      try tracer?.record(machine, step)
      if !changed { end = .fixedPoint }
    }
    if end == nil && !Interrupt.isRequested { end = .limit }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    data = machine.data
    try output?.end(loops: loops, halt: reason)
  }

  private var reason: String { end?.description ?? "interrupted" }

  private func report() throws {
    if command.json {
      print(try json())
    } else if !command.trace {
      print("data: " + data.map { $0.map(String.init) ?? "?" }.joined(separator: " "))
    }
    if !command.json && (command.verbose || end != .fixedPoint) {
      let rate = Int(Double(loops) / max(seconds, 1e-9))
      let weights =
        network.map {
          " of \($0.layers.count) layers and \($0.headCount) heads, width \($0.width), \($0.parameterCount) "
            + "weights (digest \(String($0.digest, radix: 16)))"
        } ?? " of the interpreter"
      FileHandle.standardError.write(
        Data("\(name): \(reason) after \(loops) loops\(weights); \(rate) per second\n".utf8))
    }
    if end != .fixedPoint { throw ExitCode(end == nil ? 130 : 3) }
  }

  private func json() throws -> String {
    struct Report: Encodable {
      var program: String
      var executor: String
      var end: String
      var loops: Int
      var seconds: Double
      var wordBits: Int
      var data: [Int?]
      var network: NetworkFacts?
    }
    let report = Report(
      program: name, executor: command.executor.rawValue, end: reason, loops: loops, seconds: seconds,
      wordBits: command.machine.bits, data: data, network: network.map(NetworkFacts.init))
    return try jsonText(report)
  }
}

extension DataType: ExpressibleByArgument {}
