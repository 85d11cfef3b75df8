import Foundation
import Tensors

/// A model's arrays as f32 for those who train: whatever `ModelFiles` opens, folders and GGUF files.
package struct TrainableFiles {
  package let path: String
  package let configuration: ModelConfiguration
  private let source: any ModelSource

  /// Opens and checks the files; nothing is read but headers and the tokenizer.
  /// - Throws: `ModelFileError`, `SafetensorsError`, `GGUFError`.
  package init(_ path: String) throws {
    let files = try OpenedModel(path)
    (self.path, configuration, source) = (path, files.configuration, files.source)
    // Every array is there and has its shape, before anybody takes memory for the model.
    _ = try files.source.tensors()
  }

  /// Calls `body` with every array: its name in Hugging Face's files, and its values, row-major.
  ///
  /// Memory: one array at a time.
  package func read(_ body: (_ name: String, _ values: [Float]) throws -> Void) throws {
    for (weight, tensor) in try source.tensors() { try body(weight.huggingFaceName, tensor.values()) }
  }

  /// Reads a config.json that stands without its weights.
  /// - Throws: `ModelFileError`.
  package static func configuration(at path: String, hasExitGate: Bool) throws -> ModelConfiguration {
    try ModelConfiguration(
      huggingFace: try JSONValue.object(file: path), file: path, hasReadout: true, hasExitGate: hasExitGate)
  }
}

extension ModelConfiguration {
  /// The text of config.json. - Parameter type: of the weights beside it.
  package func configurationFile(type: ElementType) -> String { huggingFace(type: type).text() + "\n" }
}
