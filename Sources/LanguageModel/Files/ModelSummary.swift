import Foundation
import Tensors

/// What is in a model's files: the configuration, and every array with its type and size.
public struct ModelSummary: Encodable, Sendable {
  public struct Array: Encodable, Sendable {
    public let name: String
    public let file: String
    public let type: String
    /// [rows, columns], or [columns] for norms.
    public let shape: [Int]
    public let bytes: Int
  }

  public let path: String
  public let family: String
  public let parameters: Int
  public let bytes: Int
  public let vocabularySize: Int
  public let hiddenSize: Int
  public let layers: Int
  public let loops: Int
  public let heads: Int
  public let keyValueHeads: Int
  public let headSize: Int
  public let intermediateSize: Int
  public let contextLength: Int
  public let ropeBase: Double
  public let normEpsilon: Float
  public let tiesEmbeddings: Bool
  public let hasExitGate: Bool
  public let exitThreshold: Float
  /// Tokens of the tokenizer; `nil` without one.
  public let tokenizer: Int?
  public let hasChatTemplate: Bool
  public let endTokens: [Int32]
  public let arrays: [Array]

  /// Opens a model's files; nothing is read but headers and the tokenizer.
  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`, `TokenizerError`.
  public init(_ path: String) throws { self.init(try OpenedModel(path), tokenizer: true) }

  init(_ files: OpenedModel, tokenizer withTokenizer: Bool = false) {
    let c = files.configuration
    path = files.source.path
    family = c.family.rawValue
    parameters = c.parameterCount
    vocabularySize = c.vocabularySize
    hiddenSize = c.hiddenSize
    layers = c.layers
    loops = c.loops
    heads = c.heads
    keyValueHeads = c.keyValueHeads
    headSize = c.headSize
    intermediateSize = c.intermediateSize
    contextLength = c.contextLength
    ropeBase = c.ropeBase
    normEpsilon = c.normEpsilon
    tiesEmbeddings = c.tiesEmbeddings
    hasExitGate = c.hasExitGate
    exitThreshold = c.exitThreshold
    let loaded = withTokenizer ? (try? files.tokenizer.tokenizer()) ?? nil : nil
    tokenizer = loaded?.vocabularySize
    hasChatTemplate = files.tokenizer.chatTemplate != nil
    endTokens = loaded.map(files.tokenizer.endTokens) ?? files.tokenizer.generation.endTokens
    arrays = ((try? files.source.tensors()) ?? []).map { weight, tensor in
      Array(
        name: tensor.name, file: (tensor.file as NSString).lastPathComponent, type: tensor.type.name,
        shape: weight.part.isMatrix ? [tensor.rows, tensor.columns] : [tensor.columns],
        bytes: tensor.bytes.count)
    }
    bytes = arrays.reduce(0) { $0 + $1.bytes }
  }

  /// Bytes of each type, the most first.
  public var types: [(type: String, arrays: Int, bytes: Int)] {
    Dictionary(grouping: arrays, by: \.type)
      .map { ($0.key, $0.value.count, $0.value.reduce(0) { $0 + $1.bytes }) }
      .sorted { ($1.2, $0.0) < ($0.2, $1.0) }
  }

  /// One line for people.
  var line: String {
    let size = parameters >= 1_000_000_000 ? Double(parameters) / 1e9 : Double(parameters) / 1e6
    let unit = parameters >= 1_000_000_000 ? "B" : "M"
    return
      "\((path as NSString).lastPathComponent): \(family), \(String(format: "%.1f", size))\(unit) parameters, "
      + "\(layers) layers" + (loops > 1 ? " × \(loops) loops" : "")
      + ", mostly \(types.first?.type ?? "empty")"
  }
}
