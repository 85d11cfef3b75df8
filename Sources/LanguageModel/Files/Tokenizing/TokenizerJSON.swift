import Foundation
import Tokenization

/// Between tokenizer.json and the vocabulary of GGUF files, for byte-level byte-pair encoding.
enum TokenizerJSON {
  /// The pre-tokenizers that have a name in GGUF files.
  static let preTokenizers: [(name: String, value: JSONValue)] = [
    (
      "smollm",
      .object([
        "type": .string("Sequence"),
        "pretokenizers": .array([
          .object(["type": .string("Digits"), "individual_digits": .bool(true)]), byteLevel(usesRegex: true),
        ]),
      ])
    ),
    ("gpt-2", byteLevel(usesRegex: true)), ("llama-bpe", split(digits: #"\p{N}{1,3}"#)),
    ("qwen2", split(digits: #"\p{N}"#)),
  ]

  private static func byteLevel(usesRegex: Bool) -> JSONValue {
    .object([
      "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
      "use_regex": .bool(usesRegex),
    ])
  }

  /// The pattern of Llama 3 and Qwen 2, which differ in how many digits make a word.
  private static func split(digits: String) -> JSONValue {
    let pattern =
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    return .object([
      "type": .string("Sequence"),
      "pretokenizers": .array([
        .object([
          "type": .string("Split"), "pattern": .object(["Regex": .string(pattern)]),
          "behavior": .string("Isolated"), "invert": .bool(false),
        ]),
        byteLevel(usesRegex: false),
      ]),
    ])
  }

  /// Two pre-tokenizers do the same, whatever offsets they report and whatever is left to defaults.
  private static func isSame(_ first: JSONValue, _ second: JSONValue) -> Bool {
    if let first = first.array, let second = second.array {
      return first.count == second.count && zip(first, second).allSatisfy(isSame)
    }
    guard var a = first.object, var b = second.object else { return first == second }
    for key in ["trim_offsets", "prepend_scheme"] {
      a[key] = nil
      b[key] = nil
    }
    if a["type"] == .string("ByteLevel") {
      a["use_regex"] = a["use_regex"] ?? .bool(true)
      b["use_regex"] = b["use_regex"] ?? .bool(true)
    }
    return a.keys == b.keys && a.allSatisfy { key, value in b[key].map { isSame(value, $0) } ?? false }
  }

  /// The vocabulary of a tokenizer.json. A pre-tokenizer without a name is "default"; the file itself must then go along.
  /// - Throws: `ModelFileError` for what is no byte-pair encoding, and numbers that are not those of a list.
  static func vocabulary(_ json: [UInt8], file: String) throws -> GGUFVocabulary {
    let root = try JSONValue.object(Data(json), file: file)
    func fault(_ place: String, _ message: String) -> ModelFileError {
      ModelFileError(file: file, place: place, message)
    }
    guard let model = root["model"], model["type"]?.string == "BPE", let entries = model["vocab"]?.object
    else {
      throw fault("model", "is no byte-pair encoding with a vocabulary")
    }
    let added = root["added_tokens"]?.array ?? []
    // Every number belongs to a token: more of them than tokens would be claimed, not there.
    var pieces = [String?](repeating: nil, count: entries.count + added.count)
    var types = [Int](repeating: GGUFVocabulary.TokenType.normal.rawValue, count: pieces.count)
    func set(_ piece: String, _ number: Int?, _ place: String) throws {
      guard let number, pieces.indices.contains(number), pieces[number] == nil || pieces[number] == piece
      else {
        throw fault(place, "\(JSONValue.quoted(String(piece.prefix(60)))) has no number of its own")
      }
      pieces[number] = piece
    }
    for (piece, number) in entries { try set(piece, number.integer, "model.vocab") }
    for token in added {
      guard let text = token["content"]?.string else { throw fault("added_tokens", "a token has no content") }
      try set(text, token["id"]?.integer, "added_tokens")
      let isSpecial = token["special"]?.bool ?? false
      let type: GGUFVocabulary.TokenType = isSpecial ? .control : .userDefined
      if let number = token["id"]?.integer { types[number] = type.rawValue }
    }
    let count = (pieces.lastIndex { $0 != nil } ?? -1) + 1
    let merges = try (model["merges"]?.array ?? []).map { merge -> String in
      if let text = merge.string { return text }
      guard let pair = merge.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string
      else {
        throw fault("model.merges", "a merge is no pair of pieces")
      }
      return left + " " + right
    }
    let preTokenizer = root["pre_tokenizer"] ?? .null
    return GGUFVocabulary(
      preTokenizer: preTokenizers.first { isSame($0.value, preTokenizer) }?.name ?? "default",
      // Numbers that no token has get one that no text contains.
      pieces: (0..<count).map { pieces[$0] ?? "[PAD\($0)]" }, merges: merges,
      tokenTypes: (0..<count).map { pieces[$0] == nil ? GGUFVocabulary.TokenType.unused.rawValue : types[$0] }
    )
  }

  /// The tokenizer.json of a vocabulary.
  /// - Throws: `ModelFileError` if its pre-tokenizer is not one of `preTokenizers`.
  static func make(_ vocabulary: GGUFVocabulary, file: String) throws -> JSONValue {
    func fault(_ key: String, _ message: String, hint: String? = nil) -> ModelFileError {
      ModelFileError(file: file, place: "tokenizer.ggml.\(key)", message, hint: hint)
    }
    guard vocabulary.model == "gpt2" else {
      throw fault("model", "\"\(vocabulary.model)\" is no byte-level byte-pair encoding")
    }
    let name = vocabulary.preTokenizer
    guard let preTokenizer = preTokenizers.first(where: { $0.name == name }) else {
      throw fault(
        "pre", "\"\(name)\" has no counterpart in tokenizer.json here",
        hint: "known are " + preTokenizers.map(\.name).joined(separator: ", "))
    }
    guard vocabulary.tokenTypes.isEmpty || vocabulary.tokenTypes.count == vocabulary.pieces.count else {
      throw fault(
        "token_type", "has \(vocabulary.tokenTypes.count) entries for \(vocabulary.pieces.count) tokens")
    }
    var entries: [String: JSONValue] = [:]
    var added: [JSONValue] = []
    for (number, piece) in vocabulary.pieces.enumerated() {
      let type =
        vocabulary.tokenTypes.isEmpty
        ? nil : GGUFVocabulary.TokenType(rawValue: vocabulary.tokenTypes[number])
      if type == .unused { continue }
      guard entries.updateValue(.integer(number), forKey: piece) == nil else {
        throw fault("tokens", "\(JSONValue.quoted(String(piece.prefix(60)))) is there twice")
      }
      guard type == .control || type == .userDefined else { continue }
      added.append(
        .object([
          "id": .integer(number), "content": .string(piece), "special": .bool(type == .control),
          "single_word": .bool(false), "lstrip": .bool(false), "rstrip": .bool(false),
          "normalized": .bool(false),
        ]))
    }
    return .object([
      "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": name == "qwen2" ? .object(["type": .string("NFC")]) : .null,
      "pre_tokenizer": preTokenizer.value,
      "post_processor": .null, "decoder": byteLevel(usesRegex: true),
      "model": .object([
        "type": .string("BPE"), "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": .bool(false), "byte_fallback": .bool(false),
        "ignore_merges": .bool(name == "llama-bpe"), "vocab": .object(entries),
        "merges": .array(vocabulary.merges.map { .string($0) }),
      ]),
    ])
  }
}
