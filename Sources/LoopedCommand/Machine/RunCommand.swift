import ArgumentParser
import Construction
import Foundation
import Looping
import Machine

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a program on a looped transformer: one loop is one instruction.",
    discussion: """
      Programs: SUBLEQ assembly (.asq), decimal images (.sq, .dec), programs of the paper's machine (.csv: rows \
      a,b,c,mem), the matrix language FLEQ (.fleq), or one that comes with looped (--list). \
      What the program writes goes to standard output as it is written, what it reads comes from standard input.

        looped run primes
        echo "12*7" | looped run calculator
        looped run multiply --trace-to multiply.html
        looped run Examples/multiply.csv --network paper
      """)

  enum Executor: String, CaseIterable, ExpressibleByArgument { case exact, dense, interpreter }

  @Argument(help: "A program file, - for standard input, or the name of a library program.")
  var program: String?
  @Flag(help: "List the programs that come with looped.")
  var list = false
  @Option(help: "asq, sq, csv or fleq; by the file's extension if not given.")
  var format: ProgramSource.Format?
  @Option(help: "exact (fast), dense (every column attends to every column), or interpreter (no network).")
  var executor = Executor.exact
  @Option(
    help:
      "unified (default) or graph for programs in one memory, paper or compact (default) for the paper's programs (.csv)."
  )
  var network: Network?
  @Option(help: "The network's numbers: f16, f32 or f64.")
  var dataType: DataType?
  @Option(help: "Dense only: softmax with this inverse temperature instead of hard attention.")
  var inverseTemperature: Double?
  @OptionGroup var machine: MachineOptions
  @Option(help: "Stop after so many instructions; 0 for no limit.")
  var limit = 0
  @Flag(help: "Show every instruction: what it did, which cell changed, where it went.")
  var trace = false
  @Option(help: "Write the trace to FILE: .jsonl for machines, .html for people.")
  var traceTo: String?
  @Flag(help: "Print one JSON object at the end instead of the program's output.")
  var json = false
  @Flag(name: .shortAndLong, help: "Say at the end what ran, and how fast.")
  var verbose = false

  func validate() throws {
    if !list && program == nil { throw ValidationError("name a program, or use --list") }
    if limit < 0 { throw ValidationError("--limit cannot be negative") }
    if inverseTemperature != nil && executor != .dense {
      throw ValidationError(
        "--inverse-temperature needs --executor dense: the exact executor is hard attention")
    }
    if let inverseTemperature, !(inverseTemperature > 0) {
      throw ValidationError("--inverse-temperature must be positive")
    }
  }

  func run() throws {
    if list {
      let programs =
        ProgramLibrary.all.map { ($0.name, "SUBLEQ", $0.description) }
        + FleqLibrary.all.map { ($0.name, "FLEQ", $0.description) }
      let width = programs.map(\.0.count).max() ?? 0
      for (name, machine, description) in programs {
        print(
          name.padding(toLength: width + 2, withPad: " ", startingAt: 0)
            + machine.padding(toLength: 8, withPad: " ", startingAt: 0) + description)
      }
      return
    }
    switch try ProgramSource.load(program ?? "-", format: format) {
    case .unified(let image, let name, let needed, let text):
      try run(image, name: name, text: text, cells: machine.cells(image, needed: needed))
    case .separate(let program, let name):
      var run = SeparateRun(program, name: name, command: self)
      try run.run()
    case .fleq(let text, let name): try runFleq(text, name: name)
    }
  }

  private func run(_ image: MemoryImage, name: String, text: [UInt8]?, cells: Int) throws {
    let dialect = machine.dialect
    guard network == nil || network == .unified || network == .graph else {
      throw CommandError(
        "the \(network!) network runs programs for separate memories (.csv)",
        hint: "--network unified, or graph")
    }
    Interrupt.install()
    var run = MachineRun(name: name, image: image, cells: cells, dialect: dialect, limit: limit)
    run.source = text.map { String(decoding: $0, as: UTF8.self) }
    run.streams = StandardStreams(isQuiet: json || trace)
    if executor == .interpreter {
      guard !trace && traceTo == nil else {
        throw CommandError("a trace needs a network: leave out --executor")
      }
      try run.interpret()
    } else if network == .graph {
      try run.executeOnGraphNetwork(self)
    } else {
      let network = try UnifiedSubleqNetwork(cells: cells, dialect: dialect)
      let fitsFloat = machine.bits <= UnifiedSubleqNetwork.largestWordBits(in: Float.self)
      // Named types, so that the compiler specialises the whole run.
      switch dataType ?? (fitsFloat ? .f32 : .f64) {
      case .f16:
        guard let scalar = DataType.f16.scalar else { throw CommandError("this platform has no f16") }
        try runNetwork(&run, network, scalar)
      case .f32: try runNetwork(&run, network, Float.self)
      case .f64: try runNetwork(&run, network, Double.self)
      }
    }
    try run.streams.flush()
    try report(run)
  }

  private func runNetwork<Scalar: BinaryFloatingPoint & Sendable>(
    _ run: inout MachineRun, _ network: UnifiedSubleqNetwork, _ scalar: Scalar.Type
  ) throws {
    let output = try TraceOutput(toTerminal: trace, path: traceTo)
    switch executor {
    case .dense:
      let attention = inverseTemperature.map(Attention.softmax(inverseTemperature:)) ?? .hard
      try run.execute(network, DenseExecutor<Scalar>(network.network, attention: attention), output)
    default: try run.execute(network, ExactExecutor<Scalar>(network.network), output)
    }
  }

  private func report(_ run: MachineRun) throws {
    if json {
      print(try run.json(executor: executor.rawValue))
    } else if verbose || run.end == nil {
      FileHandle.standardError.write(Data((run.summary + "\n").utf8))
    }
    if run.end == .limit || run.end == nil { throw ExitCode(run.end == nil ? 130 : 3) }
  }
}

extension ProgramSource.Format: ExpressibleByArgument {}
extension SubleqDialect.Input: ExpressibleByArgument {}
extension SubleqDialect.Addressing: ExpressibleByArgument {}
