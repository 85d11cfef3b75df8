import Construction
import GraphAlgorithms
import Testing
import TextFiles

@Suite struct GraphLineTests {
  private let line =
    #"{"directed": true, "nodes": [{"id": 1}, {"id": 2}], "links": [{"source": 1, "target": 2, "weight": 2.5}], "source": 2}"#

  @Test func readsTheGraphAndItsSource() throws {
    let read = try GraphLine(Array(line.utf8), file: "g", number: 5)
    #expect(read.source == "2" && read.graph.graph.nodeCount == 2 && read.graph.graph.isDirected)
    #expect(read.graph.fractionalEdge?.line == 5)
    #expect(try !GraphLine(Array(line.utf8), file: "g", number: 1, isDirected: false).graph.graph.isDirected)
  }

  /// Cut off, and with any byte changed: a graph, or an error at this line.
  @Test func hostileLines() {
    let bytes = Array(line.utf8)
    func check(_ bytes: [UInt8]) {
      do {
        let graph = try GraphLine(bytes, file: "g", number: 9).graph.graph
        #expect(graph.nodeCount <= 2)
      } catch {
        #expect((error as? SourceError)?.line == 9, "\(error)")
      }
    }
    for count in bytes.indices { check(Array(bytes[..<count])) }
    for place in bytes.indices {
      for byte: UInt8 in [0, 34, 44, 57, 92, 93, 123, 125, 255] {
        var changed = bytes
        changed[place] = byte
        check(changed)
      }
    }
    check([UInt8](repeating: UInt8(ascii: "["), count: 100_000))
    check(Array(#"{"source": "#.utf8) + [UInt8](repeating: UInt8(ascii: "{"), count: 100_000))
  }

  /// What an export says about a state is what the network itself reads in it.
  @Test(arguments: GraphAlgorithm.allCases) func decodingFindsWhatTheNetworkReads(_ algorithm: GraphAlgorithm)
    throws
  {
    let network = algorithm.compactNetwork()
    for seed in 0..<30 {
      let graph = RandomGraphs.graph(seed: 2 * seed)
      let decoding = try network.decoding(of: graph, source: 0, as: Float.self)
      let columns = network.columnGraph(of: graph)
      let executor = ExactExecutor<Float>(network.network, graph: columns)
      var state = network.prelude(graph, source: 0, as: Float.self)
      let names = decoding.roles.last?.names ?? []
      #expect(names == (0..<graph.nodeCount).map(graph.name))
      for loop in 0..<(decoding.loopLimit ?? 0) {
        guard try executor.apply(to: &state, loop: loop) else { break }
      }
      let result = network.coda(state, graph, source: 0, isSettled: true)
      let order = decoding.values.first { $0.name == "order" }
      guard result.cycle == nil else { continue }
      for node in 0..<graph.nodeCount {
        func value(_ name: String) -> Double? {
          decoding.values.first { $0.name == name }.map {
            Double(state[$0.rows.start, $0.columns.start + node])
          }
        }
        if let distance = result.distances?[node], distance < .infinity, algorithm != .minimumSpanningTree {
          #expect(value("distance") == distance)
        }
        if let before = result.predecessors?[node], before != node {
          #expect(value("predecessor") == Double(before + 1))
        }
        if let place = result.order?.firstIndex(of: node), order != nil {
          #expect(value("order") == Double(place + 1))
        }
        if let component = result.components?[node] { #expect(value("component") == Double(component + 1)) }
        if let rank = result.ranks?[node] { #expect(value("rank") == rank) }
      }
    }
  }

  /// Rounding moves float32 ranks for ever; the rule must not wait for it.
  @Test func pageRankSettlesInFloat32() throws {
    for seed in 0..<100 {
      let graph = RandomGraphs.graph(seed: seed)
      let outcome = try CompactMachine(CompactPageRank()).run(on: graph, isFloat32: true)
      #expect(outcome.halt != .limit && outcome.loops < 200, "\(graph)")
    }
  }
}
