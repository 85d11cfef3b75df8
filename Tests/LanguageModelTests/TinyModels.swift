import LanguageModel
import Tensors

/// Small models with random weights.
enum TinyModels {
  /// Ouro with two layers, and three loops unless said otherwise.
  static func ouro(
    heads: Int = 4, keyValueHeads: Int = 4, loops: Int = 3, layers: Int = 2, seed: UInt64 = 1,
    format: WeightMatrix.Format = .float32, contextLength: Int = 512
  ) -> LanguageModel {
    LanguageModel.random(
      ModelConfiguration(
        family: .ouro, vocabularySize: 96, hiddenSize: 64, layers: layers, heads: heads,
        keyValueHeads: keyValueHeads, headSize: 16, intermediateSize: 96, loops: loops,
        contextLength: contextLength, ropeBase: 1e4, hasExitGate: true), seed: seed, format: format)
  }

  /// Llama: one loop, grouped queries, a tied readout, no gate.
  static func llama(seed: UInt64 = 2) -> LanguageModel {
    LanguageModel.random(
      ModelConfiguration(
        family: .llama, vocabularySize: 96, hiddenSize: 64, layers: 3, heads: 4, keyValueHeads: 2,
        headSize: 16,
        intermediateSize: 96, loops: 1, contextLength: 512, ropeBase: 1e4, tiesEmbeddings: true,
        hasExitGate: false), seed: seed)
  }

  static let all: [LanguageModel] = [ouro(), ouro(keyValueHeads: 2), llama()]

  static func tokens(_ count: Int, seed: UInt64 = 7) -> [Int32] {
    var random = RandomStream(seed: seed)
    return (0..<count).map { _ in Int32(random.next() % 96) }
  }
}
