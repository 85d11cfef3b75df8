import Construction

extension PaperGraphNetwork {
  /// How to read the state of a run on `graph`, for exports. A run ends when TERM is up.
  ///
  /// - Parameter input: the run's prelude.
  public func decoding<Scalar>(
    of input: PaperInput<Scalar>, _ algorithm: GraphAlgorithm, _ graph: Graph
  ) -> StateDecoding {
    let nodes = StateDecoding.Span(1, graph.nodeCount)
    let rows: [GraphResultRow]
    var unit: Double?
    switch fields {
    case .components(let components): rows = [.component(components.ownLabel)]
    case .search(let search, _):
      let predecessor = GraphResultRow(
        "predecessor", search.predecessor, "1 + the node; its own number: none")
      if algorithm == .dijkstra {
        let distance = GraphResultRow("distance", scan.key, "\(Int(range.infinity)): there is no path")
        rows = [distance, predecessor]
        unit = Double(sign: .plus, exponent: -input.scaleExponent, significand: 1)
      } else {
        rows = [predecessor, .order(search.visitTime)]
      }
    }
    return StateDecoding(
      roles: [
        .init("global", StateDecoding.Span(0, 1)),
        .init("node", nodes, names: (0..<graph.nodeCount).map(graph.name)),
      ],
      values: rows.map { $0.values(nodes, unit: $0.name == "distance" ? unit : nil) },
      halting: .init(row: scan.terminated[0], column: 0), loopLimit: loopBound(nodes: graph.nodeCount))
  }
}
