import Foundation
import Gradients
import LanguageModel
import Tensors

/// A looped decoder as a Hugging Face folder: config.json and model.safetensors, which `looped generate` and the
/// reference implementation read.
public enum DecoderFiles {
  /// The longest config.json that is read.
  static let configurationLimit = 1 << 20

  /// Writes config.json, generation_config.json and model.safetensors into `folder`, each whole or not at all.
  ///
  /// - Parameters:
  ///   - precision: of the weights: `f32` or `bf16`.
  ///   - configuration: what config.json says, where that is more than the model knows (loops, context).
  /// - Throws: `AtomicFile.Failure`, `ModelFolderError`.
  static func save(
    _ model: LoopedDecoder, to folder: String, precision: StoredNumbers.Precision,
    configuration: ModelConfiguration? = nil
  ) throws {
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw ModelFolderError(file: folder, "cannot be made: \(error.localizedDescription)")
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
            bytes: StoredNumbers.bytes(UnsafeBufferPointer(start: start, count: count), as: precision)))
        start += count
      }
    }
    // The marker that Hugging Face's loaders look for.
    try AtomicFile.write(
      SafetensorsFile.parts(tensors, metadata: ["format": "pt"]), to: folder + "/model.safetensors")
    let config = json(of: configuration ?? model.configuration, precision: precision)
    try write(config, to: folder + "/config.json")
    let end = TrainedVocabulary.endOfText
    try write(
      ["bos_token_id": end, "eos_token_id": [end, TrainedVocabulary.endOfMessage], "pad_token_id": end],
      to: folder + "/generation_config.json")
  }

  /// The same in f32, or bf16.
  ///
  /// - Parameter loops: what config.json says, instead of the model's.
  public static func save(
    _ model: LoopedDecoder, to folder: String, isPrecise: Bool, loops: Int? = nil
  ) throws {
    var configuration = model.configuration
    configuration.loops = loops ?? configuration.loops
    try save(
      model, to: folder, precision: isPrecise ? .float32 : .bfloat16, configuration: configuration)
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

  static func json(of c: ModelConfiguration, precision: StoredNumbers.Precision) -> [String: Any] {
    var json: [String: Any] = [
      "model_type": c.family.rawValue,
      "architectures": [c.family == .ouro ? "OuroForCausalLM" : "LlamaForCausalLM"],
      "vocab_size": c.vocabularySize, "hidden_size": c.hiddenSize, "num_hidden_layers": c.layers,
      "num_attention_heads": c.heads, "num_key_value_heads": c.keyValueHeads, "head_dim": c.headSize,
      "intermediate_size": c.intermediateSize, "max_position_embeddings": c.contextLength,
      "rope_theta": c.ropeBase, "rope_scaling": NSNull(),
      "rms_norm_eps": NSDecimalNumber(string: "\(c.normEpsilon)"), "tie_word_embeddings": c.tiesEmbeddings,
      "hidden_act": "silu", "attention_bias": false, "mlp_bias": false, "torch_dtype": precision.word,
      "bos_token_id": TrainedVocabulary.endOfText, "eos_token_id": TrainedVocabulary.endOfText,
      "pad_token_id": TrainedVocabulary.endOfText,
    ]
    if c.family == .ouro {
      json["total_ut_steps"] = c.loops
      json["early_exit_threshold"] = NSDecimalNumber(string: "\(c.exitThreshold)")
      json["use_sliding_window"] = false
    }
    return json
  }

  /// The model of a folder; weights in f32, bf16 or f16, in one file or in parts.
  ///
  /// - Throws: `ModelFolderError` or `SafetensorsError`, which name the file. No memory is taken for a model that the
  ///   files do not hold.
  public static func load(_ folder: String) throws -> LoopedDecoder {
    let path = folder + "/config.json"
    let files = try weightFiles(in: folder)
    let names = Set(files.flatMap { $0.entries.map(\.name) })
    let configuration = try configuration(
      at: path, hasGate: names.contains("model.early_exit_gate.weight"),
      hasReadout: names.contains("lm_head.weight"))
    let held = files.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.range.count / $1.type.size } }
    guard configuration.parameterCount <= held else {
      throw ModelFolderError(
        file: path, "describes \(configuration.parameterCount) parameters where the files hold \(held)",
        hint: "config.json and weights may be of different models")
    }
    // Random weights are overwritten, every one of them.
    var random = RandomStream(seed: 0)
    let model = LoopedDecoder(configuration, random: &random)
    for place in model.places {
      var start = place.parameter.value.pointer
      for (index, name) in place.names.enumerated() {
        guard let file = files.first(where: { $0[name] != nil }) else {
          throw ModelFolderError(
            file: folder, "has no tensor \(name)", hint: "config.json and weights may be of different models")
        }
        let (stored, wanted) = (try file.tensor(name), place.shape(of: index))
        // A vector may be stored as a matrix of one row.
        guard stored.shape == wanted || stored.shape == [1] + wanted else {
          throw ModelFolderError(
            file: file.file,
            "tensor \(name) has the shape \(stored.shape) where config.json makes it \(wanted)"
          )
        }
        guard let values = StoredNumbers.floats(stored) else {
          throw ModelFolderError(
            file: file.file, "tensor \(name) is \(stored.type.rawValue); weights are F32, BF16 or F16")
        }
        start.update(from: values, count: values.count)
        start += values.count
      }
    }
    return model
  }

  private static func weightFiles(in folder: String) throws -> [SafetensorsFile] {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    let parts = names.filter {
      $0 == "model.safetensors" || $0.hasPrefix("model-") && $0.hasSuffix(".safetensors")
    }
    guard !parts.isEmpty else {
      throw ModelFolderError(
        file: folder, "holds no model.safetensors",
        hint: "a folder with config.json and model.safetensors is wanted")
    }
    return try parts.map { try SafetensorsFile(path: folder + "/" + $0) }
  }

  static func configuration(at path: String, hasGate: Bool, hasReadout: Bool) throws -> ModelConfiguration {
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: configurationLimit + 1) ?? Data(),
      data.count <= configurationLimit,
      let root = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { throw ModelFolderError(file: path, "is missing, or no JSON object") }
    func number(_ key: String, _ range: ClosedRange<Double>, default fallback: Double? = nil) throws -> Double
    {
      let found = root[key].flatMap { $0 is NSNull ? nil : $0 }
      guard let value = (found as? NSNumber)?.doubleValue ?? (found == nil ? fallback : nil),
        range.contains(value)
      else {
        throw ModelFolderError(
          file: path, "\(key) is no number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    func integer(_ key: String, _ range: ClosedRange<Double>, default fallback: Int? = nil) throws -> Int {
      let value = try number(key, range, default: fallback.map(Double.init))
      guard let whole = Int(exactly: value) else {
        throw ModelFolderError(file: path, "\(key) is no whole number")
      }
      return whole
    }
    guard let family = (root["model_type"] as? String).flatMap(ModelConfiguration.Family.init) else {
      throw ModelFolderError(file: path, "model_type is neither ouro nor llama")
    }
    let (hidden, heads) = (
      try integer("hidden_size", 1...65_536), try integer("num_attention_heads", 1...1024)
    )
    let keys = try integer("num_key_value_heads", 1...1024, default: heads)
    let size = try integer("head_dim", 2...4096, default: hidden / heads)
    guard heads % keys == 0, size % 2 == 0 else {
      throw ModelFolderError(file: path, "\(keys) heads of keys, of \(size), do not serve \(heads) heads")
    }
    let rope = (root["rope_parameters"] as? [String: Any])?["rope_theta"] as? NSNumber
    return ModelConfiguration(
      family: family, vocabularySize: try integer("vocab_size", 1...16_777_216), hiddenSize: hidden,
      layers: try integer("num_hidden_layers", 1...4096), heads: heads, keyValueHeads: keys, headSize: size,
      intermediateSize: try integer("intermediate_size", 1...1_048_576),
      loops: family == .ouro ? try integer("total_ut_steps", 1...8, default: 4) : 1,
      contextLength: try integer("max_position_embeddings", 1...1_048_576),
      ropeBase: try rope?.doubleValue ?? number("rope_theta", 1...1e12, default: 10_000),
      normEpsilon: Float(try number("rms_norm_eps", 0...1, default: 1e-6)),
      tiesEmbeddings: root["tie_word_embeddings"] as? Bool ?? !hasReadout,
      exitThreshold: Float(try number("early_exit_threshold", 0...1, default: 1)), hasExitGate: hasGate)
  }
}

/// What is wrong with a model's folder.
public struct ModelFolderError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let message: String
  public let hint: String?

  init(file: String, _ message: String, hint: String? = nil) {
    (self.file, self.message, self.hint) = (file, message, hint)
  }

  public var description: String { "\(file): error: \(message)" + (hint.map { "\nhint: \($0)" } ?? "") }
}
