import LanguageModel
import Tensors

/// Small models with random weights.
enum TinyModels {
  /// Ouro with two layers, and three loops unless said otherwise.
  static func ouro(
    keyValueHeads: Int = 4, loops: Int = 3, seed: UInt64 = 1, format: WeightMatrix.Format = .float32,
    contextLength: Int = 512
  ) -> LanguageModel {
    LanguageModel.random(
      ModelConfiguration(
        family: .ouro, vocabularySize: 96, hiddenSize: 64, layers: 2, heads: 4, keyValueHeads: keyValueHeads,
        headSize: 16, intermediateSize: 96, loops: loops, contextLength: contextLength, ropeBase: 1e4,
        hasExitGate: true), seed: seed, format: format)
  }

  /// Llama: one loop, grouped queries, a tied readout, no gate, and sizes that are no multiples of a vector.
  static func llama(seed: UInt64 = 2) -> LanguageModel {
    LanguageModel.random(
      ModelConfiguration(
        family: .llama, vocabularySize: 96, hiddenSize: 60, layers: 3, heads: 6, keyValueHeads: 2,
        headSize: 10,
        intermediateSize: 100, loops: 1, contextLength: 512, ropeBase: 1e4, tiesEmbeddings: true,
        hasExitGate: false), seed: seed)
  }

  static let all: [LanguageModel] = [ouro(), ouro(keyValueHeads: 2), llama()]

  static func tokens(_ count: Int, seed: UInt64 = 7) -> [Int32] {
    var random = RandomStream(seed: seed)
    return (0..<count).map { _ in Int32(random.next() % 96) }
  }
}

/// A reading of tokens that keeps what every loop left: [loop][position · hidden].
func statesOfEveryLoop(
  _ executor: LoopExecutor, _ cache: KVCache, _ tokens: [Int32], loops: Int, chunk: Int
) throws -> [[Float]] {
  var result = [[Float]](repeating: [], count: loops)
  let hidden = executor.model.configuration.hiddenSize
  try executor.prefill(tokens, into: cache, loops: loops, chunk: chunk) { loop, positions, states in
    result[loop] += UnsafeBufferPointer(start: states, count: positions.count * hidden)
  }
  return result
}

func largestDifference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Float {
  zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
