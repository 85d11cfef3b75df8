import Tensors

extension LanguageModel {
  /// A model with random weights: for tests, and for measuring the speed of a shape whose weights are not at hand.
  ///
  /// Matrices are drawn from N(0, 1 / columns), norms near 1, the gate so that its λ spread around 0.4.
  /// Complexity: O(parameters); the matrices are drawn on all threads, from streams of their own.
  public static func random(
    _ configuration: ModelConfiguration, seed: UInt64 = 1, format: WeightMatrix.Format = .float32,
    pool: WorkerPool = .shared
  ) -> LanguageModel {
    let c = configuration
    var stream: UInt32 = 0
    func matrix(_ rows: Int, _ columns: Int, deviation: Float? = nil) -> WeightMatrix {
      stream += 1
      // Uniform draws with the deviation of the normal ones: a billion of them in seconds.
      let width = (deviation ?? 1 / Float(columns).squareRoot()) * 12.0.squareRoot().asFloat
      let key = seed &+ UInt64(stream) << 32
      return WeightMatrix.pack(rows: rows, columns: columns, to: format, pool: pool) { row, values in
        var random = RandomStream(seed: key, stream: UInt32(truncatingIfNeeded: row))
        for i in 0..<columns { values[i] = (random.uniform() - 0.5) * width }
      }
    }
    var random = RandomStream(seed: seed)
    func norm(around center: Float = 1) -> [Float] {
      random.normal([c.hiddenSize], mean: center, deviation: 0.1).values
    }
    let (queries, keys) = (c.heads * c.headSize, c.keyValueHeads * c.headSize)
    let sandwich = c.family == .ouro
    let layers = (0..<c.layers).map { _ in
      Layer(
        attentionNorm: norm(), attentionOutputNorm: sandwich ? norm(around: 0.5) : nil, mlpNorm: norm(),
        mlpOutputNorm: sandwich ? norm(around: 0.5) : nil, query: matrix(queries, c.hiddenSize),
        key: matrix(keys, c.hiddenSize), value: matrix(keys, c.hiddenSize),
        output: matrix(c.hiddenSize, queries), gate: matrix(c.intermediateSize, c.hiddenSize),
        up: matrix(c.intermediateSize, c.hiddenSize), down: matrix(c.hiddenSize, c.intermediateSize))
    }
    let embedding = matrix(c.vocabularySize, c.hiddenSize, deviation: 1)
    let readout = c.tiesEmbeddings ? embedding : matrix(c.vocabularySize, c.hiddenSize)
    let gate = Gate(
      weight: random.normal([c.hiddenSize], deviation: 1 / Float(c.hiddenSize).squareRoot()).values,
      bias: -0.4)
    do {
      return try LanguageModel(
        configuration: c, embedding: embedding, layers: layers, finalNorm: norm(), readout: readout,
        gate: c.hasExitGate ? gate : nil)
    } catch {
      preconditionFailure("\(error)")
    }
  }
}

extension Double {
  fileprivate var asFloat: Float { Float(self) }
}
