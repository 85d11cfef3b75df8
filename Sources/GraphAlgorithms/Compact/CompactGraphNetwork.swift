import Construction
import Looping

/// A graph algorithm as a looped transformer of constant width and few layers: one loop handles one node (extract-min by
/// attention over all nodes), or all nodes at once (message passing).
///
/// The weights are constants: the graph enters through the prelude (nodes' columns) and the graph heads (edges) only.
public protocol CompactGraphNetwork: Sendable {
  var algorithm: GraphAlgorithm { get }
  var network: ConstructedNetwork { get }
  /// The row of the scratchpad (column 1) with 1 + the node that the last loop extracted; `nil` for message passing.
  var extractedRow: Int? { get }

  /// The rows of the nodes' columns that hold the answer.
  var resultRows: [GraphResultRow] { get }

  /// The edges that the graph heads see, at most one between two nodes in one direction.
  func arcs(of graph: Graph) -> [Graph.Edge]
  /// The residual stream before the first loop.
  func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar>
  /// A number of loops within which the network has done its work, whatever the graph.
  func loopLimit(nodeCount: Int) -> Int
  /// A rule that ends the loop besides the fixed point.
  func haltingRules<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, as type: Scalar.Type
  ) -> [HaltingRule<ResidualStream<Scalar>>]
  /// Reads the result.
  func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult
  /// A node's value (distance, number in the order, component, rank) and predecessor in the middle of a run.
  func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int)
}

extension CompactGraphNetwork {
  public func arcs(of graph: Graph) -> [Graph.Edge] { graph.arcs }

  /// TERM: the scratchpad extracted nothing. From then on the state is a fixed point.
  public func haltingRules<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, as type: Scalar.Type
  ) -> [HaltingRule<ResidualStream<Scalar>>] {
    guard let extractedRow else { return [] }
    return [HaltingRule("TERM") { state, _ in state[extractedRow, CompactLayout.scratchpadColumn] == 0 }]
  }

  public func columnGraph(of graph: Graph) -> ColumnGraph {
    ColumnGraph(
      columnCount: CompactLayout.firstNode + graph.nodeCount,
      edges: arcs(of: graph).map {
        ColumnGraph.Edge(
          source: CompactLayout.firstNode + $0.source, target: CompactLayout.firstNode + $0.target,
          weight: $0.weight)
      })
  }
}

extension ResidualStream {
  /// The one-row field of every node.
  func values(_ field: Field) -> [Double] {
    (CompactLayout.firstNode..<columnCount).map { Double(self[field[0], $0]) }
  }

  func value(_ field: Field, _ node: Int) -> Double { Double(self[field[0], CompactLayout.firstNode + node]) }

  /// A field of index numbers as nodes; the node itself where it is 0.
  func nodes(_ field: Field) -> [Int] {
    (0..<(columnCount - CompactLayout.firstNode)).map { self.node(field, $0) }
  }

  func node(_ field: Field, _ node: Int) -> Int {
    let index = Int(self[field[0], CompactLayout.firstNode + node])
    return index == 0 ? node : index - 1
  }

  /// Nodes by the time in `field`, those without a time left out. Complexity: O(nodes).
  func order(by field: Field) -> [Int] {
    let count = columnCount - CompactLayout.firstNode
    var places = [Int](repeating: -1, count: count)
    for node in 0..<count {
      let time = Int(self[field[0], CompactLayout.firstNode + node])
      if time > 0 { places[time - 1] = node }
    }
    return places.filter { $0 >= 0 }
  }
}
