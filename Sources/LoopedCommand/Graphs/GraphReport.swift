import Foundation
import GraphAlgorithms
import Reporting

/// A result for people: a table, the path asked for, and a sentence that sums it up.
struct GraphReport {
  let question: GraphQuestion
  let run: GraphRun
  /// What the graph is called.
  let name: String
  var graph: Graph { question.graph }
  private(set) var isChecked = false

  init(question: GraphQuestion, run: GraphRun, name: String) {
    self.question = question
    self.run = run
    self.name = name
  }

  /// - Throws: `CommandError` if the reference disagrees.
  mutating func check() throws {
    guard run.end == .finished else { throw CommandError("a run that was stopped cannot be checked") }
    let reference = question.algorithm.reference(
      graph, source: question.source, isFloat32: question.isFloat32)
    if let fault = question.algorithm.disagreement(
      of: run.result, with: reference, graph: graph, source: question.source, isFloat32: question.isFloat32)
    {
      throw CommandError("the result differs from the plain Swift algorithm's: \(fault)")
    }
    isChecked = true
  }

  /// Whole numbers without a point, others with up to six digits.
  static func number(_ value: Double) -> String {
    if value == .infinity { return "∞" }
    if value == value.rounded() && abs(value) < 1e15 { return String(Int(value)) }
    return String(format: "%.6g", value)
  }

  static func count(_ count: Int, _ one: String, _ many: String) -> String {
    "\(count) \(count == 1 ? one : many)"
  }

  private func list(_ nodes: some Sequence<Int>, separator: String = " ", width: Int = 70) -> String {
    var text = ""
    for node in nodes {
      let next = (text.isEmpty ? "" : separator) + graph.name(node)
      guard text.count + next.count <= width else { return text + separator + "…" }
      text += next
    }
    return text
  }

  /// - Parameter rows: the most rows to show.
  func text(rows: Int) -> String {
    // Interrupted before there was anything to show.
    guard run.result != GraphResult() else { return "" }
    if let cycle = run.result.cycle, let first = cycle.first {
      let kind = question.algorithm == .bellmanFord ? "negative cycle" : "cycle"
      let weight = graph.cycleEdges(run.result).reduce(0) { $0 + graph.edges[$1].weight }
      return "\(kind): \(list(cycle + [first], separator: " → ", width: 400))"
        + (question.algorithm == .bellmanFord ? ", weight \(Self.number(weight))" : "") + "\n"
    }
    if let target = question.target { return path(to: target, rows: rows) }
    let (table, count, summary) = table(rows: rows)
    let rest = count > rows ? "… \(count - rows) more rows (--rows 0 prints all)\n" : ""
    return table.text + rest + summary + "\n"
  }

  private func path(to target: Int, rows: Int) -> String {
    let ends = "from \(graph.name(question.source)) to \(graph.name(target))"
    guard let distances = run.result.distances, let path = graph.path(to: target, in: run.result) else {
      return "there is no path \(ends)\n"
    }
    var table = TextTable(header: ["node", "distance"])
    for node in path.prefix(rows) { table.add([graph.name(node), Self.number(distances[node])]) }
    let rest = path.count > rows ? "… \(path.count - rows) more rows (--rows 0 prints all)\n" : ""
    return table.text + rest
      + "\(ends): distance \(Self.number(distances[target])), \(Self.count(path.count - 1, "edge", "edges"))\n"
  }

  private typealias Rows = (table: TextTable, count: Int, summary: String)

  private func table(rows: Int) -> Rows {
    switch question.algorithm {
    case .dijkstra, .bfs, .bellmanFord: distanceTable(rows)
    case .dfs: orderTable(rows, header: ["visit", "node", "from"])
    case .topologicalOrder: orderTable(rows, header: ["place", "node"])
    case .scc, .components: componentTable(rows)
    case .minimumSpanningTree: treeTable(rows)
    case .pageRank: rankTable(rows)
    }
  }

  private func distanceTable(_ rows: Int) -> Rows {
    let distances = run.result.distances ?? []
    let predecessors = run.result.predecessors ?? []
    var table = TextTable(header: ["node", "distance", "over"])
    for node in distances.indices.prefix(rows) {
      let before = predecessors[node] == node ? "" : graph.name(predecessors[node])
      table.add([graph.name(node), Self.number(distances[node]), before])
    }
    let reached = distances.indices.filter { distances[$0] < .infinity }
    let farthest = reached.max { distances[$0] < distances[$1] }
    let end = farthest.map { "; the farthest is \(graph.name($0)) at \(Self.number(distances[$0]))" } ?? ""
    return (
      table, distances.count,
      "\(reached.count) of \(Self.count(graph.nodeCount, "node", "nodes")) reached\(end)"
    )
  }

  private func orderTable(_ rows: Int, header: [String]) -> Rows {
    let order = run.result.order ?? []
    let predecessors = run.result.predecessors
    var table = TextTable(header: header)
    for (place, node) in order.enumerated().prefix(rows) {
      let before = predecessors.map { $0[node] == node ? "" : graph.name($0[node]) }
      table.add([String(place + 1), graph.name(node)] + (header.count > 2 ? [before ?? ""] : []))
    }
    let roots = predecessors.map { list in list.indices.reduce(0) { $0 + (list[$1] == $1 ? 1 : 0) } }
    let trees = roots.map { " in \(Self.count($0, "tree", "trees"))" } ?? ""
    return (table, order.count, Self.count(order.count, "node", "nodes") + trees)
  }

  private func componentTable(_ rows: Int) -> Rows {
    let components = run.result.components ?? []
    var members: [Int: [Int]] = [:]
    for (node, component) in components.enumerated() { members[component, default: []].append(node) }
    let sorted = members.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    var table = TextTable(header: ["component", "nodes", "members"])
    for (component, nodes) in sorted.prefix(rows) {
      table.add([graph.name(component), String(nodes.count), list(nodes)])
    }
    let largest = sorted.first.map { ", the largest of \(Self.count($0.value.count, "node", "nodes"))" } ?? ""
    return (table, sorted.count, Self.count(sorted.count, "component", "components") + largest)
  }

  private func treeTable(_ rows: Int) -> Rows {
    let predecessors = run.result.predecessors ?? []
    let weights = run.result.distances ?? []
    var table = TextTable(header: ["from", "to", "weight"])
    let order = run.result.order ?? Array(predecessors.indices)
    let joined = order.filter { predecessors[$0] != $0 }
    for node in joined.prefix(rows) {
      table.add([graph.name(predecessors[node]), graph.name(node), Self.number(weights[node])])
    }
    let total = weights.reduce(0, +)
    let trees = predecessors.count - joined.count
    return (
      table, joined.count,
      "weight \(Self.number(total)): \(Self.count(joined.count, "edge", "edges")) in \(Self.count(trees, "tree", "trees"))"
    )
  }

  private func rankTable(_ rows: Int) -> Rows {
    let ranks = run.result.ranks ?? []
    let sorted = ranks.indices.sorted { (ranks[$1], $0) < (ranks[$0], $1) }
    var table = TextTable(header: ["node", "rank"])
    for node in sorted.prefix(rows) { table.add([graph.name(node), String(format: "%.8f", ranks[node])]) }
    return (
      table, ranks.count,
      "ranks of \(Self.count(ranks.count, "node", "nodes")), sum \(Self.number(ranks.reduce(0, +)))"
    )
  }

  /// What ran, and how fast.
  func summary(reading: Double?) -> String {
    var text =
      "\(name): \(Self.count(graph.nodeCount, "node", "nodes")), "
      + "\(Self.count(graph.edges.count, graph.isDirected ? "arc" : "edge", graph.isDirected ? "arcs" : "edges")), "
      + (reading.map { String(format: "read in %.3f s", $0) + "\n" } ?? "")
      + "\(question.algorithm.rawValue) \(run.end.rawValue)"
    if let loops = run.loops, let network = run.network {
      text +=
        " after \(Self.count(loops, "loop", "loops")) of \(Self.count(network.layers, "layer", "layers")), "
        + "width \(network.width), \(network.parameters) weights (digest \(network.digest))"
    } else {
      text += " in plain Swift"
    }
    return text + ", \(question.isFloat32 ? "float32" : "float64")" + String(format: ": %.3f s", run.seconds)
  }
}
