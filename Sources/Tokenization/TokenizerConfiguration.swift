/// What tokenizer_config.json says besides the tokenizer: the chat template, and the tokens it is given by name.
public struct TokenizerConfiguration: Sendable {
  /// The source of the chat template; nil if there is none.
  public var chatTemplate: String?
  /// Other templates by name, such as "tool_use".
  public var namedTemplates: [String: String] = [:]
  /// Tokens by what they are for, such as "bos_token" and "eos_token": variables of the template.
  public var specialTokens: [String: String] = [:]
  public var addsBeginning: Bool?

  /// Reads a tokenizer_config.json.
  /// - Throws: `TokenizerError`.
  public init(contentsOf path: String) throws {
    try self.init(json: FileBytes.read(path, largest: 64 << 20), file: path)
  }

  /// Reads the bytes of a tokenizer_config.json.
  /// - Throws: `TokenizerError`.
  public init(json: [UInt8], file: String) throws {
    do {
      try json.withUnsafeBufferPointer { text in
        var scanner = try JSONScanner(text)
        try scanner.object { scanner, key in
          if key == "chat_template" || key == "add_bos_token" || key.hasSuffix("_token") {
            try read(key, JSONNode(value: scanner.value(), place: scanner.place))
          } else {
            try scanner.skipValue()
          }
        }
        try scanner.end()
      }
    } catch var error as TokenizerError {
      if error.file.isEmpty { error.file = file }
      throw error
    }
  }

  private mutating func read(_ key: String, _ node: JSONNode) throws {
    switch node.value {
    case .null: return
    case .bool(let bool):
      if key == "add_bos_token" { addsBeginning = bool }
    case .string(let text):
      if key == "chat_template" { chatTemplate = text } else { specialTokens[key] = text }
    case .array where key == "chat_template":
      for element in try node.elements {
        namedTemplates[try element.required("name").string] = try element.required("template").string
      }
      chatTemplate = chatTemplate ?? namedTemplates["default"]
    case .object where key != "chat_template":
      // An added token written out.
      specialTokens[key] = try node.required("content").string
    default: return
    }
  }

  /// The special tokens as a template finds them.
  public var variables: [String: TemplateValue] { specialTokens.mapValues { .string($0) } }
}
