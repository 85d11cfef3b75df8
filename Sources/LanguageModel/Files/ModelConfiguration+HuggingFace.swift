import Tensors

extension ModelConfiguration {
  /// The configuration of a Hugging Face checkpoint, from its config.json.
  ///
  /// What the file does not say is never guessed from the defaults of a model class, which for Ouro are another
  /// model's; only what has one meaning in every published checkpoint has a default here: `total_ut_steps` 4,
  /// `early_exit_threshold` 1, `rms_norm_eps` 1e-6, as many heads of keys as of queries, heads that divide the width.
  /// - Parameter hasReadout: whether the checkpoint has a readout, which decides where `tie_word_embeddings` is absent.
  /// - Parameter hasExitGate: whether it has a gate; without one every loop runs.
  /// - Throws: `ModelFileError` naming the key, also for models whose layers compute what ours do not.
  init(huggingFace json: JSONValue, file: String, hasReadout: Bool, hasExitGate: Bool) throws {
    func fault(_ key: String, _ message: String, hint: String? = nil) -> ModelFileError {
      ModelFileError(file: file, place: key, message, hint: hint)
    }
    func value(_ key: String) -> JSONValue? { json[key].flatMap { $0.isNull ? nil : $0 } }
    func integer(_ key: String, default fallback: Int? = nil) throws -> Int {
      guard let found = value(key) else {
        if let fallback { return fallback }
        throw fault(key, "is missing", hint: "take config.json from the model's source")
      }
      guard let number = found.integer else { throw fault(key, "is no whole number") }
      return number
    }
    func number(_ key: String, in object: JSONValue, default fallback: Double? = nil) throws -> Double {
      guard let found = object[key], !found.isNull else {
        if let fallback { return fallback }
        throw fault(key, "is missing", hint: "take config.json from the model's source")
      }
      guard let number = found.number else { throw fault(key, "is no number") }
      return number
    }
    func refuse(_ keys: [String], hint: String) throws {
      for key in keys {
        guard let found = value(key), found != .bool(false), found != .integer(0) else { continue }
        throw fault(key, "is \(found.text()), which is not supported", hint: hint)
      }
    }

    guard let type = value("model_type")?.string else {
      throw fault("model_type", "is missing", hint: "this must be the config.json of a Llama or Ouro model")
    }
    guard let family = Family(rawValue: type) else {
      throw fault(
        "model_type", "is \"\(type)\"",
        hint: "supported are " + Family.allCases.map(\.rawValue).joined(separator: " and "))
    }
    try refuse(
      ["attention_bias", "mlp_bias", "use_sliding_window"], hint: "the layers of these models have none")
    if let activation = value("hidden_act"), activation.string != "silu" {
      throw fault("hidden_act", "is \(activation.text()); the MLPs of these models use \"silu\"")
    }
    if let layers = value("layer_types")?.array, layers.contains(where: { $0.string != "full_attention" }) {
      throw fault("layer_types", "names other layers than \"full_attention\", which are not supported")
    }
    // Files of Transformers 5 keep the rotary embedding's numbers together.
    let rope = value("rope_parameters") ?? json
    for key in ["rope_scaling", "rope_parameters"] {
      guard let scaling = value(key) else { continue }
      let kind = (scaling["rope_type"] ?? scaling["type"])?.string ?? "default"
      guard kind == "default" else {
        throw fault(key, "asks for \"\(kind)\" scaling of the rotary embedding, which is not supported")
      }
    }
    if let factor = value("partial_rotary_factor") ?? rope["partial_rotary_factor"], factor.number != 1 {
      throw fault("partial_rotary_factor", "is \(factor.text()); only whole heads are turned")
    }

    let hidden = try integer("hidden_size")
    let heads = try integer("num_attention_heads")
    let headSize: Int
    if value("head_dim") != nil {
      headSize = try integer("head_dim")
    } else {
      guard heads > 0, hidden % heads == 0 else {
        throw fault("num_attention_heads", "\(heads) heads do not divide a width of \(hidden)")
      }
      headSize = hidden / heads
    }
    let ties: Bool
    if let found = value("tie_word_embeddings") {
      guard let flag = found.bool else { throw fault("tie_word_embeddings", "is neither true nor false") }
      ties = flag
    } else {
      ties = !hasReadout
    }
    self.init(
      family: family, vocabularySize: try integer("vocab_size"), hiddenSize: hidden,
      layers: try integer("num_hidden_layers"), heads: heads,
      keyValueHeads: try integer("num_key_value_heads", default: heads), headSize: headSize,
      intermediateSize: try integer("intermediate_size"),
      loops: family == .ouro ? try integer("total_ut_steps", default: 4) : 1,
      contextLength: try integer("max_position_embeddings"),
      ropeBase: try number("rope_theta", in: rope["rope_theta"] == nil ? json : rope),
      normEpsilon: Float(try number("rms_norm_eps", in: json, default: 1e-6)), tiesEmbeddings: ties,
      exitThreshold: family == .ouro ? Float(try number("early_exit_threshold", in: json, default: 1)) : 1,
      hasExitGate: family == .ouro && hasExitGate)
    if let (key, message) = contradiction { throw fault(key, message) }
  }

  /// What config.json says of this model.
  /// - Parameter type: the type of the checkpoint's numbers.
  func huggingFace(type: ElementType) -> JSONValue {
    let name: [ElementType: String] = [.bfloat16: "bfloat16", .float16: "float16"]
    let isOuro = family == .ouro
    var members: [String: JSONValue] = [
      "model_type": .string(family.rawValue),
      "architectures": .array([.string(isOuro ? "OuroForCausalLM" : "LlamaForCausalLM")]),
      "vocab_size": .integer(vocabularySize), "hidden_size": .integer(hiddenSize),
      "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads),
      "num_key_value_heads": .integer(keyValueHeads), "head_dim": .integer(headSize),
      "intermediate_size": .integer(intermediateSize), "max_position_embeddings": .integer(contextLength),
      "rope_theta": .number(ropeBase), "rope_scaling": .null,
      // The shortest decimal of the f32: 1e-06 rather than 9.999999974752427e-07.
      "rms_norm_eps": .number(Double("\(normEpsilon)") ?? Double(normEpsilon)), "hidden_act": .string("silu"),
      "tie_word_embeddings": .bool(tiesEmbeddings), "attention_bias": .bool(false), "mlp_bias": .bool(false),
      "torch_dtype": .string(name[type] ?? "float32"),
    ]
    if isOuro {
      members["total_ut_steps"] = .integer(loops)
      members["early_exit_threshold"] = .number(Double("\(exitThreshold)") ?? Double(exitThreshold))
      members["use_sliding_window"] = .bool(false)
      members["auto_map"] = .object([
        "AutoConfig": .string("configuration_ouro.OuroConfig"),
        "AutoModelForCausalLM": .string("modeling_ouro.OuroForCausalLM"),
      ])
    }
    return .object(members)
  }
}
