import Construction

/// Connected components, edges taken both ways: one loop per node, two layers.
///
/// The scratchpad extracts reached nodes first, then the lowest of the others, which names a new component; neighbours
/// inherit the component of the node that reaches them first. So a component is named by its lowest node.
public struct CompactComponents: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.components
  public let network: ConstructedNetwork
  private let rows: CompactLayout
  private let component: Field

  public init() {
    var rows = CompactLayout()
    component = rows.integer("component")
    let (reached, assigned) = (rows.integer("reached"), rows.integer("assigned"))
    let (assigning, reach, newComponent) = (
      rows.integer("assigning"), rows.integer("reach"), rows.integer("new component")
    )
    let (wasReached, itsComponent, label) = (
      rows.integer("current reached"), rows.integer("current component"), rows.integer("label")
    )
    self.rows = rows

    var extract = rows.builder("extract")
    rows.extract(
      &extract, largest: .row(reached[0]) - CompactLayout.Magnitude.closed * .row(assigned[0]),
      reading: [(reached, wasReached), (component, itsComponent)])
    extract.relu(.row(itsComponent[0]), to: label[0])
    extract.addInteger(.row(rows.current[0]), unless: .row(wasReached[0]), to: label[0])

    var update = rows.builder("update")
    rows.notify(
      "to neighbours", &update, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [(.row(rows.found[0]), reach[0]), (.row(label[0]), newComponent[0])])
    rows.notify("itself", &update, outputs: [(.row(rows.found[0]), assigning[0])])
    update.addInteger(
      .row(newComponent[0]), unless: .row(reached[0]) + .row(assigning[0]), to: component[0])
    update.addInteger(
      .row(rows.index[0]), unless: .row(reached[0]) - .row(assigning[0]) + 1, to: component[0])
    update.relu(.row(reach[0]) - .row(reached[0]) - .row(assigning[0]), to: reached[0])
    update.relu(.row(assigning[0]) - .row(reached[0]), to: reached[0])
    update.relu(.row(assigning[0]), to: assigned[0])
    update.clear(assigning, reach, newComponent, wasReached, itsComponent, label)
    rows.finish(&update)

    network = ConstructedNetwork(
      name: "compact connected components", layout: rows.layout, layers: [extract.build(), update.build()])
  }

  public var resultRows: [GraphResultRow] { [.component(component)] }
  public var extractedRow: Int? { rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { nodeCount + 2 }
  public func arcs(of graph: Graph) -> [Graph.Edge] { graph.takenBothWays.arcs }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    rows.stream(nodeCount: graph.nodeCount)
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.components = state.nodes(component)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (Double(state.node(component, node)), node)
  }
}
