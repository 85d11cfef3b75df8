import ArgumentParser
import LanguageModel

/// A published shape, for models with random weights.
public enum RandomShape: String, CaseIterable, ExpressibleByArgument, Sendable {
  case ouro1 = "1.4b"
  case ouro2 = "2.6b"
  case small = "135m"

  public var configuration: ModelConfiguration {
    switch self {
    case .ouro1: .ouro()
    case .ouro2: .ouro(layers: 48)
    case .small:
      ModelConfiguration(
        family: .llama, vocabularySize: 49152, hiddenSize: 576, layers: 30, heads: 9, keyValueHeads: 3,
        headSize: 64, intermediateSize: 1536, loops: 1, contextLength: 8192, ropeBase: 1e5,
        normEpsilon: 1e-5,
        tiesEmbeddings: true, hasExitGate: false)
    }
  }
}
