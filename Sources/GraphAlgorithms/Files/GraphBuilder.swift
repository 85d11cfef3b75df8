import TextFiles

/// A graph as a file says it, and where the file says what an algorithm may not like.
public struct GraphSource: Sendable {
  public var graph: Graph
  /// At the first edge of negative weight; its message is a placeholder.
  public var negativeEdge: SourceError?
  /// At the first edge whose weight is no whole number.
  public var fractionalEdge: SourceError?
  /// At the edge whose weight is farthest from zero.
  public var heaviestEdge: SourceError?
}

extension GraphSource {
  /// A graph that comes from no file: no edge can be blamed by its line.
  public init(graph: Graph) { self.graph = graph }
}

/// Collects what a reader finds; checks weights; numbers nodes.
struct GraphBuilder {
  var table = NodeTable()
  var edges: [Graph.Edge] = []
  var isDirected = true
  private var firstNegative: Int?
  private var firstFraction: Int?
  private var heaviest: (magnitude: Double, offset: Int)?

  /// - Parameter offset: of the weight, or of the edge if it has none.
  /// - Throws: `SourceError` for NaN and infinity.
  mutating func add(_ source: Int, _ target: Int, weight: Double, at offset: Int, in text: GraphText) throws {
    guard weight.isFinite else {
      throw text.error(
        weight.isNaN
          ? "the weight is not a number (NaN)" : "the weight is infinite, or too large for a double",
        at: offset, hint: "leave out an edge that cannot be used")
    }
    guard edges.count < Int(Int32.max) else { throw text.error("more than 2^31 - 1 edges", at: offset) }
    if weight < 0 && firstNegative == nil { firstNegative = offset }
    if firstFraction == nil && weight != weight.rounded() { firstFraction = offset }
    if abs(weight) > heaviest?.magnitude ?? 0 { heaviest = (abs(weight), offset) }
    edges.append(.init(source, target, weight: weight))
  }

  /// - Throws: `SourceError` if the word is no number.
  static func weight(_ range: Range<Int>, in text: GraphText) throws -> Double {
    guard let weight = text.number(range) else {
      throw text.error(
        "\(text.quoted(range)) is not a number", at: range.lowerBound,
        hint: "weights are decimal numbers such as 3, -1.5 or 2e3")
    }
    return weight
  }

  /// The graph of the nodes in the table. Names that are all whole numbers are put in ascending order, and dropped if
  /// they are 0 ..< count.
  func named(in text: GraphText) -> GraphSource {
    guard let numbers = table.numbers else {
      return source(
        Graph(
          nodeCount: table.count, isDirected: isDirected, edges: edges,
          names: (0..<table.count).map(table.name)), text)
    }
    let sorted = numbers.indices.sorted { numbers[$0] < numbers[$1] }
    var place = [Int](repeating: 0, count: sorted.count)
    for (index, node) in sorted.enumerated() { place[node] = index }
    let isPlain = sorted.isEmpty || numbers[sorted[sorted.count - 1]] == sorted.count - 1
    return source(
      Graph(
        nodeCount: table.count, isDirected: isDirected,
        edges: edges.map { .init(place[$0.source], place[$0.target], weight: $0.weight) },
        names: isPlain ? [] : sorted.map { String(numbers[$0]) }), text)
  }

  /// The graph of nodes that the file counts from 1.
  func countedFromOne(_ nodeCount: Int, in text: GraphText) -> GraphSource {
    source(
      Graph(
        nodeCount: nodeCount, isDirected: isDirected, edges: edges,
        names: nodeCount == 0 ? [] : (1...nodeCount).map(String.init)), text)
  }

  private func source(_ graph: Graph, _ text: GraphText) -> GraphSource {
    func place(_ offset: Int?) -> SourceError? { offset.map { text.error("", at: $0) } }
    return GraphSource(
      graph: graph, negativeEdge: place(firstNegative), fractionalEdge: place(firstFraction),
      heaviestEdge: place(heaviest?.offset))
  }

  /// Whether a header's number of nodes is one this text may ask memory for: a million, and one more for every byte.
  static func checkNodeCount(_ count: Int, at offset: Int, in text: GraphText) throws {
    guard count <= 1 << 20 + text.bytes.count else {
      throw text.error(
        "\(count) nodes in a file of \(text.bytes.count) bytes", at: offset,
        hint: "a file may declare 2^20 nodes, and one more for every byte it has")
    }
  }
}
