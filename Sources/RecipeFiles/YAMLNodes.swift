import Foundation
import TextFiles
import Yams

/// The nodes of a YAML file with their places in it, for errors that point there.
package struct YAMLNodes {
  package let source: [UInt8]
  package let file: String
  /// `nil` of an empty file.
  private let top: Node?

  /// The most bytes of a file that `bytes(of:)` reads, and of one that is taken.
  package static let sizeLimit = 1 << 20

  /// - Parameter what: what the file should be, for errors, as "a recipe".
  /// - Throws: `SourceError`.
  package init(source: [UInt8], file: String, what: String) throws {
    (self.source, self.file) = (source, file)
    func error(_ offset: Int, _ message: String) -> SourceError {
      SourceError(file: file, source: source, offset: offset, message: message)
    }
    guard source.count <= Self.sizeLimit else {
      throw error(0, "\(what) of more than \(Self.sizeLimit) bytes")
    }
    guard let text = String(validating: source, as: UTF8.self) else {
      throw error(0, "\(what) in UTF-8 is expected")
    }
    do { top = try Yams.compose(yaml: text) } catch let problem as YamlError {
      let (message, mark) = Self.explanation(of: problem)
      throw error(mark.map { Self.offset(of: $0, in: source) } ?? 0, message)
    }
  }

  /// A file's bytes, at most one more than the limit; `nil` if it cannot be read.
  package static func bytes(of path: String) -> [UInt8]? {
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: sizeLimit + 1) ?? Data()
    else { return nil }
    return Array(data)
  }

  /// The whole file; `nil` where nothing is in it.
  package var contents: Node? { top?.scalar?.string.isEmpty == true ? nil : top }

  /// The whole file. - Throws: `SourceError` where nothing is in it.
  package func root(_ what: String) throws -> Node {
    guard let top else {
      throw SourceError(file: file, source: source, offset: 0, message: "\(what) is empty")
    }
    return top
  }

  package func offset(of node: Node) -> Int { node.mark.map { Self.offset(of: $0, in: source) } ?? 0 }

  package func error(_ node: Node, _ message: String, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: source, offset: offset(of: node), message: message, hint: hint)
  }

  package func unknown(_ node: Node, _ key: String, _ known: [String]) -> SourceError {
    error(node, "unknown key '\(key.prefix(60))'", hint: "there are \(known.joined(separator: ", "))")
  }

  package func word(_ node: Node, _ key: String) throws -> String {
    guard let scalar = node.scalar else { throw error(node, "'\(key)' is one value") }
    return scalar.string.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  package func list(_ node: Node, _ key: String) throws -> [Node] {
    guard let sequence = node.sequence else { throw error(node, "'\(key)' is a list") }
    return Array(sequence)
  }

  /// Calls `body` with every key, its node and its value, in the file's order.
  package func mapping(_ node: Node, _ what: String, _ body: (String, Node, Node) throws -> Void) throws {
    guard let mapping = node.mapping else { throw error(node, "\(what) is a mapping of keys to values") }
    for (key, value) in mapping {
      guard let name = key.scalar?.string else { throw error(key, "a key is a word") }
      try body(name, key, value)
    }
  }

  /// A text as a double-quoted scalar: JSON's strings are YAML's.
  static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let data = try? encoder.encode(text)
    return data.map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }

  /// libYAML counts lines and columns from 1 here, columns in Unicode scalars.
  private static func offset(of mark: Mark, in source: [UInt8]) -> Int {
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

  private static func explanation(of error: YamlError) -> (String, Mark?) {
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
