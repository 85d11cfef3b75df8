extension Tokenizer {
  /// Reads a tokenizer.json.
  ///
  /// Memory: bounded by a few times the size of the file. Complexity: O(size of the file).
  /// - Throws: `TokenizerError`, which names the file, the keys that lead to what is wrong, and a remedy: for files that are
  ///   no JSON, contradict themselves, or ask for a model, normaliser, pre-tokenizer, post-processor or decoder of a kind
  ///   that is not supported.
  public convenience init(contentsOf path: String) throws {
    try self.init(json: FileBytes.read(path), file: path)
  }

  /// Reads the bytes of a tokenizer.json.
  /// - Parameter file: how errors call it.
  /// - Throws: as `init(contentsOf:)`.
  public convenience init(json: [UInt8], file: String) throws {
    do {
      self.init(try Self.parts(json, file))
    } catch var error as TokenizerError {
      if error.file.isEmpty { error.file = file }
      throw error
    }
  }

  private static func parts(_ json: [UInt8], _ file: String) throws -> Parts {
    var description = try json.withUnsafeBufferPointer { text in
      var scanner = try JSONScanner(text)
      return try TokenizerFile(&scanner)
    }
    let model = description.model
    if let type = try model["type"], try type.string != "BPE" {
      throw type.wrong(
        "\"\(try type.string)\" is not supported",
        hint: "only byte-pair models (BPE) are; convert the tokenizer")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let node = try model[key], try !node.string.isEmpty {
        throw node.wrong("pieces that are marked with \"\(try node.string)\" are not supported")
      }
    }
    if let dropout = try model["dropout"], dropout.value != .number(0) {
      throw dropout.wrong("is for training, and makes encoding random", hint: "set it to null")
    }
    let preTokenizer = try PreTokenizerDescription(description.preTokenizer)
    let pieces = try pieceTable(&description)
    let merges = try mergeTable(description, pieces)
    var unknown: Int32?
    if let node = try model["unk_token"] {
      unknown = try pieces.id(of: Array(node.string.utf8))
      guard unknown != nil else { throw node.wrong("\"\(try node.string)\" is not in the vocabulary") }
    }
    var parts = Parts(
      file: file,
      model: BytePairModel(
        pieces: pieces, merges: merges, isByteLevel: preTokenizer.isByteLevel,
        ignoresMerges: try model["ignore_merges"]?.bool ?? false,
        fallsBackToBytes: try model["byte_fallback"]?.bool ?? false, unknown: unknown,
        fusesUnknown: try model["fuse_unk"]?.bool ?? false))
    parts.preTokenizer = preTokenizer.preTokenizer
    parts.normalizer = try description.normalizer.map { try Normalizer($0) }
    parts.decoder = try TokenDecoder(description.decoder)
    parts.addedTokens = try added(description, pieces)
    (parts.prefix, parts.suffix) = try PostProcessorDescription.read(description.postProcessor)
    return parts
  }

  private static func pieceTable(_ description: inout TokenizerFile) throws -> PieceTable {
    let arena = description.arena
    func text(_ span: PieceTable.Span) -> String {
      let bytes = arena[Int(span.start)..<Int(span.start) + Int(min(span.count, 60))]
      return "\"\(String(decoding: bytes, as: UTF8.self))\""
    }
    func wrong(_ message: String, hint: String? = nil) -> TokenizerError {
      TokenizerError(file: "", place: "model.vocab", message: message, hint: hint)
    }
    guard !description.vocabulary.isEmpty else { throw wrong("the vocabulary is empty") }
    defer { description.arena = [] }
    do {
      return try PieceTable(arena: arena, entries: description.vocabulary)
    } catch let conflict as PieceTable.Conflict {
      switch conflict {
      case .sameNumber(let id, let first, let second):
        throw wrong("\(text(first)) and \(text(second)) have the same number, \(id)")
      case .samePiece(let span, let first, let second):
        throw wrong("\(text(span)) has two numbers, \(first) and \(second)")
      case .gap(let id, let entries):
        throw wrong("the number \(id) is too large for a vocabulary of \(entries) pieces")
      }
    }
  }

  private static func mergeTable(_ description: TokenizerFile, _ pieces: PieceTable) throws -> PairTable {
    let table = PairTable(capacity: description.merges.count)
    var joined: [UInt8] = []
    for (rank, merge) in description.merges.enumerated() {
      func wrong(_ piece: ArraySlice<UInt8>) -> TokenizerError {
        TokenizerError(
          file: "", place: "model.merges[\(rank)]",
          message: "\"\(String(decoding: piece.prefix(60), as: UTF8.self))\" is not in the vocabulary",
          hint: "the vocabulary and the merges are of different tokenizers, or the file was cut")
      }
      guard let left = pieces.id(of: pieces[merge.left]) else { throw wrong(pieces[merge.left]) }
      guard let right = pieces.id(of: pieces[merge.right]) else { throw wrong(pieces[merge.right]) }
      joined.removeAll(keepingCapacity: true)
      joined += pieces[merge.left]
      joined += pieces[merge.right]
      guard let merged = pieces.id(of: joined) else { throw wrong(joined[...]) }
      table.set(
        UInt32(bitPattern: left), UInt32(bitPattern: right),
        to: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged)))
    }
    return table
  }

  /// Checks that added tokens agree with the vocabulary and with one another.
  private static func added(_ description: TokenizerFile, _ pieces: PieceTable) throws -> [AddedToken] {
    var byID: [TokenID: String] = [:]
    var byContent: [String: TokenID] = [:]
    var result: [AddedToken] = []
    for (index, token) in description.addedTokens.enumerated() {
      func wrong(_ message: String) -> TokenizerError {
        TokenizerError(file: "", place: "added_tokens[\(index)]", message: message)
      }
      let name = "\"\(token.content.prefix(60))\""
      if token.content.isEmpty { continue }
      if let other = byID[token.id] {
        throw wrong("\(name) has the number \(token.id), and so has \"\(other.prefix(60))\"")
      }
      if let other = byContent[token.content] {
        throw wrong("\(name) has two numbers, \(other) and \(token.id)")
      }
      if let other = pieces.id(of: Array(token.content.utf8)), other != token.id {
        throw wrong("\(name) has the number \(token.id) here and \(other) in the vocabulary")
      }
      if let piece = pieces[token.id], !piece.elementsEqual(token.content.utf8) {
        throw wrong(
          "\(name) has the number \(token.id), which the vocabulary gives to "
            + "\"\(String(decoding: piece.prefix(60), as: UTF8.self))\"")
      }
      guard Int(token.id) < 2 * (pieces.count + description.addedTokens.count) + 65536 else {
        throw wrong("the number \(token.id) is too large for a vocabulary of \(pieces.count) pieces")
      }
      byID[token.id] = token.content
      byContent[token.content] = token.id
      result.append(token)
    }
    return result
  }
}
