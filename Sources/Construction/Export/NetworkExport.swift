import Tensors

/// A constructed network, the state it starts from, and how to read that state: what every file format is written
/// from. Weights become dense matrices, the state a matrix of one row per *column* (token) of the residual stream,
/// as frameworks have it:
///
///     state                      [columns, width]
///     layers.I.heads.J.query     [dimension, width]
///     layers.I.heads.J.key       [dimension, width]
///     layers.I.heads.J.priority  [1, width]             only where the head has one
///     layers.I.heads.J.value     [rows written, width]
///     layers.I.heads.J.output    [width, rows written]  output · value is the V of the equations
///     layers.I.heads.J.edge_score, .edge_output         [] and [width, 1], where the head attends along edges
///     layers.I.mlp.w1            [hidden, width]
///     layers.I.mlp.b1            [hidden]
///     layers.I.mlp.w2            [width, hidden]
///     graph.edges, graph.weights [columns, columns]     from row to column, where heads see a graph
///
/// See Documentation/Export.md.
public struct NetworkExport: Sendable {
  /// What the program is called.
  public let program: String
  public let network: ConstructedNetwork
  public let state: ResidualStream<Double>
  public let decoding: StateDecoding
  /// What graph heads see.
  public let graph: ColumnGraph?
  /// float32 or float64.
  public let elementType: ElementType
  /// Passes that were made before `state`.
  public let loopsDone: Int

  /// The most bytes that all arrays of a file may have.
  public static let byteLimit = 256 << 20
  /// The most bytes that one head's attention scores, columns × columns, may have where a file is to be run.
  public static let scoreLimit = 1 << 30

  /// - Parameter graph: needed if, and only if, the network has graph heads; as many columns as the state.
  /// - Throws: `ExportError.tooLarge` beyond `byteLimit`; `ExportError.unsupportedHead`.
  public init(
    program: String, network: ConstructedNetwork, state: ResidualStream<Double>, decoding: StateDecoding,
    graph: ColumnGraph? = nil, elementType: ElementType = .float32, loopsDone: Int = 0
  ) throws {
    precondition([.float32, .float64].contains(elementType), "\(elementType) is no type of an export")
    precondition(state.width == network.width, "the state is of another network")
    precondition((graph != nil) == network.needsGraph, "a graph is needed where heads see one")
    precondition(graph == nil || graph!.columnCount == state.columnCount, "the graph has other columns")
    for head in network.layers.flatMap(\.heads) where head.mixing != nil && head.neighborhood != nil {
      throw ExportError.unsupportedHead(head.name)
    }
    self.program = program
    self.network = network
    self.state = state
    self.decoding = decoding
    self.graph = graph
    self.elementType = elementType
    self.loopsDone = loopsDone
    let bytes = elementCount * elementType.size
    guard bytes <= Self.byteLimit else {
      throw ExportError.tooLarge(what: "the dense arrays", bytes: bytes, limit: Self.byteLimit)
    }
  }

  /// Elements of all arrays, known before one of them is made.
  private var elementCount: Int {
    let width = network.width
    let graphElements = graph.map { 2 * $0.columnCount * $0.columnCount } ?? 0
    return network.layers.reduce(state.storage.count + graphElements) { sum, layer in
      sum + layer.neurons.count * (2 * width + 1)
        + layer.heads.reduce(0) {
          $0 + width * ($1.query.rowCount + $1.key.rowCount + 2 + 2 * $1.writtenRows.count)
        }
    }
  }

  /// - Throws: `ExportError.tooLarge` if dense attention over the columns cannot reasonably be run.
  func checkThatItRuns() throws {
    let bytes = state.columnCount * state.columnCount * elementType.size
    guard bytes <= Self.scoreLimit else {
      throw ExportError.tooLarge(
        what: "the attention scores of \(state.columnCount) columns", bytes: bytes, limit: Self.scoreLimit)
    }
  }

  static func prefix(layer: Int, head: Int) -> String { "layers.\(layer).heads.\(head)." }
  static func prefix(layer: Int) -> String { "layers.\(layer).mlp." }

  func tensor(_ name: String, _ shape: [Int], _ values: [Double]) -> StoredTensor {
    elementType == .float32
      ? StoredTensor(name, shape: shape, values.map(Float.init)) : StoredTensor(name, shape: shape, values)
  }

  /// Every weight, in the order of the layers. Complexity: O(dense elements).
  func weights() -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    let width = network.width
    func add(_ name: String, _ matrix: SparseMatrix) {
      tensors.append(tensor(name, [matrix.rowCount, width], matrix.dense()))
    }
    for (index, layer) in network.layers.enumerated() {
      for (number, head) in layer.heads.enumerated() {
        let prefix = Self.prefix(layer: index, head: number)
        add(prefix + "query", head.query)
        add(prefix + "key", head.key)
        if !head.priority.isEmpty {
          add(prefix + "priority", SparseMatrix(rows: [head.priority], columnCount: width))
        }
        let rows = head.writtenRows
        add(prefix + "value", SparseMatrix(rows: rows.map { head.value.rows[$0] }, columnCount: width))
        var output = [Double](repeating: 0, count: width * rows.count)
        for (number, row) in rows.enumerated() { output[row * rows.count + number] = 1 }
        tensors.append(tensor(prefix + "output", [width, rows.count], output))
        if let neighborhood = head.neighborhood {
          tensors.append(tensor(prefix + "edge_score", [], [neighborhood.scorePerWeight]))
          var output = [Double](repeating: 0, count: width)
          for term in neighborhood.weightOutputs { output[term.row] += term.coefficient }
          tensors.append(tensor(prefix + "edge_output", [width, 1], output))
        }
      }
      let neurons = layer.neurons
      guard !neurons.isEmpty else { continue }
      let prefix = Self.prefix(layer: index)
      add(prefix + "w1", SparseMatrix(rows: neurons.map(\.input.terms), columnCount: width))
      tensors.append(tensor(prefix + "b1", [neurons.count], neurons.map(\.input.constant)))
      var second = [Double](repeating: 0, count: width * neurons.count)
      for (number, neuron) in neurons.enumerated() {
        for term in neuron.outputs { second[term.row * neurons.count + number] += term.coefficient }
      }
      tensors.append(tensor(prefix + "w2", [width, neurons.count], second))
    }
    return tensors
  }

  var stateTensor: StoredTensor { tensor("state", [state.columnCount, state.width], state.storage) }

  /// What the program is, besides the weights: the state and the graph.
  var inputs: [StoredTensor] {
    guard let graph else { return [stateTensor] }
    let count = graph.columnCount
    var edges = [Double](repeating: 0, count: count * count)
    var weights = edges
    for source in 0..<count {
      for edge in graph.outgoing.range(source) {
        let place = source * count + Int(graph.outgoing.columns[edge])
        edges[place] = 1
        weights[place] = graph.outgoing.weights[edge]
      }
    }
    return [
      stateTensor, tensor("graph.edges", [count, count], edges),
      tensor("graph.weights", [count, count], weights),
    ]
  }
}

extension AttentionHead {
  /// The rows its values are added to.
  var writtenRows: [Int] { value.rows.indices.filter { !value.rows[$0].isEmpty } }
}

/// Why a network cannot be exported.
public enum ExportError: Error, Equatable, CustomStringConvertible {
  case tooLarge(what: String, bytes: Int, limit: Int)
  case unsupportedHead(String)

  public var description: String {
    switch self {
    case .tooLarge(let what, let bytes, let limit):
      "\(what) would take \(max(bytes >> 20, 1)) MiB, more than the \(limit >> 20) MiB an export may have\n"
        + "hint: fewer columns (for a machine: --cells), or float32 instead of float64"
    case .unsupportedHead(let name):
      "head \(name) attends along edges and multiplies by the graph: no export format has both in one head"
    }
  }
}
