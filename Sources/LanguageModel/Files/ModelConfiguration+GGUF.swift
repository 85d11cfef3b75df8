import Tensors

extension ModelConfiguration {
  /// The configuration in a GGUF file's metadata.
  ///
  /// Keys are llama.cpp's: those of the architecture llama, and for looped models `num_loops` and
  /// `skip_loop_final_norm` as its architecture nanbeige has them. Our own is `ouro.early_exit_threshold`.
  /// - Throws: `ModelFileError` naming the key, also for models whose layers compute what ours do not.
  init(gguf file: GGUFFile) throws {
    func fault(_ key: String, _ message: String, hint: String? = nil) -> ModelFileError {
      ModelFileError(file: file.file, place: key, message, hint: hint)
    }
    guard let architecture = file[key: "general.architecture"]?.string else {
      throw fault("general.architecture", "is missing, or no string")
    }
    let families: [String: Family] = ["llama": .llama, "nanbeige": .llama, "ouro": .ouro]
    guard let family = families[architecture] else {
      throw fault(
        "general.architecture", "is \"\(architecture)\"",
        hint: "supported are " + families.keys.sorted().joined(separator: ", "))
    }
    if let parts = file[key: "split.count"]?.integer, parts > 1 {
      throw fault(
        "split.count", "the model is split into \(parts) files", hint: "merge them: llama-gguf-split --merge")
    }
    func integer(_ name: String, default fallback: Int? = nil) throws -> Int {
      let key = "\(architecture).\(name)"
      guard let found = file[key: key] else {
        if let fallback { return fallback }
        throw fault(key, "is missing")
      }
      guard let number = found.integer else {
        throw fault(key, "is no whole number", hint: "layers that differ from each other are not supported")
      }
      return number
    }
    func number(_ name: String, default fallback: Double? = nil) throws -> Double {
      let key = "\(architecture).\(name)"
      guard let found = file[key: key] else {
        if let fallback { return fallback }
        throw fault(key, "is missing")
      }
      guard let number = found.number else { throw fault(key, "is no number") }
      return number
    }
    for name in ["attention.sliding_window", "expert_count", "rope.scaling.factor"] {
      guard let value = file[key: "\(architecture).\(name)"]?.number, value != 0 else { continue }
      if name == "rope.scaling.factor" && value == 1 { continue }
      throw fault("\(architecture).\(name)", "is \(value), which is not supported")
    }
    for name in ["logit_scale", "residual_scale", "embedding_scale", "attention.scale"] {
      guard let value = file[key: "\(architecture).\(name)"]?.number, value != 0, value != 1 else { continue }
      throw fault("\(architecture).\(name)", "is \(value), which is not supported")
    }
    if let scaling = file[key: "\(architecture).rope.scaling.type"]?.string, scaling != "none",
      scaling != "linear"
    {
      throw fault("\(architecture).rope.scaling.type", "is \"\(scaling)\", which is not supported")
    }

    let hidden = try integer("embedding_length")
    let heads = try integer("attention.head_count")
    guard heads > 0 else { throw fault("\(architecture).attention.head_count", "is \(heads)") }
    let headSize = try integer("attention.key_length", default: hidden / heads)
    for name in ["attention.value_length", "rope.dimension_count"] {
      let size = try integer(name, default: headSize)
      guard size == headSize else {
        throw fault(
          "\(architecture).\(name)", "is \(size) where heads have \(headSize); that is not supported")
      }
    }
    let loops = architecture == "llama" ? 1 : try integer("num_loops", default: family == .ouro ? 4 : 1)
    if loops > 1, file[key: "\(architecture).skip_loop_final_norm"]?.boolean == true {
      throw fault(
        "\(architecture).skip_loop_final_norm", "is true; only loops that end in the final norm are supported"
      )
    }
    guard let embedding = file["token_embd.weight"], embedding.shape.count == 2 else {
      throw fault("tensor token_embd.weight", "is missing, or no matrix")
    }
    self.init(
      family: family, vocabularySize: embedding.shape[0], hiddenSize: hidden,
      layers: try integer("block_count"),
      heads: heads, keyValueHeads: try integer("attention.head_count_kv", default: heads), headSize: headSize,
      intermediateSize: try integer("feed_forward_length"), loops: loops,
      contextLength: try integer("context_length"),
      // llama.cpp's meaning of an absent key.
      ropeBase: try number("rope.freq_base", default: 10_000),
      normEpsilon: Float(try number("attention.layer_norm_rms_epsilon")),
      tiesEmbeddings: file["output.weight"] == nil,
      exitThreshold: family == .ouro ? Float(try number("early_exit_threshold", default: 1)) : 1,
      // Files made for engines that run every loop lack the gate.
      hasExitGate: file["exit_gate.weight"] != nil)
    if let (key, message) = contradiction { throw fault(key, message) }
  }

  /// The architecture's name in GGUF files.
  var ggufArchitecture: String { family == .ouro ? "ouro" : loops > 1 ? "nanbeige" : "llama" }

  /// What a GGUF file's metadata says of this model.
  var gguf: [(key: String, value: GGUFValue)] {
    let name = ggufArchitecture
    func count(_ key: String, _ value: Int) -> (key: String, value: GGUFValue) {
      ("\(name).\(key)", .uint32(UInt32(clamping: value)))
    }
    var result = [
      count("block_count", layers), count("context_length", contextLength),
      count("embedding_length", hiddenSize),
      count("feed_forward_length", intermediateSize), count("attention.head_count", heads),
      count("attention.head_count_kv", keyValueHeads), count("attention.key_length", headSize),
      count("attention.value_length", headSize), count("rope.dimension_count", headSize),
      ("\(name).rope.freq_base", .float32(Float(ropeBase))),
      ("\(name).attention.layer_norm_rms_epsilon", .float32(normEpsilon)),
      count("vocab_size", vocabularySize),
    ]
    if name != "llama" {
      result += [count("num_loops", loops), ("\(name).skip_loop_final_norm", .bool(false))]
    }
    if hasExitGate { result.append(("\(name).early_exit_threshold", .float32(exitThreshold))) }
    return result
  }
}
