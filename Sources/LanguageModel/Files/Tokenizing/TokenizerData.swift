import Tensors
import Tokenization

/// A model's tokenizer as its files hold it: as tokenizer.json, as the vocabulary of a GGUF file, or both.
struct TokenizerData: Sendable {
  /// The text of tokenizer.json.
  var json: [UInt8]?
  /// The vocabulary of a GGUF file.
  var vocabulary: GGUFVocabulary?
  /// The chat template in Jinja.
  var chatTemplate: String?
  var generation = GenerationDefaults()
  /// Special tokens by what they are for, such as "bos_token", where tokenizer_config.json names them.
  var specialTokens: [String: String] = [:]
  /// Where it comes from, for errors.
  var file: String

  /// The tokenizer; `nil` if the files have none.
  ///
  /// tokenizer.json says more than a GGUF vocabulary, which knows pre-tokenizers by name alone: it is taken if it is
  /// there.
  /// - Throws: `TokenizerError`.
  func tokenizer() throws -> Tokenizer? {
    if let json { return try Tokenizer(json: json, file: file) }
    return try vocabulary.map { try Tokenizer(gguf: $0, file: file) }
  }

  /// The tokens that end an answer: those that the files name, and the chat template's own end of a turn.
  ///
  /// Published files of Ouro name only <|endoftext|>, with which no turn of a chat ends.
  func endTokens(_ tokenizer: Tokenizer) -> [TokenID] {
    var tokens = Set(generation.endTokens)
    for text in ["<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>"] {
      guard let id = tokenizer.id(of: text), tokenizer.isSpecial(id) else { continue }
      if text.hasPrefix("<|end") || chatTemplate?.contains(text) == true { tokens.insert(id) }
    }
    return tokens.sorted()
  }

  /// The special tokens as a chat template finds them.
  func variables(_ tokenizer: Tokenizer) -> [String: TemplateValue] {
    var result: [String: TemplateValue] = [:]
    for (key, id) in [
      ("bos_token", generation.beginningToken), ("eos_token", generation.endTokens.first),
      ("pad_token", generation.paddingToken),
    ] {
      result[key] = id.flatMap { tokenizer.piece($0) }.map { .string($0) }
    }
    return result.merging(specialTokens.mapValues { .string($0) }) { _, named in named }
  }
}
