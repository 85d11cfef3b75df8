import CKernels
import Foundation
import Gradients
import LanguageModel
import Tensors

/// A looped decoder as a Hugging Face folder: config.json and model.safetensors, which `looped generate` and the
/// reference implementation read.
public enum DecoderFiles {
  /// The type of the weights that are written.
  public enum Precision: String, CaseIterable, Sendable {
    case float32 = "f32"
    case bfloat16 = "bf16"

    var type: ElementType { self == .float32 ? .float32 : .bfloat16 }
  }

  /// Writes config.json and model.safetensors into `folder`, each whole or not at all.
  ///
  /// - Parameter configuration: what config.json says, where that is more than the model knows (loops, context).
  /// - Throws: `AtomicFile.Failure`, `DataError`.
  public static func save(
    _ model: LoopedDecoder, to folder: String, precision: Precision = .bfloat16,
    configuration: ModelConfiguration? = nil
  ) throws {
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw DataError(file: folder, message: "cannot be made: \(error.localizedDescription)")
    }
    var tensors: [StoredTensor] = []
    for place in model.places {
      let columns = place.parameter.shape.count == 1 ? 1 : place.parameter.shape[1]
      var start = place.parameter.value.pointer
      for (index, name) in place.names.enumerated() {
        let count = place.rows[index] * columns
        tensors.append(
          StoredTensor(
            name, type: precision.type, shape: place.shape(of: index),
            bytes: bytes(start, count: count, as: precision)))
        start += count
      }
    }
    // The marker that Hugging Face's loaders look for.
    try AtomicFile.write(
      SafetensorsFile.parts(tensors, metadata: ["format": "pt"]), to: folder + "/model.safetensors")
    let text = (configuration ?? model.configuration).configurationFile(type: precision.type)
    try AtomicFile.write([Array(text.utf8)], to: folder + "/config.json")
  }

  private static func bytes(
    _ values: UnsafePointer<Float>, count: Int, as precision: Precision
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count * precision.type.size) { bytes, size in
      size = count * precision.type.size
      if let start = bytes.baseAddress {
        ck_floats_store(precision == .float32 ? CK_F32 : CK_BF16, values, start, count)
      }
    }
  }

  /// The model of a folder or a GGUF file.
  ///
  /// - Throws: `ModelFileError`, `SafetensorsError` or `GGUFError`, which name the file. No memory is taken for a model
  ///   that the files do not hold.
  public static func load(_ path: String) throws -> LoopedDecoder {
    let files = try TrainableFiles(path)
    // Random weights are overwritten, every one of them.
    var random = RandomStream(seed: 0)
    let model = LoopedDecoder(files.configuration, random: &random)
    var targets: [String: UnsafeMutableBufferPointer<Float>] = [:]
    for place in model.places {
      let columns = place.parameter.shape.count == 1 ? 1 : place.parameter.shape[1]
      var start = place.parameter.value.pointer
      for (name, rows) in zip(place.names, place.rows) {
        targets[name] = UnsafeMutableBufferPointer(start: start, count: rows * columns)
        start += rows * columns
      }
    }
    try files.read { name, values in
      guard let target = targets.removeValue(forKey: name), target.count == values.count else {
        throw ModelFileError(file: path, place: "tensor \(name)", "has no place in the model")
      }
      _ = target.update(from: values)
    }
    if let missing = targets.keys.min() {
      throw ModelFileError(file: path, place: "tensor \(missing)", "is missing")
    }
    return model
  }

  /// Every gradient under the names and in the shapes of the file; zeros where there is none.
  public static func gradients(
    of model: LoopedDecoder
  ) -> [(name: String, shape: [Int], values: [Float])] {
    model.places.flatMap { place -> [(name: String, shape: [Int], values: [Float])] in
      let values = place.parameter.gradient?.values ?? Array(repeating: 0, count: place.parameter.value.count)
      var start = 0
      return place.names.enumerated().map { index, name in
        let shape = place.shape(of: index)
        defer { start += shape.reduce(1, *) }
        return (name, shape, Array(values[start..<start + shape.reduce(1, *)]))
      }
    }
  }

  static func write(_ object: [String: Any], to path: String) throws {
    let data = try JSONSerialization.data(
      withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    try AtomicFile.write([Array(data), [10]], to: path)
  }
}
