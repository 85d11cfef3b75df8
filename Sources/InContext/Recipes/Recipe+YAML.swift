import Foundation
import TextFiles
import Yams

extension Recipe {
  /// The longest recipe that is read.
  public static let sizeLimit = 1 << 20

  /// Reads a recipe file and applies the command line's settings, `key=value`, over it.
  ///
  /// - Throws: `SourceError` at the line of an unknown key, a wrong value or a contradiction.
  public init(path: String, settings: [String] = []) throws {
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: Self.sizeLimit + 1) ?? Data()
    else {
      throw SourceError(
        file: path, source: [], offset: 0, message: "the recipe cannot be read",
        hint: "recipes are YAML files, as those in Recipes/")
    }
    try self.init(yaml: Array(data), file: path, settings: settings)
  }

  /// The same from text: keys `section: {key: value}` as in `fields`.
  public init(yaml source: [UInt8], file: String, settings: [String] = []) throws {
    self.init()
    func error(_ offset: Int, _ message: String, hint: String? = nil) -> SourceError {
      SourceError(file: file, source: source, offset: offset, message: message, hint: hint)
    }
    guard source.count <= Self.sizeLimit else {
      throw error(0, "a recipe of more than \(Self.sizeLimit) bytes")
    }
    guard let text = String(validating: source, as: UTF8.self) else {
      throw error(0, "the recipe is not UTF-8")
    }
    var places: [String: Int] = [:]
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let problem as YamlError {
      let (message, mark) = Self.explanation(of: problem)
      throw error(mark.map { Self.offset(of: $0, in: source) } ?? 0, message)
    }
    func place(_ node: Node) -> Int { node.mark.map { Self.offset(of: $0, in: source) } ?? 0 }
    let fields = Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.key, $0) })
    let sections = Set(fields.keys.compactMap { $0.contains(".") ? $0.prefix { $0 != "." } : nil })

    func apply(_ key: String, _ keyNode: Node, _ value: Node) throws {
      guard let field = fields[key] else {
        throw error(place(keyNode), "unknown key '\(key)'", hint: Self.hint(key))
      }
      places[key] = place(keyNode)
      let text: String
      if let scalar = value.scalar {
        text = scalar.string
      } else if let sequence = value.sequence {
        text = try sequence.map { element in
          guard let scalar = element.scalar else {
            throw error(place(element), "'\(key)' is a list of words")
          }
          return scalar.string
        }.joined(separator: ",")
      } else {
        throw error(place(value), "'\(key)' is one value, not a mapping")
      }
      if let problem = field.set(&self, text) { throw error(place(value), "\(key): \(problem)") }
    }
    if let root, root.scalar?.string.isEmpty != true {
      guard let mapping = root.mapping else {
        throw error(place(root), "a recipe is a mapping of keys to values")
      }
      for (keyNode, value) in mapping {
        guard let key = keyNode.scalar?.string else { throw error(place(keyNode), "a key is a word") }
        if sections.contains(key[...]), let section = value.mapping {
          for (innerNode, value) in section {
            guard let inner = innerNode.scalar?.string else {
              throw error(place(innerNode), "a key is a word")
            }
            try apply("\(key).\(inner)", innerNode, value)
          }
        } else if sections.contains(key[...]) {
          throw error(place(value), "'\(key)' is a section: its keys stand below it, indented")
        } else {
          try apply(key, keyNode, value)
        }
      }
    }
    try set(settings, fields: fields)
    if let (key, problem) = contradiction {
      throw error(places[key] ?? 0, "\(key): \(problem)")
    }
  }

  private mutating func set(_ settings: [String], fields: [String: Field]) throws {
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
      // JSON's strings are YAML's double-quoted ones. A list of words is one comma-separated word here.
      let isPlain =
        !value.isEmpty
        && value.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-+".contains($0)) }
      let quoted = isPlain ? value : Self.quoted(value)
      text += parts.count == 2 ? "  \(parts[1]): \(quoted)\n" : "\(field.key): \(quoted)\n"
    }
    return text
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let data = try? encoder.encode(text)
    return data.map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }

  /// The keys with the same last word, or the sections.
  private static func hint(_ key: String) -> String {
    let word = key.split(separator: ".").last.map(String.init) ?? key
    let near = fields.map(\.key).filter { field in
      let last = field.split(separator: ".").last ?? ""
      return last.hasPrefix(word) || word.hasPrefix(last) || last.hasSuffix(word)
    }
    return near.isEmpty
      ? "`looped icl keys` lists all keys" : "did you mean \(near.joined(separator: " or "))?"
  }

  /// libYAML counts lines and columns from 1 here, columns in Unicode scalars.
  static func offset(of mark: Mark, in source: [UInt8]) -> Int {
    var (line, index) = (1, 0)
    while line < mark.line, index < source.count {
      if source[index] == 10 { line += 1 }
      index += 1
    }
    var column = 1
    while column < mark.column, index < source.count, source[index] != 10 {
      index += 1
      while index < source.count, source[index] & 0xC0 == 0x80 { index += 1 }
      column += 1
    }
    return index
  }

  static func explanation(of error: YamlError) -> (String, Mark?) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return (problem, mark)
    case .reader(let problem, _, _, _): return (problem, nil)
    case .duplicatedKeysInMapping(let duplicates, let context):
      return ("the key \(duplicates.joined(separator: ", ")) stands there twice", context.mark)
    default: return ("\(error)", nil)
    }
  }
}
