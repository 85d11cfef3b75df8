import Foundation
import Tensors
import Testing
import Tokenization

@testable import LanguageModel

@Suite struct ModelFilesTests {
  static let text = "hé 42\n<|im_end|>"

  @Test func foldersComeWithEverything() throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    let loaded = try ModelFiles.load(folder.file("m"), loops: 2)
    #expect(loaded.model.configuration.loops == 2)
    #expect(
      loaded.tokenizer.vocabularySize == 259
        && loaded.tokenizer.decode(loaded.tokenizer.encode(Self.text)) == Self.text)
    #expect(loaded.tokenizer.encode(Self.text).last == 2)
    #expect(loaded.generation.endTokens == [0, 2] && loaded.generation.temperature == 0.7)
    #expect(loaded.templateVariables["eos_token"] == .string("<|im_end|>"))
    let prompt = try ChatTemplate(#require(loaded.chatTemplateSource)).render(
      messages: [ChatMessage(role: "user", content: "hi")], addGenerationPrompt: false)
    #expect(prompt == "<|im_start|>user\nhi<|im_end|>\n")
    #expect(loaded.description.contains("ouro") && loaded.description.contains("2 loops"))
  }

  /// Through GGUF and back, the same tokens, template and settings.
  @Test(arguments: [false, true]) func theTokenizerTravels(withoutJSON: Bool) throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    let original = try ModelFiles.load(folder.file("m"))
    var data = try OpenedModel(folder.file("m")).tokenizer
    if withoutJSON {
      data.vocabulary = try TokenizerJSON.vocabulary(try #require(data.json), file: "tokenizer.json")
      data.json = nil
    }
    _ = try HuggingFaceSource(folder: folder.file("m")).writeGGUF(
      to: folder.file("m.gguf"), type: .f32, name: "m", tokenizer: data.gguf())
    let file = try GGUFFile(path: folder.file("m.gguf"))
    #expect((file[key: "tokenizer.huggingface.json"] == nil) == withoutJSON)
    #expect(file[key: "tokenizer.ggml.pre"] == .string("smollm"))
    #expect(file[key: "tokenizer.ggml.eos_token_id"] == .uint32(2))
    _ = try ModelConversion(folder.file("m.gguf")).write(to: folder.file("back"))
    for path in ["m.gguf", "back"] {
      let loaded = try ModelFiles.load(folder.file(path))
      #expect(loaded.tokenizer.encode(Self.text) == original.tokenizer.encode(Self.text), "\(path)")
      #expect(loaded.tokenizer.addedTokens == original.tokenizer.addedTokens)
      #expect(loaded.chatTemplateSource == original.chatTemplateSource)
      #expect(loaded.generation.endTokens == [0, 2])
      #expect(loaded.generation.temperature == 0.7 && loaded.generation.topP == 0.9)
    }
  }

  @Test func modelsInMemoryAreWritten() throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    let model = LanguageModel.random(TinyCheckpoint.ouro, seed: 9)
    for name in ["n", "n.gguf"] {
      var conversion = try ModelConversion(model, name: "trained", tokenizer: folder.file("m"))
      conversion.type = .f32
      _ = try conversion.write(to: folder.file(name))
      let loaded = try ModelFiles.load(folder.file(name))
      #expect(try loaded.model.arrays == model.arrays)
      #expect(loaded.tokenizer.vocabularySize == 259 && loaded.generation.endTokens == [0, 2])
    }
    #expect(try GGUFFile(path: folder.file("n.gguf"))[key: "general.name"] == .string("trained"))
    // Without a tokenizer there are only weights.
    _ = try ModelConversion(model, name: "bare").write(to: folder.file("bare.gguf"))
    #expect(throws: ModelFileError.self) { try ModelFiles.load(folder.file("bare.gguf")) }
    #expect(try ModelFiles.weights(folder.file("bare.gguf")).arrays == model.arrays)
  }

  @Test func tokenizersOfOtherModels() throws {
    let folder = try TestFolder()
    var small = TinyCheckpoint.ouro
    small.vocabularySize = 100
    try TinyCheckpoint.write(small, to: folder.file("m"))
    #expect(throws: ModelFileError.self) { try ModelFiles.load(folder.file("m")) }
    try FileManager.default.removeItem(atPath: folder.file("m/tokenizer.json"))
    #expect(throws: ModelFileError.self) { try ModelFiles.load(folder.file("m")) }
  }

  @Test func hostileVocabularies() throws {
    func vocabulary(_ change: (inout [String: JSONValue]) -> Void) throws -> GGUFVocabulary {
      guard case .object(var root) = try JSONValue.object(Data(TinyCheckpoint.tokenizer.utf8), file: "t")
      else {
        fatalError()
      }
      change(&root)
      return try TokenizerJSON.vocabulary(Array(JSONValue.object(root).text().utf8), file: "t")
    }
    #expect(try vocabulary { _ in }.preTokenizer == "smollm")
    #expect(
      try vocabulary { $0["pre_tokenizer"] = .object(["type": .string("Metaspace")]) }.preTokenizer
        == "default")
    let models: [JSONValue] = [
      .null, .object([:]), .object(["type": .string("Unigram"), "vocab": .array([])]),
      .object(["type": .string("BPE"), "vocab": .object(["a": .integer(1 << 40)])]),
      .object(["type": .string("BPE"), "vocab": .object(["a": .integer(0), "b": .integer(0)])]),
      .object(["type": .string("BPE"), "vocab": .object(["a": .integer(-1)])]),
      .object(["type": .string("BPE"), "vocab": .object(["a": .integer(0)]), "merges": .array([.integer(1)])]
      ),
    ]
    for model in models { #expect(throws: ModelFileError.self) { try vocabulary { $0["model"] = model } } }
    for change in [{ $0.preTokenizer = "dbrx" }, { $0.model = "llama" }, { $0.pieces = ["a", "a"] }]
      as [(inout GGUFVocabulary) -> Void]
    {
      var changed = GGUFVocabulary(preTokenizer: "smollm", pieces: ["a"], merges: [])
      change(&changed)
      #expect(throws: ModelFileError.self) { try TokenizerJSON.make(changed, file: "t") }
    }
  }

  @Test func summaries() throws {
    let folder = try TestFolder()
    try TinyCheckpoint.write(TinyCheckpoint.ouro, to: folder.file("m"))
    let summary = try ModelSummary(folder.file("m"))
    #expect(
      summary.parameters == TinyCheckpoint.ouro.parameterCount && summary.loops == 3
        && summary.tokenizer == 259)
    #expect(summary.bytes == summary.parameters * 4 && summary.types.map(\.type) == ["F32"])
    #expect(
      summary.arrays.first?.name == "model.embed_tokens.weight" && summary.arrays.first?.shape == [259, 64])
  }
}
