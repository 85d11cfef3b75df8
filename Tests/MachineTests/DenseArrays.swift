import Construction
import Foundation
import Tensors

/// The equations of the manifest, on the arrays of a file, in plain loops.
struct DenseArrays {
  let file: SafetensorsFile
  let columns: Int
  var state: [Double]

  init(file: SafetensorsFile, columns: Int, values: [Double]) {
    self.file = file
    self.columns = columns
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

  /// M, a query per row.
  func graph(_ name: String, _ direction: GraphMixing.Direction) throws -> [Double] {
    let matrix = try array("graph.\(name)")
    guard direction == .alongEdges else { return matrix }
    return matrix.indices.map { matrix[$0 % columns * columns + $0 / columns] }
  }

  /// Attention weights [columns, columns], a query per row.
  func weights(_ head: AttentionHead, _ prefix: String) throws -> [Double] {
    let width = state.count / columns
    let query = try array(prefix + "query")
    let queries = product(state, query, inner: width)
    let keys = product(state, try array(prefix + "key"), inner: width)
    var scores = product(queries, keys, inner: query.count / width)
    if file[prefix + "priority"] != nil {
      let priorities = product(state, try array(prefix + "priority"), inner: width)
      for place in scores.indices { scores[place] += priorities[place % columns] }
    }
    var isAllowed = [Bool](repeating: true, count: scores.count)
    if let near = head.neighborhood {
      let factor = try array(prefix + "edge_score")[0]
      isAllowed = try graph("edges", near.direction).map { $0 > 0 }
      for (place, weight) in try graph("weights", near.direction).enumerated() {
        scores[place] += factor * weight
      }
    }
    var weights = [Double](repeating: 0, count: scores.count)
    for column in 0..<columns {
      let places = (column * columns..<(column + 1) * columns).filter { isAllowed[$0] }
      guard let highest = places.map({ scores[$0] }).max() else { continue }
      let winners = places.filter { scores[$0] == highest }
      switch head.kind {
      case .leftmost: weights[winners[0]] = 1
      case .selector: for place in winners { weights[place] = 1 / Double(winners.count) }
      case .smooth:
        let total = places.reduce(0) { $0 + exp(scores[$1] - highest) }
        for place in places { weights[place] = exp(scores[place] - highest) / total }
      }
    }
    return weights
  }

  func result(_ head: AttentionHead, _ prefix: String) throws -> [Double] {
    func transposed(_ matrix: [Double], rows: Int) -> [Double] {
      let count = matrix.count / rows
      return matrix.indices.map { matrix[$0 % rows * count + $0 / rows] }
    }
    let width = state.count / columns
    let weights = try weights(head, prefix)
    let values = product(state, try array(prefix + "value"), inner: width)
    var mixed = product(weights, transposed(values, rows: columns), inner: columns)
    let count = mixed.count / columns
    if let mixing = head.mixing {
      let matrix = try graph(mixing.isWeighted ? "weights" : "edges", mixing.direction)
      mixed = product(matrix, transposed(mixed, rows: columns), inner: columns)
    }
    var result = product(mixed, try array(prefix + "output"), inner: count)
    if let near = head.neighborhood {
      let edges = zip(weights, try graph("weights", near.direction)).map { $0 * $1 }
      let sums = (0..<columns).map { edges[$0 * columns..<($0 + 1) * columns].reduce(0, +) }
      result = zip(result, product(sums, try array(prefix + "edge_output"), inner: 1)).map { $0 + $1 }
    }
    return result
  }

  mutating func pass(_ network: ConstructedNetwork) throws {
    for (index, layer) in network.layers.enumerated() {
      var attended = state
      for (number, head) in layer.heads.enumerated() {
        attended = zip(attended, try result(head, "layers.\(index).heads.\(number).")).map { $0 + $1 }
      }
      let prefix = "layers.\(index).mlp."
      let biases = try array(prefix + "b1")
      var hidden = product(attended, try array(prefix + "w1"), inner: network.width)
      for place in hidden.indices { hidden[place] = max(hidden[place] + biases[place % biases.count], 0) }
      state = zip(attended, product(hidden, try array(prefix + "w2"), inner: biases.count)).map { $0 + $1 }
    }
  }
}

/// A network with every kind of head, and a random graph.
enum GraphHeads {
  static func export(columns: Int, seed: UInt64) throws -> NetworkExport {
    var random = SplitMix64(state: seed)
    var layout = ResidualLayout()
    let value = layout.add("value", rows: 2)
    let result = layout.add("result", rows: 3)
    let one = layout.add("one", rows: 1)
    var first = LayerBuilder("read", layout: layout)
    let everybody = [LinearForm.row(one[0])]
    for (number, kind) in [AttentionHead.Kind.leftmost, .selector, .smooth].enumerated() {
      let row = result[number]
      first.attend(
        "plain \(kind)", kind: kind, query: everybody, key: [.row(value[0])],
        priority: 0.5 * .row(value[1]), outputs: [(form: .row(value[1]), row: row)])
      for direction in GraphMixing.Direction.allCases {
        first.attend(
          "\(kind) \(direction)", kind: kind, query: everybody, key: [.row(value[1])],
          mixing: GraphMixing(direction, isWeighted: kind == .selector),
          outputs: [(form: .row(value[0]), row: row), (form: 2 * .row(value[1]), row: result[0])])
        first.attend(
          "near \(kind) \(direction)", kind: kind, query: everybody, key: [-0.5 * .row(value[0])],
          neighborhood: .init(
            direction, scorePerWeight: -1, weightOutputs: [Term(row: result[1], coefficient: 0.25)]),
          outputs: [(form: .row(value[0]), row: row)])
      }
    }
    first.relu(.row(result[0]) - 3, to: result[1], times: 0.5)
    var second = LayerBuilder("settle", layout: layout)
    // Bounded, so that many passes stay comparable.
    for (from, to) in zip(result.rows, [value[0], value[1], value[1]]) {
      second.relu(0.125 * .row(from) + 2, to: to)
      second.relu(0.125 * .row(from) - 2, to: to, times: -1)
    }
    second.clear(value, result)
    let network = ConstructedNetwork(name: "test", layout: layout, layers: [first.build(), second.build()])
    var state = ResidualStream<Double>(width: layout.width, columnCount: columns)
    var edges: [ColumnGraph.Edge] = []
    for column in 0..<columns {
      state[value, column] = (0..<2).map { _ in Double(Int.random(in: 0...3, using: &random)) }
      state[one[0], column] = 1
      // Column 0 has no edges at all; the rest may have some that weigh nothing.
      for target in 1..<columns where column > 0 && Int.random(in: 0..<3, using: &random) == 0 {
        let weight = Double(Int.random(in: 0...2, using: &random))
        edges.append(.init(source: column, target: target, weight: weight))
      }
    }
    return try NetworkExport(
      program: "heads", network: network, state: state,
      decoding: StateDecoding(
        roles: [.init("nodes", .init(0, columns))],
        values: [.init("values", columns: .init(0, columns), rows: .init(value.rows))]),
      graph: ColumnGraph(columnCount: columns, edges: edges), elementType: .float64)
  }
}
