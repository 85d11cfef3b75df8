/// The vocabulary of a GGUF file: its `tokenizer.ggml.*` keys.
public struct GGUFVocabulary: Sendable {
  /// What a token is, as llama.cpp numbers it.
  public enum TokenType: Int, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// `tokenizer.ggml.model`: "gpt2" for byte-level byte-pair encoding, the only one that is read.
  public var model: String
  /// `tokenizer.ggml.pre`: which pre-tokenizer the vocabulary was made with.
  public var preTokenizer: String
  /// `tokenizer.ggml.tokens`
  public var pieces: [String]
  /// `tokenizer.ggml.merges`: "left right"
  public var merges: [String]
  /// `tokenizer.ggml.token_type`; empty: all are normal.
  public var tokenTypes: [Int]
  /// `tokenizer.ggml.bos_token_id` and `tokenizer.ggml.eos_token_id`
  public var beginningOfText: TokenID?
  public var endOfText: TokenID?
  /// `tokenizer.ggml.add_bos_token` and `tokenizer.ggml.add_eos_token`; nil: as the pre-tokenizer has it.
  public var addsBeginning: Bool?
  public var addsEnd: Bool?

  public init(
    model: String = "gpt2", preTokenizer: String = "default", pieces: [String], merges: [String],
    tokenTypes: [Int] = [], beginningOfText: TokenID? = nil, endOfText: TokenID? = nil,
    addsBeginning: Bool? = nil, addsEnd: Bool? = nil
  ) {
    self.model = model
    self.preTokenizer = preTokenizer
    self.pieces = pieces
    self.merges = merges
    self.tokenTypes = tokenTypes
    self.beginningOfText = beginningOfText
    self.endOfText = endOfText
    self.addsBeginning = addsBeginning
    self.addsEnd = addsEnd
  }
}

extension Tokenizer {
  /// Makes the tokenizer of a GGUF file.
  ///
  /// Control tokens and user-defined ones are found in the text before anything else, as added tokens are.
  /// - Parameter file: how errors call it.
  /// - Throws: `TokenizerError` for models that are not byte-level, unknown pre-tokenizers, and contradictions.
  public convenience init(gguf vocabulary: GGUFVocabulary, file: String) throws {
    func wrong(_ key: String, _ message: String, hint: String? = nil) -> TokenizerError {
      TokenizerError(file: file, place: "tokenizer.ggml.\(key)", message: message, hint: hint)
    }
    guard vocabulary.model == "gpt2" else {
      throw wrong(
        "model", "\"\(vocabulary.model)\" is not supported",
        hint: "only byte-level byte-pair encoding (\"gpt2\") is; convert the model from its safetensors")
    }
    guard vocabulary.tokenTypes.isEmpty || vocabulary.tokenTypes.count == vocabulary.pieces.count else {
      throw wrong(
        "token_type", "has \(vocabulary.tokenTypes.count) entries for \(vocabulary.pieces.count) tokens")
    }
    guard let preset = Self.presets[vocabulary.preTokenizer] else {
      throw wrong(
        "pre", "the pre-tokenizer \"\(vocabulary.preTokenizer)\" is not supported",
        hint: "supported are " + Self.presets.keys.sorted().joined(separator: ", "))
    }
    let pieces = try Self.pieceTable(vocabulary, file)
    let merges = PairTable(capacity: vocabulary.merges.count)
    for (rank, merge) in vocabulary.merges.enumerated() {
      // A piece may contain blanks nowhere but at its beginning, in old files: the first blank does not count.
      guard case let bytes = Array(merge.utf8), let blank = bytes.dropFirst().firstIndex(of: 32),
        let left = pieces.id(of: bytes[..<blank]), let right = pieces.id(of: bytes[(blank + 1)...]),
        let merged = pieces.id(of: bytes[..<blank] + bytes[(blank + 1)...])
      else {
        throw wrong("merges", "\(rank) (\"\(merge.prefix(60))\") is no pair of tokens whose union is a token")
      }
      // Of two equal merges the first counts.
      if merges.lookup(UInt32(bitPattern: left), UInt32(bitPattern: right)) == PairTable.missing {
        merges.set(
          UInt32(bitPattern: left), UInt32(bitPattern: right),
          to: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged)))
      }
    }
    var parts = Parts(
      file: file,
      model: BytePairModel(
        pieces: pieces, merges: merges, isByteLevel: true, ignoresMerges: preset.ignoresMerges))
    parts.preTokenizer.stages = preset.stages
    parts.normalizer = preset.normalizer
    parts.decoder.steps = [.byteLevel]
    for (id, type) in vocabulary.tokenTypes.enumerated() where !vocabulary.pieces[id].isEmpty {
      let type = GGUFVocabulary.TokenType(rawValue: type)
      guard type == .control || type == .userDefined else { continue }
      guard vocabulary.pieces[id].utf8.count <= TokenizerFile.longestAddedToken else {
        throw wrong("tokens", "\(id) has more than \(TokenizerFile.longestAddedToken) bytes")
      }
      parts.addedTokens.append(
        AddedToken(id: TokenID(id), content: vocabulary.pieces[id], isSpecial: type == .control))
    }
    func checked(_ id: TokenID?, _ key: String) throws -> TokenID? {
      guard let id else { return nil }
      guard pieces[id] != nil else { throw wrong(key, "there is no token \(id)") }
      return id
    }
    parts.endOfText = try checked(vocabulary.endOfText, "eos_token_id")
    if let beginning = try checked(vocabulary.beginningOfText, "bos_token_id"),
      vocabulary.addsBeginning ?? preset.addsBeginning
    {
      parts.prefix = [beginning]
    }
    if let end = parts.endOfText, vocabulary.addsEnd ?? false { parts.suffix = [end] }
    self.init(parts)
  }

  private static func pieceTable(_ vocabulary: GGUFVocabulary, _ file: String) throws -> PieceTable {
    var arena: [UInt8] = []
    var entries: [(id: Int32, span: PieceTable.Span)] = []
    entries.reserveCapacity(vocabulary.pieces.count)
    for (id, piece) in vocabulary.pieces.enumerated() {
      let start = arena.count
      arena += piece.utf8
      entries.append((Int32(id), .init(start: UInt32(start), count: UInt32(arena.count - start))))
    }
    do {
      return try PieceTable(arena: arena, entries: entries)
    } catch PieceTable.Conflict.samePiece(_, let first, let second) {
      throw TokenizerError(
        file: file, place: "tokenizer.ggml.tokens",
        message: "tokens \(first) and \(second) are the same piece")
    }
  }

  // MARK: Pre-tokenizers by name

  private struct Preset {
    var stages: [PreTokenizer.Stage]
    var normalizer: Normalizer?
    var ignoresMerges = false
    var addsBeginning = false
  }

  private static let presets: [String: Preset] = {
    func split(_ pattern: SplitPattern) -> PreTokenizer.Stage { .split(pattern, .isolated, inverted: false) }
    let gpt2 = Preset(stages: [split(.known(.gpt2))])
    let digits = Preset(stages: [split(.numbers(most: 1, isDigit: true)), split(.known(.gpt2))])
    let llama = Preset(
      stages: [split(.known(.cl100k(digits: 3)))], ignoresMerges: true, addsBeginning: true)
    // Qwen composes characters before anything else, although GGUF files do not say so.
    let qwen = Preset(stages: [split(.known(.cl100k(digits: 1)))], normalizer: .nfc)
    return [
      "default": gpt2, "gpt-2": gpt2, "gpt2": gpt2, "smollm": digits, "starcoder": digits, "refact": digits,
      "command-r": digits, "codeshell": digits, "llama-bpe": llama, "llama3": llama, "llama-v3": llama,
      "qwen2": qwen,
    ]
  }()
}
