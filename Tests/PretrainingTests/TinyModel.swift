import Foundation
import LanguageModel
import Tensors

@testable import Pretraining

/// A folder that is gone when the test is done.
final class Folder {
  let path = NSTemporaryDirectory() + "looped-\(UInt64.random(in: 0 ... .max))"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    return path + "/" + name
  }
}

extension ModelConfiguration {
  static func tiny(
    _ family: Family = .ouro, layers: Int = 2, loops: Int = 3, keyValueHeads: Int = 2, ties: Bool = false
  ) -> ModelConfiguration {
    ModelConfiguration(
      family: family, vocabularySize: 13, hiddenSize: 8, layers: layers, heads: 2,
      keyValueHeads: keyValueHeads, headSize: 4, intermediateSize: 12, loops: loops, contextLength: 16,
      ropeBase: 100, tiesEmbeddings: ties, hasExitGate: family == .ouro)
  }
}

extension LoopedDecoder {
  /// Random in every parameter, norms and gate too, so that a mix-up shows.
  static func random(_ configuration: ModelConfiguration, seed: UInt64 = 1) -> LoopedDecoder {
    var random = RandomStream(seed: seed)
    let model = LoopedDecoder(configuration, random: &random)
    for parameter in model.parameters where parameter.shape.count == 1 || parameter.shape[0] == 1 {
      for i in 0..<parameter.value.count { parameter.value.pointer[i] += 0.4 * random.normal() }
    }
    return model
  }
}

/// A text of a few words in many orders: enough for pairs to repeat.
func storyText(documents: Int, words: Int = 40) -> String {
  var random = RandomStream(seed: 3)
  let vocabulary = [
    "the", "king", "said", "unto", "his", "servants,", "Go", "into", "12", "cities;", "they're",
  ]
  return (0..<documents).map { _ in
    (0..<words).map { _ in vocabulary[Int(random.next() % UInt64(vocabulary.count))] }.joined(separator: " ")
  }.joined(separator: "\n<|endoftext|>\n") + "\n"
}
