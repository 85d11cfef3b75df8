import Tensors

/// The weights of a looped language model: one block of layers that every loop shares, the embedding before it, the
/// norm, readout and exit gate behind every loop.
///
///     h = embedding[token]
///     for every loop:  for every layer:  h = layer(h);   h = finalNorm(h);   logits = readout · h;   gate · h + bias
///
/// The normed state is both what is read out and the input of the next loop; the input is not injected again, and
/// neither position nor weights depend on the loop. A model with one loop and without output norms is Llama.
/// Source: Ouro (arXiv 2510.25741), section 3, and its reference code.
public final class LanguageModel: Sendable {
  /// One layer of the block:
  ///
  ///     a = h + outputNorm(attention(norm(h)));   h = a + outputNorm(mlp(norm(a)))
  ///
  /// where the norms of the outputs are left out in Llama-shaped models.
  public struct Layer: Sendable {
    /// Before attention, [hidden]. In Ouro's files `input_layernorm`.
    public var attentionNorm: [Float]
    /// On what attention returns. In Ouro's files `input_layernorm_2`.
    public var attentionOutputNorm: [Float]?
    /// Before the MLP. In the files `post_attention_layernorm`, whatever that name says.
    public var mlpNorm: [Float]
    /// On what the MLP returns. In Ouro's files `post_attention_layernorm_2`.
    public var mlpOutputNorm: [Float]?
    /// [heads · headSize, hidden].
    public var query: WeightMatrix
    /// [keyValueHeads · headSize, hidden].
    public var key: WeightMatrix
    /// [keyValueHeads · headSize, hidden].
    public var value: WeightMatrix
    /// [hidden, heads · headSize].
    public var output: WeightMatrix
    /// [intermediate, hidden].
    public var gate: WeightMatrix
    /// [intermediate, hidden].
    public var up: WeightMatrix
    /// [hidden, intermediate].
    public var down: WeightMatrix

    public init(
      attentionNorm: [Float], attentionOutputNorm: [Float]?, mlpNorm: [Float], mlpOutputNorm: [Float]?,
      query: WeightMatrix, key: WeightMatrix, value: WeightMatrix, output: WeightMatrix, gate: WeightMatrix,
      up: WeightMatrix, down: WeightMatrix
    ) {
      self.attentionNorm = attentionNorm
      self.attentionOutputNorm = attentionOutputNorm
      self.mlpNorm = mlpNorm
      self.mlpOutputNorm = mlpOutputNorm
      self.query = query
      self.key = key
      self.value = value
      self.output = output
      self.gate = gate
      self.up = up
      self.down = down
    }
  }

  /// Whether to stop after a loop: λ = sigmoid(weight · h + bias).
  public struct Gate: Sendable {
    /// [hidden].
    public var weight: [Float]
    public var bias: Float

    public init(weight: [Float], bias: Float) {
      self.weight = weight
      self.bias = bias
    }
  }

  public let configuration: ModelConfiguration
  /// [vocabulary, hidden].
  public let embedding: WeightMatrix
  public let layers: [Layer]
  /// Applied at the end of every loop, [hidden].
  public let finalNorm: [Float]
  /// [vocabulary, hidden]; the embedding itself if the two are tied.
  public let readout: WeightMatrix
  public let gate: Gate?

  /// - Throws: `ModelShapeError` where a matrix or a norm does not have the configuration's shape.
  public init(
    configuration: ModelConfiguration, embedding: WeightMatrix, layers: [Layer], finalNorm: [Float],
    readout: WeightMatrix, gate: Gate?
  ) throws {
    self.configuration = configuration
    self.embedding = embedding
    self.layers = layers
    self.finalNorm = finalNorm
    self.readout = readout
    self.gate = gate
    try checkShapes()
  }

  /// Bytes of the block's matrices: what one pass reads.
  public var bytesPerPass: Int {
    layers.reduce(0) { sum, layer in layer.matrices.reduce(sum) { $0 + $1.matrix.byteCount } }
  }

  /// Bytes of all matrices; a tied readout counts once.
  public var byteCount: Int {
    bytesPerPass + embedding.byteCount + (readout === embedding ? 0 : readout.byteCount)
  }

  private func checkShapes() throws {
    let c = configuration
    func check(_ name: String, _ matrix: WeightMatrix, _ rows: Int, _ columns: Int) throws {
      guard matrix.rows == rows, matrix.columns == columns else {
        throw ModelShapeError(
          part: name, found: [matrix.rows, matrix.columns], expected: [rows, columns])
      }
    }
    func check(_ name: String, _ norm: [Float]?) throws {
      guard let norm, norm.count != c.hiddenSize else { return }
      throw ModelShapeError(part: name, found: [norm.count], expected: [c.hiddenSize])
    }
    guard layers.count == c.layers else {
      throw ModelShapeError(part: "the list of layers", found: [layers.count], expected: [c.layers])
    }
    try check("the embedding", embedding, c.vocabularySize, c.hiddenSize)
    try check("the readout", readout, c.vocabularySize, c.hiddenSize)
    try check("the final norm", finalNorm)
    if let gate { try check("the exit gate", gate.weight) }
    for (number, layer) in layers.enumerated() {
      let (queries, keys) = (c.heads * c.headSize, c.keyValueHeads * c.headSize)
      let shapes = [
        (queries, c.hiddenSize), (keys, c.hiddenSize), (keys, c.hiddenSize), (c.hiddenSize, queries),
        (c.intermediateSize, c.hiddenSize), (c.intermediateSize, c.hiddenSize),
        (c.hiddenSize, c.intermediateSize),
      ]
      for (part, shape) in zip(layer.matrices, shapes) {
        try check("\(part.name) of layer \(number)", part.matrix, shape.0, shape.1)
      }
      try check("the norm before attention of layer \(number)", layer.attentionNorm)
      try check("the norm behind attention of layer \(number)", layer.attentionOutputNorm)
      try check("the norm before the MLP of layer \(number)", layer.mlpNorm)
      try check("the norm behind the MLP of layer \(number)", layer.mlpOutputNorm)
    }
  }
}

extension LanguageModel.Layer {
  /// The seven matrices, in the order in which a pass reads them.
  public var matrices: [(name: String, matrix: WeightMatrix)] {
    [
      ("query", query), ("key", key), ("value", value), ("output", output), ("gate", gate), ("up", up),
      ("down", down),
    ]
  }
}

/// A part of a model whose shape contradicts the model's configuration.
public struct ModelShapeError: Error, Equatable, CustomStringConvertible {
  public let part: String
  public let found: [Int]
  public let expected: [Int]

  public init(part: String, found: [Int], expected: [Int]) {
    self.part = part
    self.found = found
    self.expected = expected
  }

  public var description: String {
    "\(part) has the shape \(found), and the configuration says \(expected): the weights belong to another "
      + "configuration"
  }
}
