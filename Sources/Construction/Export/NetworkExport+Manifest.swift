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
    /// The graph's matrix that the head's result is multiplied by.
    var mixing: Mixing?
    /// Which columns the keys are limited to.
    var neighborhood: String?

    struct Mixing: Encodable {
      var direction: String
      var isWeighted: Bool
    }

    init(_ head: AttentionHead) {
      name = head.name
      kind = head.kind.rawValue
      dimension = head.query.rowCount
      mixing = head.mixing.map { Mixing(direction: $0.direction.rawValue, isWeighted: $0.isWeighted) }
      neighborhood = head.neighborhood?.direction.rawValue
    }
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
  let equations = [
    "X[column, row] is the state. One loop applies every layer in order.",
    "A = X + sum over heads of softmax(L * (X query^T (X key^T)^T + priority X^T)) X value^T output^T",
    "X = A + relu(A w1^T + b1) w2^T",
    "softmax is over keys (the last axis). Heads of kind selector: L is infinite, so the largest score takes all and "
      + "exact ties share equally; of kind leftmost: the first of the largest scores takes all; of kind smooth: L = 1.",
    "M is graph.weights (isWeighted) or graph.edges, transposed for alongEdges. A head with mixing: M times its result.",
    "A head with a neighborhood: keys only where M is an edge, scores + edge_score * weight, and the weight of the "
      + "attended edge * edge_output^T is added; 0 where a column has no edge.",
  ]
  var layers: [Layer]
  var rows: [String]
  var fields: [FieldEntry]
  var columns: [StateDecoding.Role]
  var codes: [StateDecoding.Code]
  var values: [StateDecoding.Values]
  var halting: StateDecoding.Flag?
  var device: StateDecoding.Device?
  var settling: StateDecoding.Settling?
  var loopLimit: Int?

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
        heads: layer.heads.map(Head.init), neurons: layer.neurons.count)
    }
    rows = (0..<network.width).map(network.layout.label(ofRow:))
    fields = network.layout.fields.map {
      FieldEntry(name: $0.name, start: $0.rows.lowerBound, count: $0.count)
    }
    columns = export.decoding.roles
    codes = export.decoding.codes
    values = export.decoding.values
    halting = export.decoding.halting
    device = export.decoding.device
    settling = export.decoding.settling
    loopLimit = export.decoding.loopLimit
  }
}
