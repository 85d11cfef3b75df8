import Foundation
import LanguageModel
import Layers
import Tensors
import Testing

@testable import Pretraining

@Suite struct DecoderFileTests {
  @Test(arguments: [ModelConfiguration.tiny(), .tiny(.llama, loops: 1, keyValueHeads: 1, ties: true)])
  func foldersGoOutAndIn(_ configuration: ModelConfiguration) throws {
    let folder = try Folder()
    let model = LoopedDecoder.random(configuration)
    try DecoderFiles.save(model, to: folder.path, precision: .float32)
    let again = try DecoderFiles.load(folder.path)
    #expect(again.configuration == configuration)
    #expect(again.parameters.map(\.value.values) == model.parameters.map(\.value.values))
    // The names of the format, with the matrices cut where others have them.
    let file = try SafetensorsFile(path: folder.path + "/model.safetensors")
    let keys = configuration.keyValueHeads * 4
    #expect(file["model.layers.1.self_attn.k_proj.weight"]?.shape == [keys, 8])
    #expect(file["model.layers.0.mlp.up_proj.weight"]?.shape == [12, 8])
    #expect((file["lm_head.weight"] == nil) == configuration.tiesEmbeddings)
    #expect((file["model.early_exit_gate.bias"]?.shape == [1]) == configuration.hasExitGate)
    #expect((file["model.layers.0.input_layernorm_2.weight"] != nil) == (configuration.family == .ouro))
    #expect(file.entries.reduce(0) { $0 + $1.range.count / 4 } == configuration.parameterCount)
    // In half the bytes, to a part in 256; what was rounded once stays.
    try DecoderFiles.save(model, to: folder.path, precision: .bfloat16)
    let rounded = try DecoderFiles.load(folder.path)
    for (a, b) in zip(model.parameters, rounded.parameters) {
      for (x, y) in zip(a.value.values, b.value.values) { #expect(abs(x - y) <= abs(x) / 256) }
    }
    try DecoderFiles.save(rounded, to: folder.path, precision: .bfloat16)
    let twice = try DecoderFiles.load(folder.path)
    #expect(twice.parameters.map(\.value.values) == rounded.parameters.map(\.value.values))
  }

  @Test func foldersThatAreNoModelsAreRefusedByName() throws {
    let folder = try Folder()
    func expectRefusal(_ part: String) {
      do {
        _ = try DecoderFiles.load(folder.path)
        Issue.record("not refused: \(part)")
      } catch { #expect("\(error)".contains(folder.path) && "\(error)".contains(part), "\(error)") }
    }
    expectRefusal("config.json")
    try DecoderFiles.save(.random(.tiny()), to: folder.path, precision: .float32)
    let config = folder.path + "/config.json"
    let good = try String(contentsOfFile: config, encoding: .utf8)
    func edit(_ from: String, _ to: String) throws {
      #expect(good.contains(from), "\(from)")
      _ = try folder.write(good.replacingOccurrences(of: from, with: to), to: "config.json")
    }
    for (from, to) in [
      ("\"hidden_size\": 8", "\"hidden_size\": 60000"), ("\"hidden_size\": 8", "\"hidden_size\": -8"),
      ("\"ouro\"", "\"gpt2\""), ("\"total_ut_steps\": 3", "\"total_ut_steps\": 900"),
      ("\"intermediate_size\": 12", "\"intermediate_size\": 10"),
      ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
      ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 900"),
    ] {
      try edit(from, to)
      expectRefusal(folder.path)
    }
    _ = try folder.write(good, to: "config.json")
    _ = try folder.write("short", to: "model.safetensors")
    expectRefusal("model.safetensors")
  }
}
