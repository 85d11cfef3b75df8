import Foundation
import Tensors
import Tokenization

extension LoadedModel {
  /// A model with random weights, and a tokenizer that reads bytes: for tests, and for measuring servers and shapes
  /// whose weights are not at hand.
  ///
  /// The first 256 tokens are the bytes; every other one writes its own number, so that answers can be read. Nothing
  /// ends an answer but its length.
  /// - Precondition: a vocabulary of at least 256 tokens.
  /// - Throws: `TokenizerError` never, as the tokenizer is made here.
  public static func random(
    _ configuration: ModelConfiguration, name: String = "random", seed: UInt64 = 1,
    format: WeightMatrix.Format = .float32, pool: WorkerPool = .shared
  ) throws -> LoadedModel {
    precondition(configuration.vocabularySize >= 256, "bytes need 256 tokens")
    let model = LanguageModel.random(configuration, seed: seed, format: format, pool: pool)
    let tokenizer = try Tokenizer(
      json: Array(bytesAndNumbers(configuration.vocabularySize).utf8), file: "tokenizer of bytes")
    return LoadedModel(
      model: model, tokenizer: tokenizer,
      description: "\(name): random weights, \(configuration.layers) layers, \(configuration.loops) loops")
  }

  /// A tokenizer.json without merges.
  private static func bytesAndNumbers(_ size: Int) -> String {
    // The alphabet of byte-level BPE: printable bytes are themselves, the others come behind U+0100.
    var next = 256
    let letters = (0..<256).map { byte -> String in
      if (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174 {
        return String(UnicodeScalar(UInt8(byte)))
      }
      defer { next += 1 }
      return String(UnicodeScalar(UInt32(next))!)
    }
    let pieces = letters + (256..<max(size, 256)).map { "\u{120}\($0)" }
    let vocabulary = pieces.enumerated().map { number, piece in
      "\(JSONValue.quoted(piece)):\(number)"
    }
    return """
      {"version":"1.0","added_tokens":[],"normalizer":null,
      "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
      "post_processor":null,"decoder":{"type":"ByteLevel"},
      "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
      "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,
      "vocab":{\(vocabulary.joined(separator: ","))},"merges":[]}}
      """
  }
}
