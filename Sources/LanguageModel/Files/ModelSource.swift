import Tensors

/// A model's files, opened and checked: its configuration, and its arrays where they lie.
protocol ModelSource: Sendable {
  /// What was opened: a folder or a file.
  var path: String { get }
  var configuration: ModelConfiguration { get set }
  /// An array of the model, with the shape that the configuration gives it.
  /// - Throws: `ModelFileError` if it is missing or has another shape.
  func tensor(_ weight: ModelWeight) throws -> ModelTensor
}

extension ModelSource {
  /// Every array, found and checked. Nothing is read but headers.
  /// - Throws: `ModelFileError`.
  func tensors() throws -> [(weight: ModelWeight, tensor: ModelTensor)] {
    try ModelWeight.all(of: configuration).map { ($0, try tensor($0)) }
  }
}

extension LanguageModel {
  /// A model from its files.
  ///
  /// Time: that of reading what is converted; plain numbers in `weights` or with `weights` nil are mapped. Memory:
  /// the weights, and the file's pages of the matrix that is being converted.
  /// - Parameters:
  ///   - weights: the format of the matrices; `nil` keeps the file's.
  ///   - progress: called after each matrix with the bytes of the file that are done and all; may throw to stop.
  /// - Throws: `ModelFileError`, `ModelShapeError`, and what `progress` throws.
  convenience init(
    _ source: some ModelSource, weights: WeightMatrix.Format? = nil, pool: WorkerPool = .shared,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    let c = source.configuration
    let tensors = try source.tensors()
    let total = tensors.reduce(0) { $0 + $1.tensor.bytes.count }
    var done = 0
    var matrices: [[ModelWeight.Part: WeightMatrix]] = Array(repeating: [:], count: c.layers + 1)
    var vectors: [[ModelWeight.Part: [Float]]] = Array(repeating: [:], count: c.layers + 1)
    for (weight, tensor) in tensors {
      let place = weight.part.isInLayer ? weight.layer : c.layers
      if weight.part.isMatrix {
        matrices[place][weight.part] = tensor.matrix(weights, pool: pool)
      } else {
        vectors[place][weight.part] = tensor.values()
      }
      done += tensor.bytes.count
      try progress(done, total)
    }
    func matrix(_ part: ModelWeight.Part, _ place: Int) throws -> WeightMatrix {
      guard let matrix = matrices[place][part] else {
        throw ModelFileError(file: source.path, place: part.rawValue, "is missing")
      }
      return matrix
    }
    let layers = try (0..<c.layers).map { index in
      let norms = vectors[index]
      return Layer(
        attentionNorm: norms[.attentionNorm] ?? [], attentionOutputNorm: norms[.attentionOutputNorm],
        mlpNorm: norms[.mlpNorm] ?? [], mlpOutputNorm: norms[.mlpOutputNorm],
        query: try matrix(.query, index),
        key: try matrix(.key, index), value: try matrix(.value, index), output: try matrix(.output, index),
        gate: try matrix(.gate, index), up: try matrix(.up, index), down: try matrix(.down, index))
    }
    let outer = vectors[c.layers]
    let embedding = try matrix(.embedding, c.layers)
    try self.init(
      configuration: c, embedding: embedding, layers: layers, finalNorm: outer[.finalNorm] ?? [],
      readout: c.tiesEmbeddings ? embedding : try matrix(.readout, c.layers),
      gate: outer[.exitGate].map { Gate(weight: $0, bias: outer[.exitGateBias]?.first ?? 0) })
  }
}
