import Foundation
import Tensors
import Testing

@testable import LanguageModel

@Suite struct ConfigurationFileTests {
  static let ouro = #"""
    {"model_type": "ouro", "vocab_size": 259, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
     "num_key_value_heads": 4, "head_dim": 16, "intermediate_size": 96, "max_position_embeddings": 512,
     "rope_theta": 1000000.0, "rope_scaling": null, "rms_norm_eps": 1e-06, "tie_word_embeddings": false,
     "total_ut_steps": 4, "early_exit_threshold": 1.0, "hidden_act": "silu", "use_sliding_window": false,
     "sliding_window": null, "max_window_layers": 2, "layer_types": ["full_attention", "full_attention"],
     "attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": true, "torch_dtype": "bfloat16"}
    """#

  /// The configuration with keys changed; `nil` removes one.
  static func parse(
    _ changes: [String: JSONValue?] = [:], of text: String = ouro, hasReadout: Bool = true,
    hasExitGate: Bool = true
  ) throws -> ModelConfiguration {
    guard case .object(var members) = try JSONValue.object(Data(text.utf8), file: "config.json") else {
      fatalError()
    }
    for (key, value) in changes { members[key] = value }
    return try ModelConfiguration(
      huggingFace: .object(members), file: "config.json", hasReadout: hasReadout, hasExitGate: hasExitGate)
  }

  static func fault(_ changes: [String: JSONValue?], of text: String = ouro) -> ModelFileError? {
    do { _ = try parse(changes, of: text) } catch { return error as? ModelFileError }
    return nil
  }

  @Test func readsOuro() throws {
    var expected = TinyCheckpoint.ouro
    expected.loops = 4
    #expect(try Self.parse() == expected)
    // Transformers 5 keeps the rotary numbers together, whatever stands above them.
    let rope = JSONValue.object(["rope_theta": .number(1e6), "rope_type": .string("default")])
    #expect(try Self.parse(["rope_parameters": rope, "rope_theta": nil]) == expected)
    #expect(try Self.parse(["rope_parameters": rope, "rope_theta": .number(1e4)]) == expected)
  }

  /// Defaults where published files rely on them, and nowhere else.
  @Test func absentKeys() throws {
    for key in ["total_ut_steps", "early_exit_threshold", "head_dim", "num_key_value_heads", "rms_norm_eps"] {
      let c = try Self.parse([key: nil])
      #expect(c.loops == 4 && c.exitThreshold == 1 && c.headSize == 16 && c.normEpsilon == 1e-6)
      #expect(try Self.parse([key: .null]) == c)
    }
    for key in [
      "model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
      "intermediate_size",
      "max_position_embeddings", "rope_theta",
    ] {
      let fault = try #require(Self.fault([key: nil]))
      #expect(fault.place == key && fault.message == "is missing", "\(fault)")
    }
    #expect(try Self.parse(["tie_word_embeddings": nil], hasReadout: false).tiesEmbeddings)
    #expect(try !Self.parse(["tie_word_embeddings": nil], hasReadout: true).tiesEmbeddings)
    #expect(try !Self.parse(hasExitGate: false).hasExitGate)
  }

  @Test(arguments: [
    ("model_type", JSONValue.string("qwen3")), ("vocab_size", .integer(0)), ("vocab_size", .integer(-5)),
    ("vocab_size", .integer(.max)), ("vocab_size", .string("259")), ("vocab_size", .number(1.5)),
    ("hidden_size", .number(1e300)), ("num_hidden_layers", .integer(1 << 40)),
    ("num_attention_heads", .integer(0)),
    ("num_key_value_heads", .integer(3)), ("num_key_value_heads", .integer(0)), ("head_dim", .integer(15)),
    ("intermediate_size", .array([])), ("max_position_embeddings", .bool(true)), ("rope_theta", .number(-1)),
    ("rope_theta", .string("1e6")), ("rms_norm_eps", .number(-1e-6)), ("rms_norm_eps", .object([:])),
    ("total_ut_steps", .integer(0)), ("total_ut_steps", .integer(9)), ("early_exit_threshold", .number(1.5)),
    ("early_exit_threshold", .number(-0.1)), ("hidden_act", .string("gelu")), ("attention_bias", .bool(true)),
    ("mlp_bias", .bool(true)), ("use_sliding_window", .bool(true)), ("tie_word_embeddings", .string("yes")),
    ("layer_types", .array([.string("sliding_attention")])), ("partial_rotary_factor", .number(0.5)),
    ("rope_scaling", .object(["rope_type": .string("llama3"), "factor": .number(8)])),
    ("rope_scaling", .object(["type": .string("linear"), "factor": .number(2)])),
    ("rope_parameters", .object(["rope_theta": .number(1e6), "rope_type": .string("yarn")])),
  ])
  func refuses(key: String, value: JSONValue) throws {
    let fault = try #require(Self.fault([key: value]), "\(key) \(value) was accepted")
    #expect(fault.place == key && fault.file == "config.json")
    #expect("\(fault)".hasPrefix("config.json: error: \(key): "))
  }

  @Test func llamaHasOneLoopWhateverItSays() throws {
    let c = try Self.parse(["model_type": .string("llama"), "total_ut_steps": .integer(4)])
    #expect(c.loops == 1 && !c.hasExitGate && c.family == .llama)
  }

  @Test(arguments: TestCases.brokenJSON.indices) func refusesBrokenJSON(index: Int) throws {
    let text = TestCases.brokenJSON[index]
    let folder = try TestFolder()
    try folder.write(text, to: "config.json")
    #expect(throws: ModelFileError.self) { try JSONValue.object(file: folder.file("config.json")) }
  }

  @Test func refusesFilesThatAreTooLarge() throws {
    let folder = try TestFolder()
    try folder.write(String(repeating: " ", count: 2000) + "{}", to: "config.json")
    #expect(throws: ModelFileError.self) {
      try JSONValue.object(file: folder.file("config.json"), limit: 1000)
    }
    #expect(throws: ModelFileError.self) { try JSONValue.object(file: folder.file("absent.json")) }
    #expect(throws: ModelFileError.self) { try JSONValue.object(file: folder.path) }
  }

  @Test func writesWhatItReads() throws {
    for configuration in CheckpointTests.configurations {
      let text = configuration.huggingFace(type: .bfloat16).text()
      let json = try JSONValue.object(Data(text.utf8), file: "config.json")
      #expect(
        try ModelConfiguration(huggingFace: json, file: "config.json", hasReadout: true, hasExitGate: true)
          == configuration)
      #expect(text.contains("\"rms_norm_eps\": 1e-0"))
    }
  }

  @Test func generationDefaults() throws {
    func parse(_ text: String, config: String = "{}") throws -> GenerationDefaults {
      try GenerationDefaults(
        huggingFace: JSONValue.object(Data(text.utf8), file: "generation_config.json"),
        file: "generation_config.json",
        config: JSONValue.object(Data(config.utf8), file: "config.json"), configFile: "config.json",
        vocabularySize: 259)
    }
    let full = try parse(
      #"{"eos_token_id": [2, 0], "bos_token_id": 1, "temperature": 0.7, "top_p": 0.9, "top_k": 50, "do_sample": true}"#
    )
    #expect(full.endTokens == [2, 0] && full.beginningToken == 1 && full.topK == 50)
    #expect(full.temperature == 0.7 && full.topP == 0.9)
    #expect(try parse(full.huggingFace.text()) == full)
    #expect(try parse("{}", config: #"{"eos_token_id": 0}"#).endTokens == [0])
    #expect(try parse(#"{"temperature": 0.7, "do_sample": false}"#).temperature == nil)
    for text in [
      #"{"eos_token_id": 259}"#, #"{"eos_token_id": -1}"#, #"{"eos_token_id": "x"}"#,
      #"{"eos_token_id": [0, 1.5]}"#,
      #"{"temperature": -1}"#, #"{"top_p": 2}"#, #"{"top_k": "x"}"#,
    ] {
      #expect(throws: ModelFileError.self, "\(text)") { try parse(text) }
    }
  }
}

enum TestCases {
  /// Tests take the indices: a test's name has its arguments, and some of these are long.
  static let brokenJSON = [
    "", "{", "[]", "1", "null", "{\"a\":}", "{\"a\":1} x", "{'a':1}", "{\"a\":1e999}",
    "{\"a\": nan}",
    "{\"a\":\"\\ud800\"}", "\u{0}", "{\"a\":" + String(repeating: "[", count: 100_000),
    String(repeating: "{\"a\":", count: 100_000), "<html>404</html>",
  ]
}
