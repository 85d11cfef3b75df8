import TextFiles

/// The formats in which graphs are read.
public enum GraphFormat: String, CaseIterable, Sendable {
  case dimacs = "gr"
  case edgeList = "edges"
  case csv
  case matrixMarket = "mtx"
  case graphML = "graphml"
  case dot
  case json

  /// By the file's extension, in front of `.gz` if it has that; `nil` if it says nothing.
  public init?(path: String) {
    var parts = path.lowercased().split(separator: ".")
    if parts.count > 1 && parts.last == "gz" { parts.removeLast() }
    guard parts.count > 1, let last = parts.last else { return nil }
    switch last {
    case "gr", "dimacs", "col": self = .dimacs
    case "txt", "edges", "edgelist", "el", "tsv", "snap": self = .edgeList
    case "csv": self = .csv
    case "mtx", "mm": self = .matrixMarket
    case "graphml", "xml": self = .graphML
    case "dot", "gv": self = .dot
    case "json": self = .json
    default: return nil
    }
  }
}

extension Graph {
  /// Reads a graph.
  ///
  /// - Parameters:
  ///   - bytes: the file, plain or compressed with gzip.
  ///   - file: its name, for messages.
  ///   - isDirected: overrides what the file says.
  ///   - largest: how many bytes a compressed text may have once it is unpacked.
  /// - Throws: `SourceError`; `GzipError`.
  /// - Complexity: O(bytes) time; O(nodes + edges) memory beside the text, whatever its header claims.
  public static func read(
    _ bytes: [UInt8], file: String, format: GraphFormat, isDirected: Bool? = nil, largest: Int = 1 << 30
  ) throws -> GraphSource {
    let isCompressed = bytes.starts(with: [0x1F, 0x8B])
    let text = GraphText(isCompressed ? try Gzip.unpack(bytes, largest: largest) : bytes, file: file)
    var source =
      switch format {
      case .dimacs: try GraphReaders.dimacs(text)
      case .edgeList: try GraphReaders.edgeList(text)
      case .csv: try GraphReaders.csv(text)
      case .matrixMarket: try GraphReaders.matrixMarket(text)
      case .graphML: try GraphReaders.graphML(text)
      case .dot: try GraphReaders.dot(text)
      case .json: try GraphReaders.json(text)
      }
    if let isDirected { source.graph.isDirected = isDirected }
    return source
  }
}
