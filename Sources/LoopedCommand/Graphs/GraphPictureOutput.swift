import Foundation
import GraphAlgorithms
import Reporting

/// Where a picture goes: .svg for the result, .html for the way to it.
struct GraphPictureOutput {
  private let path: String
  private let isPage: Bool

  /// - Throws: `CommandError` for other names.
  init(path: String) throws {
    switch (path as NSString).pathExtension.lowercased() {
    case "svg": isPage = false
    case "html", "htm": isPage = true
    default: throw CommandError("cannot tell the format of \(path)", hint: "name it .svg or .html")
    }
    self.path = path
  }

  /// - Throws: `CommandError` if the graph is too large to be seen.
  func check(_ graph: Graph) throws {
    let (nodes, edges) = (GraphDrawing.largestNodeCount, GraphDrawing.largestEdgeCount)
    guard graph.nodeCount <= nodes && graph.edges.count <= edges else {
      throw CommandError(
        "a picture of \(graph.nodeCount) nodes and \(graph.edges.count) edges shows nothing",
        hint:
          "up to \(nodes) nodes and \(edges) edges are drawn; --to writes .dot and .graphml for other tools")
    }
  }

  /// Whether what every loop did is wanted.
  func isAnimated(_ graph: Graph) -> Bool { isPage && graph.nodeCount <= GraphAnimation.largestNodeCount }

  func write(_ report: GraphReport, events: [GraphEvent]) throws {
    let picture = GraphPicture(report)
    guard isPage else { return try writeFile(picture.drawing.text() + "\n", to: path) }
    var page = HTMLPage(title: picture.drawing.title)
    page.paragraph(report.summary(reading: nil))
    page.raw(try picture.markup(isAnimated(report.graph) ? events : []))
    page.preformatted(report.text(rows: 500))
    try writeFile(page.text, to: path)
  }
}

/// A graph with what an algorithm found on it, ready to be drawn.
struct GraphPicture {
  private let report: GraphReport
  let drawing: GraphDrawing

  init(_ report: GraphReport) {
    self.report = report
    let graph = report.graph
    let result = report.run.result
    let algorithm = report.question.algorithm
    let marked = Set(
      graph.treeEdges(result, takesBothWays: algorithm == .minimumSpanningTree) + graph.cycleEdges(result))
    let groups = Self.groups(result, graph.nodeCount)
    drawing = GraphDrawing(
      title: "\(algorithm.rawValue) on \(report.name)", names: (0..<graph.nodeCount).map(graph.name),
      values: Self.values(report), groups: groups,
      edges: graph.edges.enumerated().map { index, edge in
        let isInside =
          groups[edge.source] >= 0 && result.components?[edge.source] == result.components?[edge.target]
        return .init(
          source: edge.source, target: edge.target,
          label: edge.weight == 1 ? "" : GraphReport.number(edge.weight),
          isMarked: marked.contains(index) || isInside)
      },
      isDirected: graph.isDirected, root: report.question.source)
  }

  /// The drawing, or the way to it loop by loop if there are events and they fit a page.
  func markup(_ events: [GraphEvent]) throws -> String {
    let changeCount = events.reduce(0) { $0 + $1.changes.count }
    guard !events.isEmpty && changeCount <= GraphAnimation.largestChangeCount else { return drawing.text() }
    // Loops in which nothing happened to a node are left out: the paper's networks have many.
    let (algorithm, graph) = (report.question.algorithm, report.graph)
    let frames = events.enumerated().compactMap { index, event in
      event == GraphEvent()
        ? nil
        : GraphAnimation.Frame(
          number: index + 1, visited: event.visited,
          changes: event.changes.map {
            .init(node: $0.node, value: Self.value($0.value, algorithm, graph), predecessor: $0.predecessor)
          })
    }
    return try GraphAnimation.markup(drawing, frames: frames, what: report.run.loops == nil ? "step" : "loop")
  }

  private static func value(_ value: Double, _ algorithm: GraphAlgorithm, _ graph: Graph) -> String {
    switch algorithm {
    case .scc, .components: graph.name(Int(value))
    case .dfs, .topologicalOrder: String(Int(value) + 1)
    case .pageRank: String(format: "%.4f", value)
    default: GraphReport.number(value)
    }
  }

  private static func values(_ report: GraphReport) -> [String] {
    let graph = report.graph
    let result = report.run.result
    var values = [String](repeating: "", count: graph.nodeCount)
    func set(_ node: Int, _ value: Double) {
      values[node] = Self.value(value, report.question.algorithm, graph)
    }
    if let distances = result.distances {
      for node in distances.indices { set(node, distances[node]) }
    } else if let components = result.components {
      for node in components.indices { set(node, Double(components[node])) }
    } else if let order = result.order {
      for (place, node) in order.enumerated() { set(node, Double(place)) }
    } else if let ranks = result.ranks {
      for node in ranks.indices { set(node, ranks[node]) }
    }
    return values
  }

  /// Components by their size: the largest has the first colour, single nodes have none.
  private static func groups(_ result: GraphResult, _ nodeCount: Int) -> [Int] {
    guard let components = result.components else { return [Int](repeating: -1, count: nodeCount) }
    var sizes: [Int: Int] = [:]
    for component in components { sizes[component, default: 0] += 1 }
    let sorted = sizes.filter { $0.value > 1 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let group = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1.key, $0) })
    return components.map { group[$0] ?? -1 }
  }
}
