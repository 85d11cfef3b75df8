import TextFiles
import Yams

extension RecipeFile {
  /// The longest recipe that is read, in bytes.
  public static var sizeLimit: Int { YAMLNodes.sizeLimit }

  /// Reads a recipe file and applies the command line's settings, `key=value`, over it.
  ///
  /// - Throws: `SourceError` at the line of an unknown key, a wrong value or a contradiction.
  public init(path: String, settings: [String] = []) throws {
    guard let bytes = YAMLNodes.bytes(of: path) else {
      throw SourceError(
        file: path, source: [], offset: 0, message: "the recipe cannot be read",
        hint: "recipes are YAML files, as those in Recipes/")
    }
    try self.init(yaml: bytes, file: path, settings: settings)
  }

  /// The same from text: keys `section: {key: value}` as in `fields`.
  public init(yaml source: [UInt8], file: String, settings: [String] = []) throws {
    self.init()
    let nodes = try YAMLNodes(source: source, file: file, what: "a recipe")
    var places: [String: Int] = [:]
    let fields = Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.key, $0) })
    let sections = Set(fields.keys.compactMap { $0.contains(".") ? String($0.prefix { $0 != "." }) : nil })

    func apply(_ key: String, _ keyNode: Node, _ value: Node) throws {
      guard let field = fields[key] else {
        throw nodes.error(keyNode, "unknown key '\(key)'", hint: Self.hint(key))
      }
      places[key] = nodes.offset(of: keyNode)
      let text: String
      if let scalar = value.scalar {
        text = scalar.string
      } else if field.isList, let sequence = value.sequence {
        text = try sequence.map { element in
          guard let scalar = element.scalar else { throw nodes.error(element, "'\(key)' is a list of words") }
          return scalar.string
        }.joined(separator: ",")
      } else {
        throw nodes.error(value, "'\(key)' is one value, not a mapping\(field.isList ? "" : " or a list")")
      }
      if let problem = field.set(&self, text) { throw nodes.error(value, "\(key): \(problem)") }
    }
    if let contents = nodes.contents {
      try nodes.mapping(contents, "a recipe") { key, keyNode, value in
        guard sections.contains(key) else { return try apply(key, keyNode, value) }
        guard value.mapping != nil else {
          throw nodes.error(value, "'\(key)' is a section: its keys stand below it, indented")
        }
        try nodes.mapping(value, key) { try apply("\(key).\($0)", $1, $2) }
      }
    }
    try set(settings)
    if let (key, problem) = contradiction {
      throw SourceError(
        file: file, source: source, offset: places[key] ?? 0, message: "\(key): \(problem)")
    }
  }

  /// Applies `key=value` settings. - Throws: `SourceError` in the setting.
  public mutating func set(_ settings: [String]) throws {
    let fields = Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.key, $0) })
    for setting in settings {
      func error(_ offset: Int, _ message: String, hint: String? = nil) -> SourceError {
        SourceError(file: "--set", source: Array(setting.utf8), offset: offset, message: message, hint: hint)
      }
      guard let equals = setting.firstIndex(of: "=") else {
        throw error(0, "a setting is KEY=VALUE", hint: "for example: --set training.steps=1000")
      }
      let key = String(setting[..<equals])
      guard let field = fields[key] else { throw error(0, "unknown key '\(key)'", hint: Self.hint(key)) }
      if let problem = field.set(&self, String(setting[setting.index(after: equals)...])) {
        throw error(setting[...equals].utf8.count, "\(key): \(problem)")
      }
    }
  }

  /// The whole recipe as YAML that reads back as the same.
  public var yaml: String {
    var (text, section) = ("", "")
    for field in Self.fields {
      let parts = field.key.split(separator: ".")
      if parts.count == 2, parts[0] != section {
        section = String(parts[0])
        text += "\(section):\n"
      }
      let value = field.get(self)
      let isPlain =
        !value.isEmpty
        && value.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-+".contains($0)) }
      let quoted = isPlain ? value : YAMLNodes.quoted(value)
      text += parts.count == 2 ? "  \(parts[1]): \(quoted)\n" : "\(field.key): \(quoted)\n"
    }
    return text
  }

  /// The keys with the same last word, or the sections.
  private static func hint(_ key: String) -> String {
    let word = key.split(separator: ".").last.map(String.init) ?? key
    let near = fields.map(\.key).filter { field in
      let last = field.split(separator: ".").last ?? ""
      return last.hasPrefix(word) || word.hasPrefix(last) || last.hasSuffix(word)
    }
    return near.isEmpty
      ? "`\(keysCommand)` lists all keys" : "did you mean \(near.joined(separator: " or "))?"
  }
}
