import Construction
import Foundation
import GraphAlgorithms
import Looping
import Testing

@Suite struct CompactLimitsTests {
  /// Neighbouring digits score highest among wrong ones, so at the limit all of them are tried.
  func dialsAreToldApart<Scalar: BinaryFloatingPoint>(_ base: Int, _ type: Scalar.Type) -> Bool {
    let dials = DialCode(nodeCount: base * base)
    let codes = (0..<base).map { dials.code($0).map { Scalar($0) } }
    func score(_ a: [Scalar], _ b: [Scalar]) -> Scalar {
      var sum: Scalar = 0
      for i in 0..<4 { sum += a[i] * b[i] }
      return sum
    }
    return (0..<base).allSatisfy { digit in
      [digit + 1, digit + base - 1].allSatisfy {
        score(codes[digit], codes[digit]) > score(codes[digit], codes[$0 % base])
      }
    }
  }

  @Test func dialsHoldUpToTheirLimit() {
    let float = DialCode.largestNodeCount(ulpOfOne: Double(Float.ulpOfOne))
    let base = Int(Double(float).squareRoot())
    #expect(float > 5_000_000)
    #expect(base * base == float)
    #expect(dialsAreToldApart(base, Float.self))
    #expect(DialCode.largestNodeCount(ulpOfOne: Double.ulpOfOne) > 1_000_000_000_000)
    // Far beyond the limit rounding confuses them: the limit is not idle.
    #expect(!dialsAreToldApart(8 * base, Float.self))
  }

  @Test func codesAreDistinct() {
    for count in [1, 2, 3, 4, 5, 10, 1000] {
      let dials = DialCode(nodeCount: count)
      #expect(Set((0..<count).map { dials.code($0).map { Float($0) } }).count == count)
    }
  }

  @Test func whatCannotRunIsRefusedBeforeItRuns() {
    let machine = CompactMachine(CompactDijkstra())
    func fault(_ graph: Graph, source: Int = 0) -> CompactLimitError? {
      do {
        _ = try machine.run(on: graph, source: source)
        return nil
      } catch { return error as? CompactLimitError }
    }
    let negative = Graph.Edge(0, 1, weight: -1)
    #expect(
      fault(Graph(nodeCount: 2, edges: [negative])) == .edge(negative, "dijkstra needs weights ≥ 0"))
    let infinite = Graph.Edge(0, 1, weight: .infinity)
    #expect(fault(Graph(nodeCount: 2, edges: [infinite])) == .edge(infinite, "it must be a number"))
    #expect(fault(Graph(nodeCount: 2, edges: []), source: 2) == .noSuchNode(2, nodeCount: 2))
    #expect(fault(Graph(nodeCount: 0, edges: [])) == .noSuchNode(0, nodeCount: 0))
    #expect(fault(Graph(nodeCount: 1, edges: [.init(0, 1)])) == .noSuchNode(1, nodeCount: 1))
    #expect(
      fault(Graph(nodeCount: 2, edges: [.init(0, 1, weight: 1e30)])) == .weightsTooLarge(sum: 1e30))
    #expect(
      fault(Graph(nodeCount: 3_000_000, edges: []))
        == .tooManyNodes(3_000_000, limit: 2_097_152, dataType: "float32"))
  }

  @Test func emptyAndSingleGraphs() throws {
    for network in CompactNetworkTests.networks {
      let single = try CompactMachine(network).run(on: Graph(nodeCount: 1, edges: []), source: 0)
      #expect(single.halt != .limit)
      if !network.algorithm.needsSource {
        #expect(try CompactMachine(network).run(on: Graph(nodeCount: 0, edges: [])).halt != .limit)
      }
    }
  }

  /// TERM is a fixed point: further loops change nothing.
  @Test func furtherLoopsChangeNothing() throws {
    for network in CompactNetworkTests.networks where network.algorithm != .pageRank {
      for seed in 0..<20 {
        let graph = RandomGraphs.graph(seed: seed)
        var loop = Loop(
          body: ExactExecutor<Float>(network.network, graph: network.columnGraph(of: graph)),
          limit: network.loopLimit(nodeCount: graph.nodeCount),
          haltingRules: network.haltingRules(graph, as: Float.self))
        var state = network.prelude(graph, source: 0, as: Float.self)
        let (_, halt) = try loop.run(&state)
        #expect(halt != .limit)
        let end = state
        var dense = DenseExecutor<Float>(network.network, graph: network.columnGraph(of: graph))
        for more in 0..<3 { _ = dense.apply(to: &state, loop: more) }
        #expect(state == end, "\(network.network.name), seed \(seed)")
      }
    }
  }

  @Test func observersSeeEveryLoop() throws {
    // 0 → 1 (1), 0 → 2 (5), 1 → 2 (1)
    let graph = Graph(
      nodeCount: 3, edges: [.init(0, 1, weight: 1), .init(0, 2, weight: 5), .init(1, 2, weight: 1)])
    var reports: [CompactMachine.LoopReport] = []
    _ = try CompactMachine(CompactDijkstra()).run(on: graph, source: 0, observe: { reports.append($0) })
    #expect(reports.map(\.extracted) == [0, 1, 2, nil])
    #expect(
      reports[0].changes == [
        .init(node: 1, value: 1, predecessor: 0), .init(node: 2, value: 5, predecessor: 0),
      ])
    #expect(reports[1].changes == [.init(node: 2, value: 2, predecessor: 1)])
  }

  /// The exact executor proves that codes are told apart, and refuses where rounding would confuse them.
  @Test func codesTooCloseAreRefused() throws {
    var layout = ResidualLayout()
    let (code, value) = (layout.add("code", rows: 2), layout.add("value", rows: 1))
    var layer = LayerBuilder("layer", layout: layout)
    layer.attend(
      "own", kind: .leftmost, query: code.rows.map { .row($0) }, key: code.rows.map { .row($0) },
      outputs: [(.row(value[0]), value[0])])
    let network = ConstructedNetwork(name: "test", layout: layout, layers: [layer.build()])
    for (angle, isGood) in [(1e-2, true), (1e-4, false)] {
      var state = ResidualStream<Float>(width: layout.width, columnCount: 3)
      for column in 1..<3 {
        state[code[0], column] = Float(sin(angle * Double(column)))
        state[code[1], column] = Float(cos(angle * Double(column)))
      }
      let executor = ExactExecutor<Float>(network)
      if isGood {
        _ = try executor.apply(to: &state, loop: 0)
      } else {
        #expect(throws: ExecutionError.codesTooClose(head: "layer / own")) {
          try executor.apply(to: &state, loop: 0)
        }
      }
    }
  }
}

/// Larger graphs, on the exact executor.
@Suite struct CompactLargeGraphTests {
  /// A grid of streets, some of them closed or one-way, and as many shortcuts: about 2.5 edges per node.
  static func roads(width: Int, height: Int) -> Graph {
    var generator = SeededGenerator(seed: 7)
    var edges: [Graph.Edge] = []
    func join(_ from: Int, _ to: Int) {
      let weight = Double(Int.random(in: 1...1000, using: &generator))
      let kind = Int.random(in: 0..<10, using: &generator)
      if kind < 7 { edges.append(.init(from, to, weight: weight)) }
      if kind > 1 && kind < 8 { edges.append(.init(to, from, weight: weight)) }
    }
    for y in 0..<height {
      for x in 0..<width {
        let node = y * width + x
        if x + 1 < width { join(node, node + 1) }
        if y + 1 < height { join(node, node + width) }
      }
    }
    return Graph(nodeCount: width * height, edges: edges)
  }

  func check(_ network: any CompactGraphNetwork, _ graph: Graph, isFloat32: Bool = true) throws {
    let start = ContinuousClock.now
    let outcome = try CompactMachine(network).run(on: graph, source: 0, isFloat32: isFloat32)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if graph.nodeCount >= 100_000 {
      print(
        "\(network.network.name): \(graph.nodeCount) nodes, \(graph.edges.count) edges, \(outcome.loops) loops, \(seconds) s"
      )
    }
    let reference = network.algorithm.reference(graph, source: 0, isFloat32: isFloat32)
    #expect(
      network.algorithm.disagreement(
        of: outcome.result, with: reference, graph: graph, source: 0, isFloat32: isFloat32) == nil)
  }

  @Test(arguments: 0..<CompactNetworkTests.networks.count)
  func fiveThousandNodes(network: Int) throws {
    try check(CompactNetworkTests.networks[network], Self.roads(width: 100, height: 50))
  }

  /// Minutes on a slow machine; run with LOOPED_LARGE_GRAPHS=1.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["LOOPED_LARGE_GRAPHS"] != nil))
  func aHundredThousandNodes() throws {
    let graph = Self.roads(width: 400, height: 250)
    for network in CompactNetworkTests.networks { try check(network, graph) }
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["LOOPED_LARGE_GRAPHS"] != nil))
  func aMillionEdges() throws {
    try check(CompactDijkstra(), Self.roads(width: 700, height: 600))
  }
}
