import Foundation
import GraphAlgorithms

/// Graph files as the command names them.
enum GraphInput {
  /// The most bytes a file may have, and a compressed one unpacked.
  static let largest = 1 << 30

  /// - Throws: `CommandError` if there is nothing to read, and what the reader throws.
  static func read(_ path: String, format: GraphFormat?, isDirected: Bool?) throws -> GraphSource {
    guard let format = format ?? GraphFormat(path: path) else {
      throw CommandError(
        "cannot tell the format of \(path == "-" ? "standard input" : path)",
        hint: "use --format \(GraphFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let bytes = try readBytes(path, limit: largest)
    return try Graph.read(
      bytes, file: path == "-" ? "standard input" : path, format: format, isDirected: isDirected,
      largest: largest)
  }
}

/// Where the graph goes with its result.
struct GraphOutput {
  private let path: String
  private let format: GraphFormat

  /// - Throws: `CommandError` for names that are none of the three formats.
  init(path: String) throws {
    guard let format = GraphFormat(path: path), [.dot, .graphML, .json].contains(format),
      !path.hasSuffix(".gz")
    else { throw CommandError("cannot tell the format of \(path)", hint: "name it .dot, .graphml or .json") }
    self.path = path
    self.format = format
  }

  func write(_ question: GraphQuestion, _ result: GraphResult) throws {
    let writer = GraphWriter(question.graph, result, of: question.algorithm)
    let text =
      switch format {
      case .dot: writer.dot
      case .graphML: writer.graphML
      default: writer.json
      }
    try writeFile(text, to: path)
  }
}

/// - Throws: `CommandError` if it cannot be written.
func writeFile(_ text: String, to path: String) throws {
  do {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  } catch {
    throw CommandError("cannot write \(path): \(error.localizedDescription)")
  }
}
