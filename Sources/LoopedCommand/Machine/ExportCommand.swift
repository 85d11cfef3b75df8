import ArgumentParser
import Construction
import Foundation
import GraphAlgorithms
import Machine
import Tensors

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract:
      "Write a program's or graph algorithm's network, its state and how to read it, for other tools.",
    discussion: """
      The format is the file's extension: .safetensors, .npz (with a small Python program that runs it) or .onnx \
      (one call runs the program to its end). With --algorithm, the program is a graph file. A manifest, NAME.json, \
      is written beside it: names of rows and columns, how words are decoded, when the loop ends. A file of that name \
      is replaced.

        looped export primes --to primes.onnx
        looped export Examples/town.gr --algorithm dijkstra --source 1 --to town.npz
      """)

  /// What every tool of the trade reads.
  enum FileType: String, CaseIterable, ExpressibleByArgument { case f32, f64 }

  @Argument(
    help: "A program file, - for standard input, or the name of a library program; a graph with --algorithm.")
  var program: String
  @Option(name: .customLong("to"), help: "The file to write: NAME.safetensors, NAME.npz or NAME.onnx.")
  var path: String
  @Option(help: "What runs on a graph: \(GraphAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")).")
  var algorithm: GraphAlgorithm?
  @Option(name: .shortAndLong, help: "The node of the graph to start from.")
  var source: String?
  @Option(
    help:
      "asq, sq, csv or fleq; of a graph \(GraphFormat.allCases.map(\.rawValue).joined(separator: ", ")); by the file's extension if not given."
  )
  var format: String?
  @Option(help: "For graphs, and programs of the paper's machine (.csv): paper or compact.")
  var network = SeparateRun.Network.compact
  @Option(
    help:
      "The numbers of the file: f32 or f64; f64 if not given for FLEQ, and where words or weights need it.")
  var dataType: FileType?
  @OptionGroup var machine: MachineOptions
  @Option(help: "Run so many loops first, with standard input as input, and export the state after them.")
  var after = 0

  func validate() throws {
    try validateGraph()
    if after < 0 { throw ValidationError("--after cannot be negative") }
    if after > 0 && program == "-" && algorithm == nil {
      throw ValidationError("--after reads standard input, so the program cannot come from there")
    }
    if NetworkExport.Format(path: path) == nil {
      let known = NetworkExport.Format.allCases.map { "." + $0.rawValue }.joined(separator: ", ")
      throw ValidationError("--to \(path): the extension names the format: \(known)")
    }
  }

  func run() throws {
    let export = try algorithm.map(graph) ?? exportedProgram()
    guard let format = NetworkExport.Format(path: path) else { throw CommandError("unknown format") }
    for path in try export.write(format, to: path) {
      let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
      print("\(path)  \((size + 999) / 1000) kB")
    }
    let network = export.network
    print(
      "\(export.program): \(network.name), \(network.layers.count) layers, state "
        + "\(export.state.columnCount) x \(network.width), digest \(NetworkFacts(network).digest)")
  }
}

/// One function for each machine: its network, its state after `after` loops, and how to read that.
extension ExportCommand {
  private func exportedProgram() throws -> NetworkExport {
    switch try ProgramSource.load(program, format: format.flatMap(ProgramSource.Format.init(rawValue:))) {
    case .unified(let image, let name, let needed, _): try unified(image, name, needed)
    case .separate(let program, let name): try separate(program, name)
    case .fleq(let text, let name): try fleq(text, name)
    }
  }

  private func elementType(for wordBits: Int, largestInFloat: Int) throws -> ElementType {
    let type = dataType ?? (wordBits <= largestInFloat ? .f32 : .f64)
    guard type == .f64 || wordBits <= largestInFloat else {
      throw CommandError(
        "f32 is exact for words of up to \(largestInFloat) bits, not \(wordBits)",
        hint: "--data-type f64, or narrower words with --bits")
    }
    return type == .f32 ? .float32 : .float64
  }

  private func unified(_ image: MemoryImage, _ name: String, _ needed: Int?) throws -> NetworkExport {
    let network = try UnifiedSubleqNetwork(
      cells: machine.cells(image, needed: needed),
      dialect: machine.dialect)
    let type = try elementType(
      for: machine.bits, largestInFloat: UnifiedSubleqNetwork.largestWordBits(in: Float.self))
    var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Double>(network.network))
    var streams = StandardStreams(isQuiet: true)
    let done = try machine.run(limit: after, read: { try streams.read() }).instructions
    return try NetworkExport(
      program: name, network: network.network, state: machine.state, decoding: network.decoding,
      elementType: type, loopsDone: done)
  }

  private func separate(_ program: SeparateProgram, _ name: String) throws -> NetworkExport {
    func export<N: SeparateSubleqNetwork>(_ type: N.Type) throws -> NetworkExport {
      let elementType = try elementType(for: machine.bits, largestInFloat: N.largestWordBits(in: Float.self))
      let network = try N(for: program, wordBits: machine.bits)
      var machine = try SeparateMachine(
        network, program: program, body: ExactExecutor<Double>(network.network))
      let done = try machine.run(limit: after).loops
      return try NetworkExport(
        program: name, network: network.network, state: machine.state, decoding: network.card.decoding,
        elementType: elementType, loopsDone: done)
    }
    return try export(network.type)
  }

  private func fleq(_ text: [UInt8], _ name: String) throws -> NetworkExport {
    let program = try FleqCompiler.compile(text, file: name)
    let network = try FleqNetwork(
      for: program,
      productScale: dataType == .f32 ? FleqProducts.scaleForFloat32 : FleqProducts.scaleForFloat64)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    let done = try machine.run(limit: after).instructions
    return try NetworkExport(
      program: name, network: network.network, state: machine.state,
      decoding: network.decoding(of: program.variables),
      elementType: dataType == .f32 ? .float32 : .float64, loopsDone: done)
  }
}
