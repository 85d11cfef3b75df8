import Construction
import Foundation
import Machine
import Tensors
import Testing

@Suite struct ExportTests {
  static func export(
    cells: Int, dialect: SubleqDialect = SubleqDialect(), words: [Int] = [], type: ElementType = .float32
  ) throws -> NetworkExport {
    let network = try UnifiedSubleqNetwork(cells: cells, dialect: dialect)
    return try NetworkExport(
      program: "test", network: network.network, state: network.prelude(MemoryImage(words: words)),
      decoding: network.decoding, elementType: type)
  }

  /// The arrays of a file, multiplied out as the manifest's equations say, are the network.
  @Test(arguments: [ElementType.float32, .float64]) func arraysAreTheNetwork(type: ElementType) throws {
    let folder = NSTemporaryDirectory() + "looped-export-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let export = try Self.export(cells: 12, words: [3, 4, 6, 7, -2, 0, 5, 9, -1], type: type)
    let paths = try export.write(.safetensors, to: folder + "/test.safetensors")
    #expect(paths == [folder + "/test.safetensors", folder + "/test.json"])
    let file = try SafetensorsFile(path: paths[0])
    #expect(file.metadata["digest"] == String(export.network.digest, radix: 16))
    #expect(file.metadata["rows"]?.split(separator: "\n").count == export.network.width)

    var state = export.state
    var executor = DenseExecutor<Double>(export.network)
    for _ in 0..<3 {
      var arrays = DenseArrays(file: file, columns: export.state.columnCount, values: state.storage)
      try arrays.pass(export.network)
      _ = executor.apply(to: &state, loop: 0)
      #expect(arrays.state == state.storage)
    }
  }

  /// Every kind of head, with and without a graph, against the executor that defines them.
  @Test func arraysAreGraphHeadsToo() throws {
    let folder = NSTemporaryDirectory() + "looped-export-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let export = try GraphHeads.export(columns: 9, seed: 4)
    let file = try SafetensorsFile(path: try export.write(.safetensors, to: folder + "/test.safetensors")[0])
    var state = export.state
    var executor = DenseExecutor<Double>(export.network, graph: export.graph)
    var arrays = DenseArrays(file: file, columns: 9, values: state.storage)
    for _ in 0..<4 {
      try arrays.pass(export.network)
      _ = executor.apply(to: &state, loop: 0)
      for (ours, exported) in zip(state.storage, arrays.state) {
        #expect(abs(ours - exported) <= 1e-12 * max(1, abs(ours)))
      }
    }
    #expect(state != export.state)
  }

  @Test func decodingFindsWhatTheMachineKnows() throws {
    let network = try UnifiedSubleqNetwork(cells: 200)
    let program = try #require(ProgramLibrary["multiply"])
    var machine = try SubleqMachine(
      network, image: try program.assemble(), body: ExactExecutor<Float>(network.network))
    let decoding = network.decoding
    func isUp(_ flag: StateDecoding.Flag?) -> Bool {
      flag.map { machine.state[$0.row, $0.column] > 0 } ?? false
    }
    for limit in [0, 100, 1000] {
      _ = try machine.run(limit: limit)
      let memory = try #require(decoding.codes.first { $0.name == "memory" })
      #expect(
        memory.columns.range.map {
          machine.state.code(in: memory.rows.range, column: $0).map(network.dialect.wrap)
        } == machine.memory)
      #expect(isUp(decoding.halting) == (machine.programCounter == .halted))
    }
    #expect(isUp(decoding.halting))
    #expect(decoding.roles.reduce(0) { $0 + $1.columns.count } == network.columnCount)
  }

  @Test func decodingFindsWhatFleqKnows() throws {
    let program = FleqNetworkTests.randomProgram(seed: 8, blockSize: 2, length: 12)
    let network = try FleqNetwork(for: program)
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    let decoding = network.decoding()
    #expect(decoding.roles.reduce(0) { $0 + $1.columns.count } == network.columnCount)
    for _ in 0..<8 {
      let memory = try #require(decoding.values.first { $0.name == "memory" })
      #expect(
        memory.columns.range.map { column in memory.rows.range.map { machine.state[$0, column] } }
          == machine.memory)
      let counter = decoding.codes[0]
      #expect(
        machine.state.code(in: counter.rows.range, column: counter.columns.start)
          == network.cells + (try machine.programCounter))
      try machine.step()
    }
  }

  @Test func refusesWhatIsTooLarge() throws {
    let network = try UnifiedSubleqNetwork(cells: 12)
    func export(columns: Int) throws -> NetworkExport {
      try NetworkExport(
        program: "test", network: network.network,
        state: ResidualStream(width: network.network.width, columnCount: columns),
        decoding: network.decoding, elementType: .float64)
    }
    let wide = try export(columns: 20_000)
    for format in [NetworkExport.Format.onnx, .npz] {
      #expect(throws: ExportError.self) { try wide.write(format, to: "/nonexistent/x") }
    }
    // Written where scores do not matter – if there were such a folder.
    #expect(throws: AtomicFile.Failure.self) { try wide.write(.safetensors, to: "/nonexistent/x") }
    #expect(throws: ExportError.self) { _ = try export(columns: 300_000) }
    let error = ExportError.tooLarge(what: "it", bytes: 300 << 20, limit: 256 << 20)
    #expect("\(error)".contains("300 MiB") && "\(error)".contains("hint"))
  }
}
