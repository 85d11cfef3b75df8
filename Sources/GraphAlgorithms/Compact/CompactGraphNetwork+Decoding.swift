import Construction

/// A part of the answer: one number per node.
public struct GraphResultRow: Equatable, Sendable {
  /// As `looped graph --json` has it.
  public var name: String
  public var row: Int
  /// What the numbers mean, if the name does not say it.
  public var note: String?

  init(_ name: String, _ field: Field, _ note: String? = nil) {
    self.name = name
    row = field[0]
    self.note = note
  }

  static func predecessor(_ field: Field) -> GraphResultRow {
    GraphResultRow("predecessor", field, "1 + the node; 0: none")
  }
  static func order(_ field: Field) -> GraphResultRow {
    GraphResultRow("order", field, "the node's place, counted from 1; 0: none")
  }
  static func component(_ field: Field) -> GraphResultRow {
    GraphResultRow("component", field, "1 + one of the component's nodes, which names it; 0: none")
  }

  func values(_ columns: StateDecoding.Span, unit: Double? = nil) -> StateDecoding.Values {
    StateDecoding.Values(name, columns: columns, rows: StateDecoding.Span(row, 1), note: note, unit: unit)
  }
}

extension CompactGraphNetwork {
  /// How to read the state of a run on `graph`, for exports.
  ///
  /// A run ends at its fixed point, one loop after `CompactMachine` knows its end. Bellman's and Ford's limit is one more
  /// than the loops in which everything without a negative cycle settles, so that reaching it tells that there is one.
  ///
  /// - Throws: `CompactLimitError` if the graph is not one the network can run on exactly.
  public func decoding<Scalar: BinaryFloatingPoint & Sendable>(
    of graph: Graph, source: Int?, as type: Scalar.Type
  ) throws -> StateDecoding {
    try checkLimits(graph, source: source, as: type)
    let nodes = StateDecoding.Span(CompactLayout.firstNode, graph.nodeCount)
    let settling = (self as? CompactPageRank).map {
      StateDecoding.Settling(
        columns: nodes, row: $0.resultRows[0].row,
        change: $0.settledChange(nodeCount: graph.nodeCount, ulpOfOne: Double(Scalar.ulpOfOne)))
    }
    return StateDecoding(
      roles: [
        .init("sink", StateDecoding.Span(CompactLayout.sinkColumn, 1)),
        .init("scratchpad", StateDecoding.Span(CompactLayout.scratchpadColumn, 1)),
        .init("node", nodes, names: (0..<graph.nodeCount).map(graph.name)),
      ],
      values: resultRows.map { $0.values(nodes) }, settling: settling,
      loopLimit: loopLimit(nodeCount: graph.nodeCount) + 1)
  }
}
