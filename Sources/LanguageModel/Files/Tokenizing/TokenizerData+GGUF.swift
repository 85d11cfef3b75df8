import Foundation
import Tensors
import Tokenization

extension TokenizerData {
  /// From the metadata of a GGUF file; without a tokenizer there, an empty one.
  /// - Throws: `ModelFileError` naming the key.
  init(gguf: GGUFFile, vocabularySize: Int) throws {
    file = gguf.file
    func fault(_ key: String, _ message: String) -> ModelFileError {
      ModelFileError(file: gguf.file, place: key, message)
    }
    func token(_ name: String) throws -> TokenID? {
      let key = "tokenizer.ggml.\(name)_token_id"
      guard let value = gguf[key: key] else { return nil }
      // llama.cpp's converters write all ones for "none".
      if value == .uint32(.max) || value == .int32(-1) { return nil }
      guard let number = value.integer, number >= 0, number < vocabularySize else {
        throw fault(key, "is no token of a vocabulary of \(vocabularySize)")
      }
      return TokenID(number)
    }
    func number(_ key: String) -> Float? { gguf[key: "general.sampling.\(key)"]?.number.map(Float.init) }
    json = gguf[key: "tokenizer.huggingface.json"]?.string.map { Array($0.utf8) }
    chatTemplate = gguf[key: "tokenizer.chat_template"]?.string
    if let model = gguf[key: "tokenizer.ggml.model"]?.string {
      guard let pieces = gguf[key: "tokenizer.ggml.tokens"]?.strings else {
        throw fault("tokenizer.ggml.tokens", "is missing, or no list of strings")
      }
      guard pieces.count <= vocabularySize else {
        throw fault(
          "tokenizer.ggml.tokens", "has \(pieces.count) tokens; the embedding has \(vocabularySize)")
      }
      let types = gguf[key: "tokenizer.ggml.token_type"]
      if types != nil, types?.integers?.count != pieces.count {
        throw fault("tokenizer.ggml.token_type", "is no list of a number for each of \(pieces.count) tokens")
      }
      vocabulary = GGUFVocabulary(
        model: model, preTokenizer: gguf[key: "tokenizer.ggml.pre"]?.string ?? "default", pieces: pieces,
        merges: gguf[key: "tokenizer.ggml.merges"]?.strings ?? [], tokenTypes: types?.integers ?? [],
        beginningOfText: try token("bos"), endOfText: try token("eos"),
        addsBeginning: gguf[key: "tokenizer.ggml.add_bos_token"]?.boolean,
        addsEnd: gguf[key: "tokenizer.ggml.add_eos_token"]?.boolean)
    }
    generation.endTokens = try [token("eos"), token("eot"), token("eom")].compactMap { $0 }
    generation.beginningToken = try token("bos")
    generation.paddingToken = try token("padding")
    generation.temperature = number("temp")
    generation.topP = number("top_p")
    generation.minP = number("min_p")
    generation.repetitionPenalty = number("penalty_repeat")
    generation.topK = gguf[key: "general.sampling.top_k"]?.integer
  }

  /// The metadata of a GGUF file that says the same.
  ///
  /// tokenizer.json goes along whole, under the key that the specification has for it: a vocabulary alone loses what
  /// pre-tokenizers without a name do.
  /// - Throws: `ModelFileError`.
  func gguf() throws -> [(key: String, value: GGUFValue)] {
    var result: [(key: String, value: GGUFValue)] = []
    func add(_ key: String, _ value: GGUFValue?) { if let value { result.append((key, value)) } }
    var vocabulary = vocabulary
    if vocabulary == nil, let json { vocabulary = try TokenizerJSON.vocabulary(json, file: file) }
    if let vocabulary {
      add("tokenizer.ggml.model", .string(vocabulary.model))
      add("tokenizer.ggml.pre", .string(vocabulary.preTokenizer))
      add("tokenizer.ggml.tokens", .array(GGUFArray(vocabulary.pieces)))
      if !vocabulary.tokenTypes.isEmpty {
        add("tokenizer.ggml.token_type", .array(GGUFArray(vocabulary.tokenTypes.map { Int32(clamping: $0) })))
      }
      add("tokenizer.ggml.merges", .array(GGUFArray(vocabulary.merges)))
      let ends = generation.endTokens
      let turn = ends.first {
        vocabulary.pieces.indices.contains(Int($0)) && vocabulary.pieces[Int($0)] == "<|im_end|>"
      }
      let end = turn ?? vocabulary.endOfText ?? ends.first
      func token(_ id: TokenID?) -> GGUFValue? { id.map { .uint32(UInt32($0)) } }
      add("tokenizer.ggml.bos_token_id", token(generation.beginningToken ?? vocabulary.beginningOfText))
      add("tokenizer.ggml.eos_token_id", token(end))
      add("tokenizer.ggml.eot_token_id", token(ends.first { $0 != end }))
      add("tokenizer.ggml.padding_token_id", token(generation.paddingToken))
      add("tokenizer.ggml.add_bos_token", .bool(vocabulary.addsBeginning ?? false))
      add("tokenizer.ggml.add_space_prefix", .bool(false))
    }
    if let json { add("tokenizer.huggingface.json", .string(String(decoding: json, as: UTF8.self))) }
    add("tokenizer.chat_template", chatTemplate.map { .string($0) })
    for (key, value) in [
      ("temp", generation.temperature), ("top_p", generation.topP), ("min_p", generation.minP),
      ("penalty_repeat", generation.repetitionPenalty),
    ] {
      add("general.sampling.\(key)", value.map { .float32($0) })
    }
    add("general.sampling.top_k", generation.topK.map { .int32(Int32(clamping: $0)) })
    return result
  }
}
