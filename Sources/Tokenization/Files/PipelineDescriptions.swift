/// What tokenizer.json says of pre-tokenizers.
struct PreTokenizerDescription {
  var preTokenizer = PreTokenizer()
  /// Whether words end up in the letters of `ByteAlphabet`.
  var isByteLevel = false

  /// - Throws: `TokenizerError` for kinds that are not supported.
  init(_ node: JSONNode?) throws {
    if let node { try add(node) }
  }

  private mutating func add(_ node: JSONNode) throws {
    let type = try node.required("type")
    if isByteLevel {
      throw type.wrong(
        "\"\(try type.string)\" after \"ByteLevel\" is not supported",
        hint: "ByteLevel must be the last of a sequence")
    }
    switch try type.string {
    case "Sequence": for child in try node.required("pretokenizers").elements { try add(child) }
    case "ByteLevel":
      if try node["add_prefix_space"]?.bool ?? true { preTokenizer.stages.append(.prefixSpace) }
      if try node["use_regex"]?.bool ?? true {
        preTokenizer.stages.append(.split(.known(.gpt2), .isolated, inverted: false))
      }
      isByteLevel = true
    case "Digits":
      let isIndividual = try node["individual_digits"]?.bool ?? false
      preTokenizer.stages.append(
        .split(.numbers(most: isIndividual ? 1 : .max, isDigit: true), .isolated, inverted: false))
    case "WhitespaceSplit":
      preTokenizer.stages.append(.split(.blanks(most: .max), .removed, inverted: false))
    case "Punctuation":
      // What Unicode calls punctuation, and all that ASCII has.
      preTokenizer.stages.append(
        .split(
          .regex(try! RegexProgram(#"[\p{P}$+<=>\^`|~]"#)),
          try node["behavior"].map { try SplitBehavior($0) } ?? .isolated, inverted: false))
    case "Split":
      preTokenizer.stages.append(
        .split(
          try SplitPattern(node.required("pattern")), try SplitBehavior(node.required("behavior")),
          inverted: try node["invert"]?.bool ?? false))
    default:
      throw type.wrong(
        "the pre-tokenizer \"\(try type.string)\" is not supported",
        hint: "supported are ByteLevel, Digits, Punctuation, Split, WhitespaceSplit and sequences of them")
    }
  }
}

extension SplitBehavior {
  init(_ node: JSONNode) throws {
    guard let behavior = SplitBehavior(rawValue: try node.string) else {
      throw node.wrong(
        "\"\(try node.string)\" is not supported",
        hint: "supported are " + SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self = behavior
  }
}

extension SplitPattern {
  /// {"String": "…"} or {"Regex": "…"}
  init(_ node: JSONNode) throws {
    if let text = try node["String"] {
      guard case let bytes = Array(try text.string.utf8), !bytes.isEmpty else { throw text.wrong("is empty") }
      self = .literal(bytes)
    } else {
      let source = try node.required("Regex")
      if let known = KnownPattern(source: try source.string) {
        self = .known(known)
        return
      }
      switch try source.string {
      case #"\p{N}"#: self = .numbers(most: 1, isDigit: false)
      case #"\p{N}{1,3}"#: self = .numbers(most: 3, isDigit: false)
      case #"\p{N}+"#: self = .numbers(most: .max, isDigit: false)
      case #"\s+"#: self = .blanks(most: .max)
      default:
        do {
          self = .regex(try RegexProgram(source.string))
        } catch let error as RegexError {
          throw source.wrong("the regular expression: at character \(error.offset + 1): \(error.message)")
        }
      }
    }
  }
}

extension Normalizer {
  /// - Throws: `TokenizerError` for kinds that are not supported.
  init(_ node: JSONNode) throws {
    let type = try node.required("type")
    switch try type.string {
    case "Sequence": self = .sequence(try node.required("normalizers").elements.map { try Normalizer($0) })
    case "NFC": self = .nfc
    case "NFD": self = .nfd
    case "NFKC": self = .nfkc
    case "NFKD": self = .nfkd
    case "Lowercase": self = .lowercase
    case "Prepend": self = .prepend(try node.required("prepend").string)
    case "Replace":
      self = .replace(
        try SplitPattern(node.required("pattern")), with: Array(try node.required("content").string.utf8))
    case "Strip":
      self = .strip(
        left: try node["strip_left"]?.bool ?? true, right: try node["strip_right"]?.bool ?? true)
    default:
      throw type.wrong(
        "the normalizer \"\(try type.string)\" is not supported",
        hint: "supported are NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip and sequences of them")
    }
  }
}

extension TokenDecoder {
  /// - Throws: `TokenizerError` for kinds that are not supported.
  init(_ node: JSONNode?) throws {
    guard let node else { return }
    var steps: [Step] = []
    try Self.add(node, &steps)
    self.steps = steps
  }

  private static func add(_ node: JSONNode, _ steps: inout [Step]) throws {
    let type = try node.required("type")
    switch try type.string {
    case "Sequence": for child in try node.required("decoders").elements { try add(child, &steps) }
    case "ByteLevel": steps.append(.byteLevel)
    case "ByteFallback": steps.append(.byteFallback)
    case "Fuse": steps.append(.fuse)
    case "Replace":
      steps.append(
        .replace(
          try SplitPattern(node.required("pattern")), with: Array(try node.required("content").string.utf8)))
    case "Strip":
      let content = try node.required("content")
      let scalars = Array(try content.string.unicodeScalars)
      guard scalars.count == 1 else { throw content.wrong("a single character is expected") }
      steps.append(
        .strip(scalars[0], start: try node.required("start").count, stop: try node.required("stop").count))
    default:
      throw type.wrong(
        "the decoder \"\(try type.string)\" is not supported",
        hint: "supported are ByteLevel, ByteFallback, Fuse, Replace, Strip and sequences of them")
    }
  }
}

/// What tokenizer.json puts before and after a text.
enum PostProcessorDescription {
  /// - Throws: `TokenizerError` for kinds that are not supported.
  static func read(_ node: JSONNode?) throws -> (prefix: [TokenID], suffix: [TokenID]) {
    guard let node else { return ([], []) }
    let type = try node.required("type")
    switch try type.string {
    case "ByteLevel": return ([], [])
    case "Sequence":
      // Each puts its tokens around what the one before left.
      return try node.required("processors").elements.reduce(([], [])) { result, child in
        let (prefix, suffix) = try read(child)
        return (prefix + result.0, result.1 + suffix)
      }
    case "TemplateProcessing": return try template(node)
    case "BertProcessing", "RobertaProcessing":
      func token(_ key: String) throws -> TokenID {
        let pair = try node.required(key)
        guard case let parts = try pair.elements, parts.count == 2 else {
          throw pair.wrong("is no piece and number")
        }
        return try id(parts[1])
      }
      return ([try token("cls")], [try token("sep")])
    default:
      throw type.wrong(
        "the post-processor \"\(try type.string)\" is not supported",
        hint:
          "supported are ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing and sequences of them"
      )
    }
  }

  private static func template(_ node: JSONNode) throws -> (prefix: [TokenID], suffix: [TokenID]) {
    var prefix: [TokenID] = []
    var suffix: [TokenID] = []
    var isBefore = true
    let single = try node.required("single")
    for part in try single.elements {
      if let sequence = try part["Sequence"] {
        guard isBefore else { throw sequence.wrong("the text comes twice") }
        isBefore = false
        continue
      }
      let name = try part.required("SpecialToken").required("id")
      guard let token = try node.required("special_tokens")[name.string] else {
        throw name.wrong("\"\(try name.string)\" is not among the special_tokens")
      }
      let ids = try token.required("ids").elements.map { try id($0) }
      if isBefore { prefix += ids } else { suffix += ids }
    }
    guard !isBefore else { throw single.wrong("the text itself is missing") }
    return (prefix, suffix)
  }

  private static func id(_ node: JSONNode) throws -> TokenID {
    let id = try node.count
    guard id < 1 << 30 else { throw node.wrong("\(id) is too large") }
    return TokenID(id)
  }
}
