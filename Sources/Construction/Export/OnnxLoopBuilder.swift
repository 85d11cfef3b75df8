import Tensors

/// The ONNX model of an export: one `Loop` whose body is one pass through all layers.
///
/// Inputs, all of which may be left out: `state` (where to start), `max_loops`, `input` (characters to read) if there
/// is a device, `graph.edges` and `graph.weights` if heads see a graph.
/// Outputs: `loops`, `final_state`, all codes and values of the decoding by their names (`memory`, `program_counter`,
/// …), and, if there is a device, `output` (the characters written) and `characters_read`.
///
/// Weights are constants of the outer graph, which the loop's body refers to: each is stored once.
/// Positions, codes and scores are small integers, so every product is exact in float32 whatever the order of
/// summation – on hardware that multiplies floats as floats (TensorFloat-32 must be off).
struct OnnxLoopBuilder {
  let export: NetworkExport
  var main: OnnxGraph
  var body = OnnxGraph("one_loop")

  var decoding: StateDecoding { export.decoding }
  var columns: Int { export.state.columnCount }
  var width: Int { export.network.width }

  init(_ export: NetworkExport) {
    self.export = export
    main = OnnxGraph("looped_transformer")
  }

  mutating func build() -> OnnxGraph {
    for input in export.inputs { main.constant(input) }
    for weight in export.weights() { main.constant(weight) }
    declareInputs()
    buildBody()
    // No pass at all where the program has halted before.
    let isRunning =
      decoding.halting.map {
        let halted = flag($0, of: "state", named: "halted.before", in: \.main)
        return main.add("Not", [halted], to: "runs")
      } ?? main.constant(StoredTensor("always", type: .bool, shape: [], bytes: [1]))
    let carried = ["state", number(0)] + (decoding.device == nil ? [] : [number(0)])
    var results = ["state.final", "loops"]
    if decoding.device != nil { results += ["characters_read", "words", "is_written"] }
    main.add("Loop", ["max_loops", isRunning] + carried, to: results, [("body", .graph(body))])
    decode()
    return main
  }

  // MARK: The outer graph

  private mutating func declareInputs() {
    main.inputs = [
      .init("state", export.elementType, [.fixed(columns), .fixed(width)]), .init("max_loops", .int64),
    ]
    main.constant(StoredTensor("max_loops", shape: [], [Int64(decoding.loopLimit ?? .max)]))
    if export.graph != nil {
      for matrix in ["graph.edges", "graph.weights"] {
        main.inputs.append(.init(matrix, export.elementType, [.fixed(columns), .fixed(columns)]))
        main.add("Transpose", [matrix], to: "\(matrix).incoming")
      }
    }
    guard let device = decoding.device else { return }
    main.inputs.append(.init("input", .uint8, [.named("characters")]))
    main.constant(StoredTensor("input", shape: [0], [UInt8]()))
    let end = main.constant(StoredTensor("device.end_of_input", shape: [1], [Int64(device.endOfInput)]))
    main.add("Cast", ["input"], to: "input.codes", [("to", .integer(7))])
    main.add("Concat", ["input.codes", end], to: "input.ended", [("axis", .integer(0))])
    main.add("Size", ["input"], to: "input.size")
  }

  /// Turns what the loop left behind into numbers and characters.
  private mutating func decode() {
    main.outputs = [
      .init("loops", .int64), .init("final_state", export.elementType, [.fixed(columns), .fixed(width)]),
    ]
    main.add("Identity", ["state.final"], to: "final_state")
    for values in decoding.values {
      let name = gather(values.name, values.columns, values.rows, suffix: "")
      main.outputs.append(
        .init(name, export.elementType, [.fixed(values.columns.count), .fixed(values.rows.count)]))
    }
    for code in decoding.codes {
      let entries = gather(code.name, code.columns, code.rows, suffix: ".rows")
      let name = String(entries.dropLast(5))
      number(of: entries, code.rows, isSigned: code.isSigned, to: name, in: \.main)
      main.outputs.append(.init(name, .int64, [.fixed(code.columns.count)]))
    }
    guard decoding.device != nil else { return }
    main.add("Mod", ["words", number(256)], to: "words.low")
    main.add("Cast", ["words.low"], to: "words.characters", [("to", .integer(2))])
    main.add("Compress", ["words.characters", "is_written"], to: "output", [("axis", .integer(0))])
    main.outputs += [
      .init("output", .uint8, [.named("written")]), .init("characters_read", .int64),
    ]
  }

  /// Cuts `rows` of `columns` out of the final state; named like `name`, without blanks.
  private mutating func gather(
    _ name: String, _ columns: StateDecoding.Span, _ rows: StateDecoding.Span, suffix: String
  ) -> String {
    let name = name.replacing(" ", with: "_")
    let inColumns = main.add(
      "Gather", ["state.final", indices(columns)], to: "\(name).columns", [("axis", .integer(0))])
    return main.add("Gather", [inColumns, indices(rows)], to: name + suffix, [("axis", .integer(1))])
  }

  // MARK: Nodes and constants of both graphs

  /// A scalar that is true where the flag is up.
  @discardableResult
  mutating func flag(
    _ flag: StateDecoding.Flag, of state: String, named name: String,
    in graph: WritableKeyPath<Self, OnnxGraph>
  ) -> String {
    let (column, row, zero) = (number(flag.column), number(flag.row), scalar("zero", 0))
    let entries = self[keyPath: graph].add("Gather", [state, column], to: "\(name).column")
    let entry = self[keyPath: graph].add("Gather", [entries, row], to: "\(name).entry")
    return self[keyPath: graph].add("Greater", [entry, zero], to: name)
  }

  /// The numbers whose bits are the positive entries along the last axis.
  mutating func number(
    of entries: String, _ code: StateDecoding.Span, isSigned: Bool, to name: String,
    in graph: WritableKeyPath<Self, OnnxGraph>
  ) {
    let (zero, powers) = (scalar("zero", 0), powers(code.count, isSigned: isSigned))
    let axis = main.constant(StoredTensor("axis.last", shape: [1], [Int64(-1)]))
    let isSet = self[keyPath: graph].add("Greater", [entries, zero], to: "\(name).is_set")
    let bits = self[keyPath: graph].add("Cast", [isSet], to: "\(name).bits", [("to", .integer(7))])
    let weighted = self[keyPath: graph].add("Mul", [bits, powers], to: "\(name).weighted")
    self[keyPath: graph].add("ReduceSum", [weighted, axis], to: name, [("keepdims", .integer(0))])
  }

  mutating func number(_ value: Int) -> String {
    main.constant(StoredTensor("number.\(value)", shape: [], [Int64(value)]))
  }

  mutating func scalar(_ name: String, _ value: Double) -> String {
    main.constant(export.tensor(name, [], [value]))
  }

  /// 2^i; the last one negative in two's complement.
  mutating func powers(_ count: Int, isSigned: Bool) -> String {
    var powers = (0..<count).map { Int64(1) << $0 }
    if isSigned { powers[count - 1].negate() }
    return main.constant(
      StoredTensor("powers.\(isSigned ? "signed" : "unsigned").\(count)", shape: [count], powers))
  }

  mutating func indices(_ span: StateDecoding.Span) -> String {
    main.constant(
      StoredTensor("indices.\(span.start).\(span.count)", shape: [span.count], span.range.map(Int64.init)))
  }
}

extension NetworkExport {
  func onnxModel() throws -> OnnxModel {
    var builder = OnnxLoopBuilder(self)
    let metadata =
      metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
      + [(key: "manifest", value: String(decoding: try manifestText(), as: UTF8.self))]
    return OnnxModel(
      graph: builder.build(), description: "\(program) on \(network.name), exported by looped",
      metadata: metadata)
  }
}
