import Foundation
import Tensors
import TestSupport
import Testing

@testable import LanguageModel

/// Model files that contradict themselves: a named error each, and never more memory than the files hold.
@Suite struct HostileModelTests {
  /// Tensors of a checkpoint, changed, written again beside its configuration.
  static func open(
    _ configuration: ModelConfiguration = TinyCheckpoint.ouro,
    change: (inout [String: StoredTensor]) -> Void
  ) throws -> LanguageModel {
    let folder = try TestFolder()
    try TinyCheckpoint.write(configuration, to: folder.file("m"))
    let path = folder.file("m/model.safetensors")
    let file = try SafetensorsFile(path: path)
    var tensors = Dictionary(
      uniqueKeysWithValues: try file.entries.map { ($0.name, try file.tensor($0.name)) })
    change(&tensors)
    try AtomicFile.write(SafetensorsFile.parts(Array(tensors.values)), to: path)
    return try LanguageModel(HuggingFaceSource(folder: folder.file("m")))
  }

  static func fault(
    _ configuration: ModelConfiguration = TinyCheckpoint.ouro, change: (inout [String: StoredTensor]) -> Void
  ) -> ModelFileError? {
    do { _ = try open(configuration, change: change) } catch { return error as? ModelFileError }
    return nil
  }

  @Test func missingTensors() throws {
    for weight in ModelWeight.all(of: TinyCheckpoint.ouro) where weight.part != .exitGate {
      let name = weight.huggingFaceName
      let fault = try #require(Self.fault { $0[name] = nil }, "\(name)")
      #expect(fault.place == "tensor \(name)" && fault.message == "is missing")
    }
    // Half a gate is none.
    let name = "model.early_exit_gate.weight"
    #expect(Self.fault { $0[name] = nil }?.place == "tensor model.early_exit_gate.bias")
  }

  @Test func wrongShapesAndTypes() throws {
    let name = "model.layers.1.mlp.down_proj.weight"
    for shape in [[64], [96, 64], [64, 95], [64, 96, 1], []] {
      let fault = Self.fault {
        $0[name] = StoredTensor(name, shape: shape, [Float](repeating: 0, count: shape.reduce(1, *)))
      }
      #expect(fault?.place == "tensor \(name)", "\(shape)")
    }
    for type in ElementType.allCases where ![.float32, .float16, .bfloat16].contains(type) {
      let fault = Self.fault {
        $0[name] = StoredTensor(
          name, type: type, shape: [64, 96], bytes: [UInt8](repeating: 0, count: 64 * 96 * type.size))
      }
      #expect(fault?.message.contains("type \(type.rawValue)") == true)
    }
  }

  @Test func tensorsWithoutAPlace() {
    for name in [
      "model.layers.2.mlp.down_proj.weight", "model.layers.0.self_attn.q_proj.bias",
      "model.layers.0.self_attn.q_norm.weight",
      "x",
    ] {
      let fault = Self.fault { $0[name] = StoredTensor(name, shape: [1], [0] as [Float]) }
      #expect(fault?.place == "tensor \(name)")
    }
    let harmless = "model.layers.0.self_attn.rotary_emb.inv_freq"
    #expect(Self.fault { $0[harmless] = StoredTensor(harmless, shape: [1], [0] as [Float]) } == nil)
    // A readout beside a tied embedding is not used.
    #expect(
      Self.fault(TinyCheckpoint.llama) {
        $0["lm_head.weight"] = StoredTensor("lm_head.weight", shape: [1], [0] as [Float])
      } == nil)
  }

  @Test(arguments: [
    #"{}"#, #"{"weight_map": []}"#, #"{"weight_map": {"lm_head.weight": 1}}"#,
    #"{"weight_map": {"lm_head.weight": "../other/model.safetensors"}}"#,
    #"{"weight_map": {"lm_head.weight": "/etc/passwd"}}"#, #"{"weight_map": {"lm_head.weight": ""}}"#,
    #"{"weight_map": {"lm_head.weight": ".."}}"#, #"{"weight_map": {"lm_head.weight": "a\u0000b"}}"#,
    #"{"weight_map": {"lm_head.weight": "absent.safetensors"}}"#,
    #"{"weight_map": {"absent": "model.safetensors"}}"#,
    #"{"weight_map": {"lm_head.weight": "config.json"}}"#,
    #"{"weight_map": {}}"#, #"{"weight_map": {"lm_head.weight": "model.safetensors"}}"#,
  ])
  func hostileIndices(text: String) throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    try folder.write(text, to: "m/model.safetensors.index.json")
    #expect(throws: (any Error).self) { try LanguageModel(HuggingFaceSource(folder: folder.file("m"))) }
    do { _ = try LanguageModel(HuggingFaceSource(folder: folder.file("m"))) } catch {
      #expect(error is ModelFileError || error is SafetensorsError, "\(error)")
    }
  }

  @Test func foldersAndFilesThatAreNone() throws {
    let folder = try TestFolder()
    func fault(_ path: String) -> String {
      do { _ = try OpenedModel(path) } catch { return "\(error)" }
      return "accepted"
    }
    #expect(fault(folder.file("absent")).contains("no such file or folder"))
    #expect(fault(folder.path).contains("config.json: error: cannot be opened"))
    try folder.write(ConfigurationFileTests.ouro, to: "config.json")
    #expect(fault(folder.path).contains("has neither model.safetensors nor"))
    try folder.write("x", to: "model.safetensors")
    #expect(fault(folder.path).contains("model.safetensors: error: has 1 bytes"))
    #expect(fault(folder.file("model.safetensors")).contains("name its folder"))
    #expect(fault(folder.file("config.json")).contains("is no GGUF file"))
  }

  // MARK: GGUF

  /// A GGUF file of a small model with one key changed; `nil` removes it.
  static func gguf(_ configuration: ModelConfiguration, _ key: String, _ value: GGUFValue?) -> ModelFileError?
  {
    do {
      let folder = try TestFolder()
      let model = LanguageModel.random(configuration)
      _ = try MemorySource(model, name: "r").writeGGUF(
        to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: [])
      let file = try GGUFFile(path: folder.file("m.gguf"))
      var metadata = file.metadata.filter { $0.key != key }
      if let value { metadata.append((key, value)) }
      let writer = try GGUFWriter(
        path: folder.file("n.gguf"), metadata: metadata,
        tensors: file.entries.map { GGUFWriter.Tensor($0.name, type: $0.type, shape: $0.shape) })
      for entry in file.entries { try writer.write(file.bytes(of: entry.name).buffer) }
      try writer.finish()
      _ = try LanguageModel(GGUFSource(path: folder.file("n.gguf")))
    } catch { return error as? ModelFileError }
    return nil
  }

  @Test func hostileMetadata() throws {
    let cases: [(String, GGUFValue?)] = [
      ("general.architecture", nil), ("general.architecture", .string("qwen2")),
      ("general.architecture", .uint32(1)),
      ("ouro.block_count", nil), ("ouro.block_count", .uint32(3)), ("ouro.block_count", .uint32(1)),
      ("ouro.block_count", .uint64(.max)), ("ouro.block_count", .string("2")),
      ("ouro.embedding_length", .uint32(65)),
      ("ouro.attention.head_count", .uint32(0)), ("ouro.attention.head_count", .uint32(8)),
      ("ouro.attention.head_count", .array(GGUFArray([4, 4] as [Int32]))),
      ("ouro.attention.head_count_kv", .uint32(3)), ("ouro.attention.key_length", .uint32(15)),
      ("ouro.attention.value_length", .uint32(8)), ("ouro.rope.dimension_count", .uint32(8)),
      ("ouro.feed_forward_length", .uint32(95)), ("ouro.context_length", .uint32(0)),
      ("ouro.attention.layer_norm_rms_epsilon", nil),
      ("ouro.attention.layer_norm_rms_epsilon", .float32(.nan)),
      ("ouro.rope.freq_base", .float32(0)), ("ouro.num_loops", .uint32(0)), ("ouro.num_loops", .uint32(9)),
      ("ouro.skip_loop_final_norm", .bool(true)), ("ouro.early_exit_threshold", .float32(2)),
      ("ouro.rope.scaling.type", .string("yarn")), ("ouro.rope.scaling.factor", .float32(4)),
      ("ouro.attention.sliding_window", .uint32(128)), ("ouro.expert_count", .uint32(8)),
      ("ouro.logit_scale", .float32(0.5)), ("split.count", .uint16(2)),
    ]
    for (key, value) in cases {
      let fault = try #require(
        Self.gguf(TinyCheckpoint.ouro, key, value), "\(key) \(String(describing: value))")
      #expect(fault.file.hasSuffix("n.gguf") && fault.place != nil, "\(fault)")
    }
    for key in [
      "ouro.num_loops", "ouro.rope.freq_base", "ouro.early_exit_threshold", "ouro.vocab_size",
      "ouro.attention.key_length",
    ] {
      #expect(Self.gguf(TinyCheckpoint.ouro, key, nil) == nil, "\(key)")
    }
  }

  // MARK: Damage at random

  /// Damaged GGUF models: an error of ours, or a model.
  @Test func damagedGGUFFiles() throws {
    let folder = try TestFolder()
    var small = TinyCheckpoint.ouro
    small.vocabularySize = 8
    small.layers = 1
    _ = try MemorySource(LanguageModel.random(small), name: "r").writeGGUF(
      to: folder.file("m.gguf"), type: .q41, name: "m",
      tokenizer: [("tokenizer.ggml.tokens", .array(GGUFArray(["a", "b"])))])
    let whole = [UInt8](try #require(FileManager.default.contents(atPath: folder.file("m.gguf"))))
    Fuzzing.mutate(whole, keep: 4, cases: 500) { bytes in
      do {
        let file = try GGUFFile(bytes: .copy(bytes))
        let source = try GGUFSource(file: file)
        _ = try TokenizerData(gguf: file, vocabularySize: source.configuration.vocabularySize)
        _ = try LanguageModel(source)
      } catch {
        #expect(error is GGUFError || error is ModelFileError || error is ModelShapeError, "\(error)")
      }
    }
  }

  @Test func damagedConfigurations() {
    Fuzzing.mutate(Array(ConfigurationFileTests.ouro.utf8), cases: 2000) { bytes in
      do {
        let json = try JSONValue.object(Data(bytes), file: "config.json")
        _ = try ModelConfiguration(
          huggingFace: json, file: "config.json", hasReadout: true, hasExitGate: true)
      } catch {
        #expect(error is ModelFileError, "\(error)")
      }
    }
  }

  @Test func damagedIndices() throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"), partBytes: 100_000)
    let path = folder.file("m/model.safetensors.index.json")
    let whole = [UInt8](try #require(FileManager.default.contents(atPath: path)))
    try Fuzzing.mutate(whole, cases: 200) { bytes in
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do { _ = try LanguageModel(HuggingFaceSource(folder: folder.file("m"))) } catch {
        #expect(error is ModelFileError || error is SafetensorsError || error is ModelShapeError, "\(error)")
      }
    }
  }

  /// Damaged headers of weights beside a good configuration.
  @Test func damagedCheckpoints() throws {
    let folder = try TestFolder()
    var small = TinyCheckpoint.ouro
    small.vocabularySize = 8
    small.layers = 1
    try TinyCheckpoint.write(small, to: folder.file("m"))
    let path = folder.file("m/model.safetensors")
    let whole = [UInt8](try #require(FileManager.default.contents(atPath: path)))
    let header = 8 + whole[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    try Fuzzing.mutate(Array(whole[..<header]), keep: 0, cases: 300) { bytes in
      try Data(bytes + whole[header...]).write(to: URL(fileURLWithPath: path))
      do { _ = try LanguageModel(HuggingFaceSource(folder: folder.file("m"))) } catch {
        #expect(error is ModelFileError || error is SafetensorsError || error is ModelShapeError, "\(error)")
      }
    }
  }
}
