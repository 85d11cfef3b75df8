import TextFiles

/// One line of JSON Lines: a node-link graph, and perhaps the node to start from as its member `source`.
public struct GraphLine: Sendable {
  public var graph: GraphSource
  /// A node's name.
  public var source: String?

  /// - Parameters:
  ///   - bytes: the line, without its newline.
  ///   - number: which line of `file` it is, counted from 1, for messages.
  /// - Throws: `SourceError` at that line.
  /// - Complexity: O(bytes).
  public init(_ bytes: [UInt8], file: String, number: Int, isDirected: Bool? = nil) throws {
    do {
      let text = GraphText(bytes, file: file)
      graph = try GraphReaders.json(text)
      if let isDirected { graph.graph.isDirected = isDirected }
      graph.negativeEdge?.line = number
      graph.fractionalEdge?.line = number
      graph.heaviestEdge?.line = number
      var scanner = JSONScanner(text)
      scanner.skipSpace()
      var source: String?
      try scanner.object { scanner, key in
        guard key == Array("source".utf8) else { return try scanner.skipValue() }
        guard source == nil else { throw scanner.text.error("a second source") }
        source = String(decoding: try scanner.name(), as: UTF8.self)
      }
      self.source = source
    } catch var error as SourceError {
      error.line = number
      throw error
    }
  }
}
