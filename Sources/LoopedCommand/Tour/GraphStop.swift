import Construction
import Foundation
import GraphAlgorithms
import Reporting

/// Graph algorithms on a little town and on a larger road map, compared with the plain algorithms.
struct GraphStop: TourStop {
  let title = "Graph algorithms (de Luca & Fountoulakis 2024)"

  func run(_ section: inout TourSection) throws {
    let town = try Graph.read(GraphLibrary.town, file: "town.gr", format: .dimacs)
    for algorithm in GraphAlgorithm.allCases {
      section.add(try row(algorithm, .compact, town, name: "town", source: "1").row)
    }
    for algorithm in [GraphAlgorithm.dijkstra, .bfs, .dfs, .scc] {
      section.add(try row(algorithm, .paper, town, name: "town", source: "1").row)
    }
    let roads = GraphSource(graph: Self.roads(side: 100))
    for algorithm in [GraphAlgorithm.dijkstra, .scc] {
      section.add(try row(algorithm, .compact, roads, name: "10,000 crossings", source: "0").row)
    }
    section.paragraph(
      "One loop of Dijkstra's network: one head finds the nearest node that is not done – attention is a minimum over "
        + "all nodes –, a graph head tells its neighbours, another compares their old distance with the new one. Play it, "
        + "or step with the arrow keys:")
    var events: [GraphEvent] = []
    let shown = try row(.dijkstra, .compact, town, name: "town", source: "1") { events.append($0) }
    section.picture(try GraphPicture(shown.report).markup(events))
  }

  private func row(
    _ algorithm: GraphAlgorithm, _ network: GraphNetwork, _ file: GraphSource, name: String, source: String,
    observe: GraphRun.Observer? = nil
  ) throws -> (row: TourRow, report: GraphReport) {
    let isOrder = algorithm == .topologicalOrder
    let question = try GraphQuestion(algorithm, file, source: algorithm.needsSource ? source : nil)
    guard let constructed = try network.constructed(question) else { throw TourFailure("no network") }
    let digest = constructed.digest
    let run = try GraphRun.run(network: network, question, observe: observe)
    var report = GraphReport(question: question, run: run, name: name)
    try report.check()
    try TourFailure.unless(constructed.digest == digest && run.end == .finished, "\(algorithm) did not end")
    let lines = report.text(rows: 0).split(separator: "\n")
    let row = TourRow(
      "\(algorithm.rawValue), \(name)\(network == .paper ? ", the paper's" : "")",
      result: isOrder ? shortened(String(lines.first ?? "")) : shortened(String(lines.last ?? "")),
      loops: run.loops ?? 0, network: constructed, checkedAgainst: "plain algorithm", seconds: run.seconds)
    return (row, report)
  }

  /// A square of crossings, each with roads to its neighbours, some of them one-way, of whole lengths.
  private static func roads(side: Int) -> Graph {
    var edges: [Graph.Edge] = []
    var number = 1
    // A linear congruential generator: the same map everywhere.
    func next(below bound: Int) -> Int {
      number = (number &* 1_103_515_245 &+ 12_345) & 0x7fff_ffff
      return (number >> 8) % bound
    }
    for node in 0..<(side * side) {
      let right = node % side < side - 1 ? node + 1 : nil
      let below = node / side < side - 1 ? node + side : nil
      for neighbor in [right, below].compactMap(\.self) {
        let weight = Double(1 + next(below: 100))
        let kind = next(below: 5)
        if kind != 0 { edges.append(Graph.Edge(node, neighbor, weight: weight)) }
        if kind != 1 { edges.append(Graph.Edge(neighbor, node, weight: weight)) }
      }
    }
    return Graph(nodeCount: side * side, edges: edges)
  }
}
