import Foundation
import GraphAlgorithms
import Looping
import Testing

@testable import Serving

/// Graphs as the page runs them.
@Suite struct PageGraphTests {
  /// A graph of which no algorithm is trivial, the same every time.
  private func drawing(nodes: Int, seed: Int, isDirected: Bool) -> GraphRequest.Drawing {
    var number = seed
    func next(below bound: Int) -> Int {
      number = (number &* 1_103_515_245 &+ 12_345) & 0x7fff_ffff
      return (number >> 8) % bound
    }
    var edges: [GraphRequest.Edge] = []
    for source in 0..<nodes {
      for target in 0..<nodes where source < target && next(below: 3) == 0 {
        edges.append(.init(source: source, target: target, weight: Double(1 + next(below: 9))))
      }
    }
    return .init(
      nodes: (0..<nodes).map { .init(name: "n\($0)", x: Double(next(below: 100)) / 100, y: 0.5) },
      edges: edges,
      directed: isDirected)
  }

  @Test(arguments: GraphAlgorithm.allCases, [3, 8])
  func findsWhatThePlainAlgorithmFinds(algorithm: GraphAlgorithm, seed: Int) throws {
    let drawing = drawing(nodes: 11, seed: seed, isDirected: true)
    let answer = try GraphRequest(algorithm: algorithm.rawValue, graph: drawing, source: "n2").run()
    #expect(answer.end.halt == "finished" && answer.loops == answer.steps.count)
    let graph = Graph(
      nodeCount: 11, edges: drawing.edges.map { .init($0.source, $0.target, weight: $0.weight ?? 1) },
      names: drawing.nodes.map(\.name))
    let usesSource = algorithm.needsSource || algorithm == .dfs
    let reference = algorithm.reference(graph, source: usesSource ? 2 : 0, isFloat32: algorithm != .pageRank)
    if let distances = reference.distances {
      #expect(answer.nodes.map { $0.distance ?? .infinity } == distances)
    }
    if let order = reference.order { #expect(answer.order == order.map(graph.name)) }
    if let components = reference.components {
      #expect(answer.nodes.map(\.component) == GraphResult.lowestNodes(components).map(graph.name))
    }
    if let ranks = reference.ranks {
      for (node, rank) in zip(answer.nodes, ranks) { #expect(abs((node.rank ?? 0) - rank) < 1e-9) }
    }
    // The trace has the nodes' places, and ends with the distances.
    let scene = try #require(answer.header.graph)
    #expect(scene.places?.count == 22 && scene.edges.count == drawing.edges.count)
    #expect(scene.source == (usesSource ? 2 : nil))
    var values = answer.header.values
    for step in answer.steps { for change in step.changes { values[change.column] = change.after } }
    switch scene.value {
    case .distance: #expect(values == answer.nodes.map { $0.distance ?? -1 })
    case .rank:
      for (value, node) in zip(values, answer.nodes) { #expect(abs(value - (node.rank ?? 0)) < 1e-9) }
    case .order:
      for (place, name) in (answer.order ?? []).enumerated() {
        #expect(values[graph.names.firstIndex(of: name) ?? 0] == Double(place))
      }
    case .component:
      #expect(
        GraphResult.lowestNodes(values.map { Int($0) }).map(graph.name) == answer.nodes.map(\.component))
    }
    if algorithm == .dijkstra { #expect(answer.steps.flatMap { $0.visited ?? [] }.first == 2) }
  }

  private static func request(
    _ algorithm: String = "dijkstra", nodes: [String] = ["a", "b"],
    edges: [(Int, Int, Double)] = [(0, 1, 1)], source: String? = "a"
  ) -> GraphRequest {
    GraphRequest(
      algorithm: algorithm,
      graph: .init(
        nodes: nodes.map { .init(name: $0) },
        edges: edges.map { .init(source: $0.0, target: $0.1, weight: $0.2) }), source: source)
  }

  @Test(arguments: [
    request("nothing"), request(nodes: []), request(nodes: ["a", "a"]), request(nodes: ["a", ""]),
    request(nodes: ["a", String(repeating: "x", count: 61)]), request(edges: [(0, 2, 1)]),
    request(edges: [(-1, 0, 1)]), request(edges: [(.max, .min, 1)]), request(edges: [(0, 1, 1e300)]),
    request(edges: [(0, 1, .infinity)]), request(edges: [(0, 1, -1)]), request(source: "c"),
    request(source: nil),
    request(nodes: (0...200).map(String.init)),
    request(edges: Array(repeating: (0, 1, 1), count: 2001)),
  ])
  func refusesWhatHasNoAnswer(request: GraphRequest) throws {
    let error = try #require(throws: PageRequestError.self) { try request.run() }
    #expect(!error.message.isEmpty && error.field != nil)
  }

  @Test func runsEndInTime() throws {
    var limits = PageLimits()
    limits.seconds = 0
    let answer = try GraphRequest(
      algorithm: "dijkstra", graph: drawing(nodes: 30, seed: 1, isDirected: false), source: "n0"
    ).run(limits)
    #expect(answer.end.halt == "time limit" && answer.loops == 1)
  }

  @Test func filesAreDrawn() throws {
    let town = String(decoding: GraphLibrary.town, as: UTF8.self)
    let drawing = try GraphFileRequest(text: town, name: "town.gr").read()
    #expect(drawing.nodes.count == 18 && drawing.edges.count == 48 && drawing.directed == true)
    #expect(drawing.nodes.allSatisfy { (0...1).contains($0.x ?? -1) && (0...1).contains($0.y ?? -1) })
    // Every road there and back is an undirected graph.
    let both = try GraphFileRequest(text: "a b 3\nb a 3\nb c 1\nc b 1\n", name: "x.edges").read()
    #expect(both.directed == false && both.edges.count == 2)
    let error = try #require(throws: PageRequestError.self) {
      try GraphFileRequest(text: "p sp 2 1\na 1 9 1\n", name: "x.gr").read()
    }
    #expect(error.line == 2 && error.field == "text")
    for (text, name) in [
      ("a b", "x.unknown"), ("a b", ""), ("a b", "x.gr.gz"),
      (String(repeating: "a b\n", count: 70_000), "x.edges"),
      ((0...300).map { "\($0) \($0 + 1)\n" }.joined(), "x.edges"), ("p sp 4000000000 1\na 1 2 1\n", "x.gr"),
    ] {
      #expect(throws: PageRequestError.self) { try GraphFileRequest(text: text, name: name).read() }
    }
  }
}
