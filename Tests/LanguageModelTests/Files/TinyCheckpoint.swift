import Foundation
import Tensors

@testable import LanguageModel

/// A folder of its own for one test.
struct TestFolder: ~Copyable {
  let path = NSTemporaryDirectory() + "looped-\(UInt64.random(in: 0 ... .max))"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  func file(_ name: String) -> String { path + "/" + name }
  func write(_ text: String, to name: String) throws {
    try text.write(toFile: file(name), atomically: false, encoding: .utf8)
  }
}

/// A checkpoint with random weights as Hugging Face lays it out: config.json, model.safetensors, tokenizer.json with
/// three special tokens and a piece for every byte.
enum TinyCheckpoint {
  static let ouro = ModelConfiguration(
    family: .ouro, vocabularySize: 259, hiddenSize: 64, layers: 2, heads: 4, keyValueHeads: 4, headSize: 16,
    intermediateSize: 96, loops: 3, contextLength: 512, ropeBase: 1e6, hasExitGate: true)
  /// Grouped queries, and heads that together are wider than the model.
  static let llama = ModelConfiguration(
    family: .llama, vocabularySize: 259, hiddenSize: 64, layers: 3, heads: 6, keyValueHeads: 2, headSize: 16,
    intermediateSize: 96, loops: 1, contextLength: 512, ropeBase: 1e5, normEpsilon: 1e-5,
    tiesEmbeddings: true,
    hasExitGate: false)
  /// Rows that are whole blocks of every type.
  static let wide = ModelConfiguration(
    family: .ouro, vocabularySize: 259, hiddenSize: 256, layers: 1, heads: 4, keyValueHeads: 2, headSize: 64,
    intermediateSize: 512, loops: 2, contextLength: 512, ropeBase: 1e6, hasExitGate: true)

  /// Writes a checkpoint, and returns the model that it holds (before the numbers are rounded to `type`).
  @discardableResult
  static func write(
    _ configuration: ModelConfiguration, to path: String, type: OutputType = .f32, partBytes: Int = .max,
    seed: UInt64 = 1
  ) throws -> LanguageModel {
    let model = LanguageModel.random(configuration, seed: seed)
    _ = try MemorySource(model, name: "random").writeHuggingFace(
      to: path, type: type, partBytes: partBytes, extraFiles: tokenizerFiles)
    return model
  }

  static var tokenizerFiles: [(name: String, contents: [UInt8])] {
    [
      ("tokenizer.json", Array(tokenizer.utf8)), ("tokenizer_config.json", Array(tokenizerConfig.utf8)),
      ("generation_config.json", Array(#"{"eos_token_id": [2, 0], "temperature": 0.7, "top_p": 0.9}"#.utf8)),
    ]
  }

  static let tokenizerConfig = #"""
    {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
     "chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"}
    """#

  /// The characters that stand for bytes in byte-level vocabularies: printable ones for themselves, the rest from 256 on.
  static let byteAlphabet: [String] = {
    let printable = Set(Array(33...126) + Array(161...172) + Array(174...255))
    var next: UInt32 = 256
    return (0..<256).map { byte in
      if printable.contains(byte) { return String(Unicode.Scalar(UInt8(byte))) }
      defer { next += 1 }
      return Unicode.Scalar(next).map { String($0) } ?? ""
    }
  }()

  static let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

  static let tokenizer: String = {
    var vocabulary: [String: JSONValue] = [:]
    for (index, piece) in (specials + byteAlphabet).enumerated() { vocabulary[piece] = .integer(index) }
    let added = specials.enumerated().map { index, text in
      JSONValue.object([
        "id": .integer(index), "content": .string(text), "special": .bool(true), "single_word": .bool(false),
        "lstrip": .bool(false), "rstrip": .bool(false), "normalized": .bool(false),
      ])
    }
    let byteLevel: [String: JSONValue] = [
      "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
      "use_regex": .bool(true),
    ]
    return JSONValue.object([
      "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": .null, "post_processor": .null, "decoder": .object(byteLevel),
      "pre_tokenizer": .object([
        "type": .string("Sequence"),
        "pretokenizers": .array([
          .object(["type": .string("Digits"), "individual_digits": .bool(true)]), .object(byteLevel),
        ]),
      ]),
      "model": .object([
        "type": .string("BPE"), "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": .bool(false), "byte_fallback": .bool(false),
        "ignore_merges": .bool(false), "vocab": .object(vocabulary), "merges": .array([]),
      ]),
    ]).text()
  }()
}

extension LanguageModel {
  /// Every array as f32, under its Hugging Face name.
  var arrays: [String: [Float]] {
    get throws {
      let source = MemorySource(self, name: "model")
      return try Dictionary(
        uniqueKeysWithValues: source.tensors().map { ($0.weight.huggingFaceName, $0.tensor.values()) })
    }
  }
}
