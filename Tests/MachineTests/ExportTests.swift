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
      var arrays = DenseArrays(file: file, rows: export.state.columnCount, values: state.storage)
      try arrays.pass(export.network)
      _ = executor.apply(to: &state, loop: 0)
      #expect(arrays.state == state.storage)
    }
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

/// The equations of the manifest, on the arrays of a file, in plain loops.
private struct DenseArrays {
  let file: SafetensorsFile
  let rows: Int
  var state: [Double]

  init(file: SafetensorsFile, rows: Int, values: [Double]) {
    self.file = file
    self.rows = rows
    state = values
  }

  func array(_ name: String) throws -> [Double] {
    let tensor = try file.tensor(name)
    return tensor.values(as: Double.self) ?? (tensor.values(as: Float.self) ?? []).map(Double.init)
  }

  /// left [rows, inner] · right [count, inner]ᵀ.
  func product(_ left: [Double], _ right: [Double], inner: Int) -> [Double] {
    let count = right.count / inner
    return (0..<(left.count / inner * count)).map { place in
      let (row, column) = (place / count, place % count)
      return (0..<inner).reduce(0) { $0 + left[row * inner + $1] * right[column * inner + $1] }
    }
  }

  mutating func pass(_ network: ConstructedNetwork) throws {
    let width = network.width
    for (index, layer) in network.layers.enumerated() {
      var attended = state
      for number in layer.heads.indices {
        let prefix = "layers.\(index).heads.\(number)."
        let query = try array(prefix + "query")
        let dimension = query.count / width
        let queries = product(state, query, inner: width)
        let keys = product(state, try array(prefix + "key"), inner: width)
        var scores = product(queries, keys, inner: dimension)
        if file[prefix + "priority"] != nil {
          let priorities = product(state, try array(prefix + "priority"), inner: width)
          for place in scores.indices { scores[place] += priorities[place % rows] }
        }
        let values = product(state, try array(prefix + "value"), inner: width)
        let count = values.count / rows
        let output = try array(prefix + "output")
        for row in 0..<rows {
          let own = scores[(row * rows)..<((row + 1) * rows)]
          let winners = own.indices.filter { own[$0] == own.max() }.map { $0 - row * rows }
          for target in 0..<width {
            for value in 0..<count {
              for winner in winners {
                attended[row * width + target] +=
                  output[target * count + value] * values[winner * count + value] / Double(winners.count)
              }
            }
          }
        }
      }
      let prefix = "layers.\(index).mlp."
      let biases = try array(prefix + "b1")
      var hidden = product(attended, try array(prefix + "w1"), inner: width)
      for place in hidden.indices { hidden[place] = max(hidden[place] + biases[place % biases.count], 0) }
      state = zip(attended, product(hidden, try array(prefix + "w2"), inner: biases.count)).map { $0 + $1 }
    }
  }
}
