import Construction
import Foundation
import Looping
import Machine
import Reporting

/// One run of a FLEQ program: how far it came, why it ended, and what its variables hold.
struct FleqRun {
  let name: String
  let program: FleqProgram
  private let source: [UInt8]
  let sourceLines: [Substring]
  /// 0 for none.
  let limit: Int
  private(set) var instructions = 0
  private(set) var end = "interrupted"
  private(set) var seconds = 0.0
  private(set) var memory: [[Double]] = []
  private var network: ConstructedNetwork?
  private var approximations: [FleqFunction: SigmoidSum] = [:]

  init(name: String, source: [UInt8], limit: Int) throws {
    self.name = name
    self.source = source
    program = try FleqCompiler.compile(source, file: name)
    sourceLines = String(decoding: source, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    self.limit = limit
  }

  private func reasonToStop(_ hasHalted: Bool) -> String? {
    if hasHalted { return "halted" }
    if limit > 0 && instructions >= limit { return "limit" }
    return instructions & 63 == 0 && Interrupt.isRequested ? "interrupted" : nil
  }

  mutating func interpret() throws {
    var interpreter = try FleqInterpreter(program)
    let start = ContinuousClock.now
    while true {
      if let reason = reasonToStop(interpreter.hasHalted) {
        end = reason
        break
      }
      do { try interpreter.step() } catch let fault as FleqFault {
        throw located(fault, at: interpreter.programCounter)
      }
      instructions += 1
    }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    memory = interpreter.memory
  }

  mutating func execute<Scalar: BinaryFloatingPoint & Sendable>(
    isDense: Bool, _ scalar: Scalar.Type, trace: FleqTrace?
  ) throws {
    let scale = scalar == Float.self ? FleqProducts.scaleForFloat32 : FleqProducts.scaleForFloat64
    let network = try FleqNetwork(for: program, productScale: scale)
    self.network = network.network
    approximations = network.approximations
    if isDense {
      try run(network, DenseExecutor<Scalar>(network.network), trace)
    } else {
      try run(network, ExactExecutor<Scalar>(network.network), trace)
    }
  }

  private mutating func run<Body: LoopBody, Scalar>(
    _ network: FleqNetwork, _ body: Body, _ trace: FleqTrace?
  ) throws where Body.State == ResidualStream<Scalar> {
    var machine = try FleqMachine(program, network: network, body: body)
    let dense = DenseExecutor<Scalar>(network.network)
    try trace?.begin(network.network, machine.memory)
    let start = ContinuousClock.now
    var progress = Progress(program, limit: limit)
    defer { progress.finish() }
    while true {
      if let reason = reasonToStop(try machine.hasHalted) {
        end = reason
        break
      }
      let number = try machine.programCounter
      var attention: [TraceStep.Attention]?
      if let trace, trace.needsAttention(network) {
        attention = network.attention(before: machine.state, by: dense, instruction: number, of: program)
      }
      do { try machine.step() } catch let fault as FleqFault {
        try trace?.end(loops: instructions, halt: fault.description)
        throw located(fault, at: number)
      }
      instructions += 1
      progress.update(instructions)
      try trace?.record(
        number, next: try machine.programCounter, memory: machine.memory, attention: attention)
    }
    seconds = (ContinuousClock.now - start) / .seconds(1)
    memory = machine.memory
    try trace?.end(loops: instructions, halt: end)
  }

  /// The fault with the source line of the instruction, if there is one.
  private func located(_ fault: FleqFault, at number: Int) -> any Error {
    let line = program.lines[number]
    guard line > 0 else { return fault }
    let ends = source.indices.lazy.filter { source[$0] == 10 }
    let start = line == 1 ? 0 : (ends.dropFirst(line - 2).first ?? -1) + 1
    let text = source[start...].firstIndex { $0 != 32 && $0 != 9 } ?? start
    return SourceError(
      file: name, source: source, offset: text,
      message: "after \(instructions) instructions, at \(program.describe(number)): \(fault.description)")
  }

  /// How far a run is. The interpreter, a hundred times as fast, finds out how far it will go.
  private struct Progress {
    let program: FleqProgram
    let limit: Int
    private let start = ContinuousClock.now
    private var bar: ProgressBar?

    init(_ program: FleqProgram, limit: Int) { (self.program, self.limit) = (program, limit) }

    mutating func update(_ instructions: Int) {
      guard instructions & 255 == 0, Terminal.isTerminal(STDERR_FILENO) else { return }
      if bar == nil {
        guard ContinuousClock.now - start > .seconds(2) else { return }
        var total = 0
        if var interpreter = try? FleqInterpreter(program) {
          while !interpreter.hasHalted, total < 1_000_000, (try? interpreter.step()) != nil { total += 1 }
        }
        bar = ProgressBar(total: limit > 0 ? min(limit, total) : total, what: "instructions")
      }
      bar?.update(instructions)
    }

    func finish() { bar?.finish() }
  }

  // MARK: Reports

  /// Row by row, the numbers of a variable.
  private func rows(of variable: FleqProgram.Variable) -> [[Double]] {
    (0..<variable.rows).map { i in (0..<variable.columns).map { memory[variable.cell + $0][i] } }
  }

  /// Every variable as a person writes it: `name = 3`, or a matrix over several lines.
  var variables: String {
    let width = program.variables.map(\.name.count).max() ?? 0
    return program.variables.map { variable in
      let cells = rows(of: variable).map { $0.map(Self.text) }
      let head = variable.name + String(repeating: " ", count: width - variable.name.count) + " = "
      let margin = String(repeating: " ", count: head.count)
      let widths = (0..<variable.columns).map { j in cells.map { $0[j].count }.max()! }
      return cells.enumerated().map { i, row in
        let numbers = row.enumerated().map { String(repeating: " ", count: widths[$0] - $1.count) + $1 }
        let line = numbers.joined(separator: "  ")
        let isScalar = variable.rows == 1 && variable.columns == 1
        return (i == 0 ? head : margin) + (isScalar ? line : "[ \(line) ]") + "\n"
      }.joined()
    }.joined()
  }

  /// Six decimals: about what the network's products and functions are good for.
  static func text(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    var text = String(format: "%.6f", value)
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text == "-0" ? "0" : text
  }

  /// The entry of a variable that differs most from plain double precision with the true functions, relative to the
  /// larger of it and 1; `nil` if the reference does not come to an end in about as many instructions.
  func largestDifference() throws -> (text: String, relative: Double)? {
    var interpreter = try FleqInterpreter(program)
    for _ in 0...(2 * instructions + 1000) where !interpreter.hasHalted { try interpreter.step() }
    guard interpreter.hasHalted else { return nil }
    var worst = (text: "no variables", relative: 0.0)
    for variable in program.variables {
      for j in 0..<variable.columns {
        for i in 0..<variable.rows {
          let (found, exact) = (memory[variable.cell + j][i], interpreter.memory[variable.cell + j][i])
          let difference = abs(found - exact) / max(1, abs(exact))
          if difference >= worst.relative {
            worst = ("\(variable.name) holds \(Self.text(found)), not \(Self.text(exact))", difference)
          }
        }
      }
    }
    return worst
  }

  /// What ran: the figures are counted in the weights.
  var summary: String {
    let rate = Int(Double(instructions) / max(seconds, 1e-9))
    var text = "\(name): \(end) after \(instructions) instructions, \(rate) per second\n"
    if let network {
      text +=
        "network: \(network.layers.count) layers, at most \(network.headCount) heads, width \(network.width), "
        + "\(network.parameterCount) weights (digest \(String(network.digest, radix: 16))); "
        + "\(program.memory.count) cells of \(program.blockSize), \(program.instructions.count) instructions\n"
      for layer in network.layers {
        text += "  \(layer.name): \(layer.heads.count) heads, \(layer.neurons.count) neurons\n"
      }
      let errors = FleqFunction.allCases.compactMap { function in
        approximations[function].map { "\(function) " + String(format: "%.1e", $0.largestError) }
      }
      text +=
        "sums of \(FleqNetwork.sigmoidCount) sigmoids, largest error: \(errors.joined(separator: ", "))\n"
    }
    return text
  }

  func json(executor: String) throws -> String {
    struct Report: Encodable {
      var program: String
      var executor: String
      var end: String
      var instructions: Int
      var seconds: Double
      var variables: [String: [[Double]]]
      var network: NetworkFacts?
    }
    let report = Report(
      program: name, executor: executor, end: end, instructions: instructions, seconds: seconds,
      variables: Dictionary(program.variables.map { ($0.name, rows(of: $0)) }) { _, last in last },
      network: network.map(NetworkFacts.init))
    return try jsonText(report)
  }
}

extension ExecutionError: ReportedError {}
