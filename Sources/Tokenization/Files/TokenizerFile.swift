/// What a tokenizer.json holds, before it is judged.
struct TokenizerFile {
  var addedTokens: [AddedToken] = []
  var normalizer: JSONNode?
  var preTokenizer: JSONNode?
  var postProcessor: JSONNode?
  var decoder: JSONNode?

  /// All members of `model` but the vocabulary and the merges.
  var model = JSONNode(value: .object([]), place: "model")
  var arena: [UInt8] = []
  var vocabulary: [(id: Int32, span: PieceTable.Span)] = []
  /// Where the two parts of a merge lie in `arena`.
  var merges: [(left: PieceTable.Span, right: PieceTable.Span)] = []

  /// Longer added tokens would only serve to make every search slow.
  static let longestAddedToken = 4096

  /// - Throws: `TokenizerError` without the name of the file.
  init(_ scanner: inout JSONScanner) throws {
    arena.reserveCapacity(scanner.text.count / 2)
    var seen: Set<String> = []
    var hasModel = false
    try scanner.object { scanner, key in
      guard seen.insert(key).inserted else { throw scanner.wrong("the key comes twice") }
      switch key {
      case "added_tokens": if !scanner.null() { try readAddedTokens(&scanner) }
      case "normalizer": normalizer = try Self.node(&scanner)
      case "pre_tokenizer": preTokenizer = try Self.node(&scanner)
      case "post_processor": postProcessor = try Self.node(&scanner)
      case "decoder": decoder = try Self.node(&scanner)
      case "model":
        hasModel = true
        try readModel(&scanner)
      // Truncation and padding are for batches of training; the version says nothing that the kinds do not say.
      default: try scanner.skipValue()
      }
    }
    try scanner.end()
    guard hasModel else {
      throw TokenizerError(
        file: "", message: "has no \"model\"",
        hint: "name the file tokenizer.json, not tokenizer_config.json or vocab.json")
    }
  }

  private static func node(_ scanner: inout JSONScanner) throws -> JSONNode? {
    let place = scanner.place
    let value = try scanner.value()
    return value == .null ? nil : JSONNode(value: value, place: place)
  }

  private mutating func readAddedTokens(_ scanner: inout JSONScanner) throws {
    var tokens: [AddedToken] = []
    try scanner.array { scanner in
      let node = JSONNode(value: try scanner.value(), place: scanner.place)
      func flag(_ key: String) throws -> Bool { try node[key]?.bool ?? false }
      let id = try node.required("id").count
      guard id < 1 << 30 else { throw try node.required("id").wrong("\(id) is too large") }
      let content = try node.required("content").string
      guard content.utf8.count <= Self.longestAddedToken else {
        throw try node.required("content").wrong("has more than \(Self.longestAddedToken) bytes")
      }
      let isSpecial = try flag("special")
      tokens.append(
        AddedToken(
          id: Int32(id), content: content, isSpecial: isSpecial, stripsLeft: try flag("lstrip"),
          stripsRight: try flag("rstrip"), isSingleWord: try flag("single_word"),
          isNormalized: try node["normalized"]?.bool ?? !isSpecial))
    }
    addedTokens = tokens
  }

  private mutating func readModel(_ scanner: inout JSONScanner) throws {
    var members: [JSONValue.Member] = []
    var seen: Set<String> = []
    try scanner.object { scanner, key in
      guard seen.insert(key).inserted else { throw scanner.wrong("the key comes twice") }
      switch key {
      case "vocab": try readVocabulary(&scanner)
      case "merges": try readMerges(&scanner)
      default: members.append(.init(key: key, value: try scanner.value()))
      }
    }
    model = JSONNode(value: .object(members), place: "model")
  }

  private mutating func readVocabulary(_ scanner: inout JSONScanner) throws {
    guard scanner.peek() == UInt8(ascii: "{") else {
      throw scanner.wrong(
        "an object is expected",
        hint: "only models of the type BPE are read; Unigram models have an array here")
    }
    var vocabulary: [(id: Int32, span: PieceTable.Span)] = []
    try scanner.object(keysInto: &arena) { scanner, key in
      vocabulary.append((Int32(try scanner.count(upTo: 1 << 30)), Self.span(key)))
    }
    self.vocabulary = vocabulary
  }

  private mutating func readMerges(_ scanner: inout JSONScanner) throws {
    var merges: [(left: PieceTable.Span, right: PieceTable.Span)] = []
    try scanner.array { scanner in
      let start = arena.count
      guard scanner.peek() == UInt8(ascii: "[") else {
        // "left right", as files before 2024 have it.
        try scanner.string(into: &arena)
        if merges.isEmpty, arena[start...].starts(with: "#version".utf8) { return }
        let blanks = arena[start...].indices.filter { arena[$0] == 32 }
        guard blanks.count == 1 else {
          throw scanner.wrong("a merge is two pieces with a blank between them, or an array of two")
        }
        merges.append((Self.span(start..<blanks[0]), Self.span((blanks[0] + 1)..<arena.count)))
        return
      }
      var parts: [PieceTable.Span] = []
      try scanner.array { scanner in
        guard parts.count < 2 else { throw scanner.wrong("a merge has two pieces, not more") }
        let start = arena.count
        try scanner.string(into: &arena)
        parts.append(Self.span(start..<arena.count))
      }
      guard parts.count == 2 else { throw scanner.wrong("a merge has two pieces, not \(parts.count)") }
      merges.append((parts[0], parts[1]))
    }
    self.merges = merges
  }

  private static func span(_ range: Range<Int>) -> PieceTable.Span {
    PieceTable.Span(start: UInt32(range.lowerBound), count: UInt32(range.count))
  }
}
