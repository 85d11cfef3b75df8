/// The shape of a looped language model, and of Llama-shaped models as the case of one loop.
///
/// Source: Ouro (arXiv 2510.25741) and its configuration files; the names in files are those of Hugging Face.
public struct ModelConfiguration: Equatable, Sendable {
  /// How a layer is normalised.
  public enum Family: String, Sendable, CaseIterable {
    /// Sandwich norms: every branch is normalised on its way in and on its way out. Looped, with an exit gate.
    case ouro
    /// Norms on the way in alone; one loop, no gate.
    case llama
  }

  public var family: Family
  public var vocabularySize: Int
  /// The width of the residual stream.
  public var hiddenSize: Int
  /// Layers of the block that is looped.
  public var layers: Int
  public var heads: Int
  /// Heads of keys and values; each serves `heads / keyValueHeads` heads of queries.
  public var keyValueHeads: Int
  public var headSize: Int
  /// The inner width of the SwiGLU.
  public var intermediateSize: Int
  /// How often the block is applied (`total_ut_steps`): 1 to 8.
  public var loops: Int
  /// The longest sequence, in tokens.
  public var contextLength: Int
  /// θ of the rotary embedding: the pair j turns by position · θ^(-2j / headSize).
  public var ropeBase: Double
  public var normEpsilon: Float
  /// Whether the readout uses the embedding's matrix.
  public var tiesEmbeddings: Bool
  /// The Q-exit threshold: a token leaves after the first loop whose cumulative exit probability reaches it; 1 means
  /// that every loop runs.
  public var exitThreshold: Float
  /// Whether there is a gate, that is, whether exit probabilities exist.
  public var hasExitGate: Bool

  public init(
    family: Family, vocabularySize: Int, hiddenSize: Int, layers: Int, heads: Int, keyValueHeads: Int,
    headSize: Int, intermediateSize: Int, loops: Int, contextLength: Int, ropeBase: Double,
    normEpsilon: Float = 1e-6, tiesEmbeddings: Bool = false, exitThreshold: Float = 1, hasExitGate: Bool
  ) {
    self.family = family
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.intermediateSize = intermediateSize
    self.loops = loops
    self.contextLength = contextLength
    self.ropeBase = ropeBase
    self.normEpsilon = normEpsilon
    self.tiesEmbeddings = tiesEmbeddings
    self.exitThreshold = exitThreshold
    self.hasExitGate = hasExitGate
  }

  /// Ouro with 1.4 billion parameters (24 layers), or 2.6 with `layers` 48.
  public static func ouro(layers: Int = 24, loops: Int = 4) -> ModelConfiguration {
    ModelConfiguration(
      family: .ouro, vocabularySize: 49152, hiddenSize: 2048, layers: layers, heads: 16, keyValueHeads: 16,
      headSize: 128, intermediateSize: 5632, loops: loops, contextLength: 65536, ropeBase: 1e6,
      hasExitGate: true)
  }

  /// Parameters: matrices, norms and gate; the embedding counts once if it is tied.
  public var parameterCount: Int {
    let attention = (2 * heads + 2 * keyValueHeads) * headSize * hiddenSize
    let norms = (family == .ouro ? 4 : 2) * hiddenSize
    let layer = attention + 3 * hiddenSize * intermediateSize + norms
    let embeddings = (tiesEmbeddings ? 1 : 2) * vocabularySize * hiddenSize
    return layers * layer + embeddings + hiddenSize + (hasExitGate ? hiddenSize + 1 : 0)
  }
}
