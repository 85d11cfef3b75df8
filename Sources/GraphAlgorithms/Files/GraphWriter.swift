/// Writes a graph, and what an algorithm found as attributes of its nodes and edges.
///
/// Nodes get `distance` (none if infinite), `predecessor`, `order`, `component` and `rank`; edges their `weight`, and
/// `tree` if they lead from a predecessor, `cycle` if they lie on the cycle found.
public struct GraphWriter {
  private let graph: Graph
  private let result: GraphResult
  private let place: [Int]
  private let treeEdges: Set<Int>
  private let cycleEdges: Set<Int>

  public init(_ graph: Graph, _ result: GraphResult = GraphResult(), of algorithm: GraphAlgorithm? = nil) {
    self.graph = graph
    self.result = result
    var place = [Int](repeating: -1, count: graph.nodeCount)
    for (index, node) in (result.order ?? []).enumerated() { place[node] = index }
    self.place = place
    treeEdges = Set(graph.treeEdges(result, takesBothWays: algorithm == .minimumSpanningTree))
    cycleEdges = Set(graph.cycleEdges(result))
  }

  private enum Value {
    case number(Double)
    case integer(Int)
    case text(String)
    case flag
  }

  private func attributes(ofNode node: Int) -> [(name: String, value: Value)] {
    var attributes: [(String, Value)] = []
    if let distance = result.distances?[node], distance.isFinite {
      attributes.append(("distance", .number(distance)))
    }
    if let predecessor = result.predecessors?[node], predecessor != node {
      attributes.append(("predecessor", .text(graph.name(predecessor))))
    }
    if place[node] >= 0 { attributes.append(("order", .integer(place[node]))) }
    if let component = result.components?[node] {
      attributes.append(("component", .text(graph.name(component))))
    }
    if let rank = result.ranks?[node] { attributes.append(("rank", .number(rank))) }
    return attributes
  }

  private func attributes(ofEdge edge: Int) -> [(name: String, value: Value)] {
    var attributes: [(String, Value)] = [("weight", .number(graph.edges[edge].weight))]
    if treeEdges.contains(edge) { attributes.append(("tree", .flag)) }
    if cycleEdges.contains(edge) { attributes.append(("cycle", .flag)) }
    return attributes
  }

  /// Whole numbers without a point.
  static func text(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 9e15 ? String(Int(number)) : String(number)
  }

  // MARK: DOT

  public var dot: String {
    // DOT has no way to write an odd number of backslashes in front of a quote, its end, or a newline: there one more
    // is written, and such a name reads back with it.
    func id(_ text: String) -> String {
      var quoted: [UInt8] = [UInt8(ascii: "\"")]
      var backslashes = 0
      for byte in Array(text.utf8) + [UInt8(ascii: "\"")] {
        if byte == UInt8(ascii: "\\") {
          backslashes += 1
        } else {
          if backslashes % 2 == 1 && (byte == UInt8(ascii: "\"") || byte == 10) {
            quoted.append(UInt8(ascii: "\\"))
          }
          backslashes = 0
          if byte == UInt8(ascii: "\"") { quoted.append(UInt8(ascii: "\\")) }
        }
        quoted.append(byte)
      }
      quoted.remove(at: quoted.count - 2)
      return String(decoding: quoted, as: UTF8.self)
    }
    func list(_ attributes: [(name: String, value: Value)]) -> String {
      let parts = attributes.map { attribute in
        switch attribute.value {
        case .number(let number):
          "\(attribute.name)=\(Self.text(number).contains("e") ? id(Self.text(number)) : Self.text(number))"
        case .integer(let number): "\(attribute.name)=\(number)"
        case .text(let text): "\(attribute.name)=\(id(text))"
        case .flag: "\(attribute.name)=true"
        }
      }
      return parts.isEmpty ? "" : " [\(parts.joined(separator: ", "))]"
    }
    var text = (graph.isDirected ? "digraph" : "graph") + " {\n"
    for node in 0..<graph.nodeCount {
      text += "  \(id(graph.name(node)))\(list(attributes(ofNode: node)));\n"
    }
    let sign = graph.isDirected ? "->" : "--"
    for (index, edge) in graph.edges.enumerated() {
      text +=
        "  \(id(graph.name(edge.source))) \(sign) \(id(graph.name(edge.target)))\(list(attributes(ofEdge: index)));\n"
    }
    return text + "}\n"
  }

  // MARK: GraphML

  public var graphML: String {
    func escape(_ text: String) -> String {
      var escaped = ""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "\"": escaped += "&quot;"
        case "\n", "\t", "\r": escaped += "&#\(scalar.value);"
        // Other control characters cannot stand in XML at all.
        default: escaped.unicodeScalars.append(scalar.value < 32 ? "\u{FFFD}" : scalar)
        }
      }
      return escaped
    }
    func data(_ attributes: [(name: String, value: Value)]) -> String {
      attributes.map { attribute in
        let value =
          switch attribute.value {
          case .number(let number): Self.text(number)
          case .integer(let number): String(number)
          case .text(let text): escape(text)
          case .flag: "true"
          }
        return "<data key=\"\(attribute.name)\">\(value)</data>"
      }.joined()
    }
    let keys = [
      ("distance", "node", "double"), ("predecessor", "node", "string"), ("order", "node", "int"),
      ("component", "node", "string"), ("rank", "node", "double"), ("weight", "edge", "double"),
      ("tree", "edge", "boolean"), ("cycle", "edge", "boolean"),
    ]
    var text = """
      <?xml version="1.0" encoding="UTF-8"?>
      <graphml xmlns="http://graphml.graphdrawing.org/xmlns">

      """
    for (name, kind, type) in keys {
      text += "<key id=\"\(name)\" for=\"\(kind)\" attr.name=\"\(name)\" attr.type=\"\(type)\"/>\n"
    }
    text += "<graph edgedefault=\"\(graph.isDirected ? "directed" : "undirected")\">\n"
    for node in 0..<graph.nodeCount {
      text += "<node id=\"\(escape(graph.name(node)))\">\(data(attributes(ofNode: node)))</node>\n"
    }
    for (index, edge) in graph.edges.enumerated() {
      text +=
        "<edge source=\"\(escape(graph.name(edge.source)))\" target=\"\(escape(graph.name(edge.target)))\">"
        + "\(data(attributes(ofEdge: index)))</edge>\n"
    }
    return text + "</graph>\n</graphml>\n"
  }

  // MARK: JSON

  /// Node-link, as networkx reads it (`edges="links"`).
  public var json: String {
    func quoted(_ text: String) -> String {
      var quoted = "\""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case _ where scalar.value < 32:
          let digits = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: quoted.unicodeScalars.append(scalar)
        }
      }
      return quoted + "\""
    }
    func members(_ attributes: [(name: String, value: Value)]) -> String {
      attributes.map { attribute in
        let value =
          switch attribute.value {
          case .number(let number): Self.text(number)
          case .integer(let number): String(number)
          // A predecessor must equal an id, which is a number where nodes have no names.
          case .text(let text): graph.names.isEmpty ? text : quoted(text)
          case .flag: "true"
          }
        return ", \"\(attribute.name)\": \(value)"
      }.joined()
    }
    func id(_ node: Int) -> String { graph.names.isEmpty ? String(node) : quoted(graph.name(node)) }
    let nodes = (0..<graph.nodeCount).map { "  {\"id\": \(id($0))\(members(attributes(ofNode: $0)))}" }
    let links = graph.edges.enumerated().map { index, edge in
      "  {\"source\": \(id(edge.source)), \"target\": \(id(edge.target))\(members(attributes(ofEdge: index)))}"
    }
    return "{\"directed\": \(graph.isDirected), \"multigraph\": true, \"graph\": {}, \"nodes\": [\n"
      + nodes.joined(separator: ",\n") + "\n], \"links\": [\n" + links.joined(separator: ",\n") + "\n]}\n"
  }
}

extension Graph {
  /// The edges that lead from a node's predecessor to it: for each such node the lightest, the first of equal ones.
  ///
  /// - Parameter takesBothWays: whether a directed edge may be taken against its direction, as spanning trees do.
  public func treeEdges(_ result: GraphResult, takesBothWays: Bool) -> [Int] {
    guard let predecessors = result.predecessors else { return [] }
    var best = [Int](repeating: -1, count: nodeCount)
    func offer(_ edge: Int, from source: Int, to target: Int) {
      guard predecessors[target] == source, source != target else { return }
      if best[target] < 0 || edges[edge].weight < edges[best[target]].weight { best[target] = edge }
    }
    let takesBoth = !isDirected || takesBothWays
    for (index, edge) in edges.enumerated() {
      offer(index, from: edge.source, to: edge.target)
      if takesBoth { offer(index, from: edge.target, to: edge.source) }
    }
    return best.filter { $0 >= 0 }
  }

  /// For each step of the cycle found, the lightest edge that makes it.
  public func cycleEdges(_ result: GraphResult) -> [Int] {
    guard let cycle = result.cycle, let first = cycle.first else { return [] }
    var successor = [Int: Int]()
    for (node, next) in zip(cycle, cycle.dropFirst() + [first]) { successor[node] = next }
    var best = [Int: Int]()
    for (index, edge) in edges.enumerated() {
      for (source, target) in isDirected
        ? [(edge.source, edge.target)] : [(edge.source, edge.target), (edge.target, edge.source)]
      where successor[source] == target {
        if let other = best[source], edges[other].weight <= edge.weight { continue }
        best[source] = index
      }
    }
    return best.values.sorted()
  }
}
