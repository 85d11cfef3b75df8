import Construction
import Foundation
import GraphAlgorithms
import Reporting

/// What a whole algorithm costs on road-like graphs, against their size: the exact executor of the compact networks, the
/// dense executor of the same weights, the plain Swift algorithm as the limit, and the cost of the public PyTorch model
/// (27 layers, n² iterations).
///
/// Expected before measuring: a loop of the exact executor touches the extracted node and its neighbours, some ten
/// columns of some 25 rows, so about ten microseconds; 100,000 nodes then take seconds, not minutes. Dense is n times
/// n² per loop.
struct GraphBenchmark {
  var repetitions: Int
  var sizes: [Int]
  let python: String

  static let algorithms: [GraphAlgorithm] = [.dijkstra, .bfs, .dfs, .scc]

  /// A grid with five one-way lanes for every two crossings, of whole lengths: a tree of two-way streets that reaches every
  /// crossing, and lanes between neighbours at random.
  static func roads(_ nodeCount: Int) -> Graph {
    var random = SplitMix64(state: UInt64(nodeCount))
    let side = Int(Double(nodeCount).squareRoot().rounded(.up))
    var edges: [Graph.Edge] = []
    func add(_ source: Int, _ target: Int) {
      edges.append(Graph.Edge(source, target, weight: Double(Int.random(in: 1...100, using: &random))))
    }
    for node in 1..<nodeCount {
      let neighbors = [node % side > 0 ? node - 1 : nil, node >= side ? node - side : nil].compactMap(\.self)
      let neighbor = neighbors[Int.random(in: 0..<neighbors.count, using: &random)]
      add(node, neighbor)
      add(neighbor, node)
    }
    while edges.count < nodeCount * 5 / 2 {
      let node = Int.random(in: 0..<nodeCount, using: &random)
      let target = node + [1, -1, side, -side][Int.random(in: 0..<4, using: &random)]
      if (0..<nodeCount).contains(target) { add(node, target) }
    }
    return Graph(nodeCount: nodeCount, edges: edges)
  }

  func run() throws -> BenchmarkResult {
    var rows: [ResultRow] = []
    let peer = Peer("graph_torch", python: python)
    for size in sizes {
      let graph = Self.roads(size)
      var values: [String: [Double]] = [:]
      for _ in 0..<repetitions {
        for algorithm in Self.algorithms {
          let network = algorithm.compactNetwork()
          func add(_ name: String, _ seconds: Double) {
            values["\(algorithm.rawValue) \(name)", default: []].append(seconds)
          }
          var found: GraphResult?
          add(
            "exact",
            try Clock.seconds { found = try CompactMachine(network).run(on: graph, source: 0).result })
          if size <= 256 {
            add(
              "dense",
              try Clock.seconds {
                _ = try CompactMachine(network, executor: .dense).run(on: graph, source: 0)
              })
          }
          var expected: GraphResult?
          add(
            "plain", Clock.seconds { expected = ReferenceAlgorithms<Float>(graph).run(algorithm, source: 0) })
          guard agree(algorithm, found, expected) else {
            throw Disagreement(algorithm: algorithm, size: size)
          }
        }
        // Without PyTorch's CPU build there is no such column.
        if size <= 64, let seconds = try? peer.run([String(size)])["seconds"] {
          values["dijkstra public", default: []].append(seconds)
        }
      }
      let measurements = values.mapValues { Measurement(unit: "seconds", values: $0) }
      var comparisons: [String: Comparison] = [:]
      for (name, measurement) in measurements where !name.hasSuffix("exact") {
        let algorithm = name.split(separator: " ")[0]
        if let ours = measurements["\(algorithm) exact"] {
          comparisons["\(name) / exact"] = Comparison(of: measurement, to: ours)
        }
      }
      rows.append(ResultRow(size: size, measurements: measurements, comparisons: comparisons))
      let times = Self.algorithms.map { algorithm in
        algorithm.rawValue + String(format: " %.3f s", measurements["\(algorithm.rawValue) exact"]!.median)
      }
      print("  \(size) nodes: \(times.joined(separator: ", "))")
    }
    var figures: [String: String] = ["graphs.nodes": String(rows.last!.size)]
    for algorithm in Self.algorithms {
      let seconds = rows.last!.measurements["\(algorithm.rawValue) exact"]!.median
      figures["graphs.\(algorithm.rawValue)"] = String(format: "%.1f", seconds)
    }
    if let shared = rows.last(where: { $0.comparisons["dijkstra public / exact"] != nil }) {
      figures["graphs.public.nodes"] = String(shared.size)
      figures["graphs.public.ratio"] = String(
        Int(shared.comparisons["dijkstra public / exact"]!.ratioOfMedians.rounded()))
    }
    return BenchmarkResult(
      name: "graphs", what: "Graph algorithms on road-like graphs, one core, float32", date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: [
        "exact and dense run the same compact networks, with bit-equal states (tested); results are compared with the "
          + "plain Swift algorithm in the same run.",
        "public: the shapes of the public PyTorch model for Dijkstra (27 layers, 5 heads, width 71, float64, n² "
          + "iterations) with random weights, timed for some iterations and multiplied by n²: its cost, not its results.",
        "load average at the end: \(ThisMachine.load)",
      ], figures: figures)
  }

  private func agree(_ algorithm: GraphAlgorithm, _ left: GraphResult?, _ right: GraphResult?) -> Bool {
    guard let left, let right else { return false }
    switch algorithm {
    case .dijkstra, .bfs: return left.distances == right.distances
    case .dfs: return left.order == right.order
    // The network names a component by its root.
    default: return left.components.map(GraphResult.lowestNodes) == right.components
    }
  }

  struct Disagreement: Error {
    var algorithm: GraphAlgorithm
    var size: Int
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    let columns = ["exact", "dense", "public", "plain"]
    var table = TextTable(header: ["nodes", "algorithm"] + columns.map { "\($0), s" } + ["exact / plain"])
    for row in result.rows {
      for algorithm in algorithms {
        let cells = columns.map { column in
          row.measurements["\(algorithm.rawValue) \(column)"].map { String(format: "%.3g", $0.median) } ?? ""
        }
        let ratio = row.comparisons["\(algorithm.rawValue) plain / exact"].map {
          String(format: "%.0f (%.0f–%.0f)", 1 / $0.ratioOfMedians, 1 / $0.largest, 1 / $0.smallest)
        }
        table.add([String(row.size), algorithm.rawValue] + cells + [ratio ?? ""])
      }
    }
    return heading(result) + table.markdown
  }

  static func charts(_ result: BenchmarkResult) -> [String: String] {
    var charts: [String: String] = [:]
    for algorithm in algorithms {
      charts["graphs-\(algorithm.rawValue)"] =
        SVGChart(
          title: "\(algorithm.rawValue) on road-like graphs", xLabel: "nodes", yLabel: "seconds",
          logarithmicX: true, logarithmicY: true,
          series: ["exact", "dense", "public", "plain"].map { column in
            .init(
              name: column,
              points: result.rows.compactMap { row in
                row.measurements["\(algorithm.rawValue) \(column)"].map {
                  (x: Double(row.size), y: $0.median)
                }
              })
          }
        ).text
    }
    return charts
  }
}

/// A small generator, the same everywhere.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
