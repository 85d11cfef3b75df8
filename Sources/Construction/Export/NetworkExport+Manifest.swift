import Foundation

extension NetworkExport {
  /// The manifest: equal for every format, so that the files of one program may stand side by side.
  func manifestText() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(Manifest(self))) + [10]
  }
}

/// The JSON beside an exported network. Keys are in Documentation/Export.md.
private struct Manifest: Encodable {
  struct Head: Encodable {
    var name: String
    var kind: String
    var dimension: Int
  }

  struct Layer: Encodable {
    var name: String
    var heads: [Head]
    var neurons: Int
  }

  struct FieldEntry: Encodable {
    var name: String
    var start: Int
    var count: Int
  }

  var format = "looped constructed network"
  var version = 1
  var program: String
  var network: String
  var digest: String
  var dataType: String
  var parameters: Int
  var loopsDone: Int
  var stateShape: [Int]
  var equations = [
    "X[column, row] is the state. One loop applies every layer in order.",
    "A = X + sum over heads of softmax(L * (X query^T (X key^T)^T + priority X^T)) X value^T output^T",
    "X = A + relu(A w1^T + b1) w2^T",
    "softmax is over keys (the last axis). Heads of kind selector: L is infinite, so the largest score takes all and "
      + "exact ties share equally. Heads of kind smooth: L = 1.",
  ]
  var layers: [Layer]
  var rows: [String]
  var fields: [FieldEntry]
  var columns: [StateDecoding.Role]
  var codes: [StateDecoding.Code]
  var halting: StateDecoding.Flag?
  var device: StateDecoding.Device?

  init(_ export: NetworkExport) {
    let network = export.network
    program = export.program
    self.network = network.name
    digest = export.digestText
    dataType = export.elementType.rawValue
    parameters = network.parameterCount
    loopsDone = export.loopsDone
    stateShape = [export.state.columnCount, export.state.width]
    layers = network.layers.map { layer in
      Layer(
        name: layer.name,
        heads: layer.heads.map { Head(name: $0.name, kind: $0.kind.rawValue, dimension: $0.query.rowCount) },
        neurons: layer.neurons.count)
    }
    rows = (0..<network.width).map(network.layout.label(ofRow:))
    fields = network.layout.fields.map {
      FieldEntry(name: $0.name, start: $0.rows.lowerBound, count: $0.count)
    }
    columns = export.decoding.roles
    codes = export.decoding.codes
    halting = export.decoding.halting
    device = export.decoding.device
  }
}
