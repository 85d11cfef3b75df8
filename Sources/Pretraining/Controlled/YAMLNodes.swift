import Foundation
import TextFiles
import Yams

/// YAML nodes with places in the file, for errors that point there.
struct YAMLNodes {
  let source: [UInt8]
  let file: String
  let root: Node

  /// - Parameter what: what the file should be, for errors.
  /// - Throws: `SourceError`.
  init(source: [UInt8], file: String, limit: Int, what: String) throws {
    self.source = source
    self.file = file
    func error(_ offset: Int, _ message: String) -> SourceError {
      SourceError(file: file, source: source, offset: offset, message: message)
    }
    guard source.count <= limit else { throw error(0, "\(what) of more than \(limit) bytes") }
    guard let text = String(validating: source, as: UTF8.self) else {
      throw error(0, "the file is not UTF-8")
    }
    do {
      guard let root = try Yams.compose(yaml: text) else { throw error(0, "the file is empty") }
      self.root = root
    } catch let problem as YamlError {
      let (message, mark) = YAMLPlaces.explanation(of: problem)
      throw error(mark.map { YAMLPlaces.offset(of: $0, in: source) } ?? 0, message)
    }
  }

  func error(_ node: Node, _ message: String, hint: String? = nil) -> SourceError {
    SourceError(
      file: file, source: source, offset: node.mark.map { YAMLPlaces.offset(of: $0, in: source) } ?? 0,
      message: message, hint: hint)
  }

  func unknown(_ node: Node, _ key: String, _ known: [String]) -> SourceError {
    error(node, "unknown key '\(key.prefix(60))'", hint: "there are \(known.joined(separator: ", "))")
  }

  func word(_ node: Node, _ key: String) throws -> String {
    guard let scalar = node.scalar else { throw error(node, "'\(key)' is one value") }
    return scalar.string.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func list(_ node: Node, _ key: String) throws -> [Node] {
    guard let sequence = node.sequence else { throw error(node, "'\(key)' is a list") }
    return Array(sequence)
  }

  func mapping(_ node: Node, _ what: String, _ body: (String, Node, Node) throws -> Void) throws {
    guard let mapping = node.mapping else { throw error(node, "\(what) is a mapping of keys to values") }
    for (key, value) in mapping {
      guard let name = key.scalar?.string else { throw error(key, "a key is a word") }
      try body(name, key, value)
    }
  }
}
