import Foundation
import GraphAlgorithms
import Testing
import TextFiles

func readGraph(_ text: String, _ format: GraphFormat) throws -> Graph {
  try Graph.read(Array(text.utf8), file: "g", format: format).graph
}

/// The same graph in every format: x → y (1.5), y → z (2), x → x (0).
enum Samples {
  static let graph = Graph(
    nodeCount: 3, edges: [.init(0, 1, weight: 1.5), .init(1, 2, weight: 2), .init(0, 0, weight: 0)],
    names: ["x", "y", "z"])
  /// Where formats only have numbers.
  static var numbered: Graph {
    var graph = graph
    graph.names = ["1", "2", "3"]
    return graph
  }

  static let texts: [(GraphFormat, String)] = [
    (.dimacs, "c a comment\np sp 3 3\na 1 2 1.5\na 2 3 2\na 1 1 0\n"),
    (.edgeList, "# a comment\nx y 1.5\n% another\ny\tz 2\r\n\nx x 0"),
    (.csv, "note,source,target,weight\n\"one, two\",x,y,1.5\n,y,\"z\",2\n,x,x,0\n"),
    (
      .matrixMarket,
      "%%MatrixMarket matrix coordinate real general\n% a comment\n3 3 3\n1 2 1.5\n2 3 2\n1 1 0\n"
    ),
    (
      .graphML,
      """
      <?xml version="1.0" encoding="UTF-8"?><!-- a comment -->
      <graphml xmlns="http://graphml.graphdrawing.org/xmlns">
      <key id="d0" for="edge" attr.name="weight" attr.type="double"><default>2</default></key>
      <graph id="G" edgedefault="directed"><node id="x"><data key="k">7</data></node><node id='y'/><node id="&#122;"/>
      <edge source="x" target="y"><data key="d0"> 1.5 </data></edge><edge source="y" target="z"/>
      <edge source="x" target="x"><data key="d0"><![CDATA[0]]></data></edge></graph></graphml>
      """
    ),
    (
      .dot,
      """
      // a comment
      strict digraph "G" { rankdir = LR; edge [weight=2]; /* another */ node [shape=box]
      x -> y [weight="1.5" label="first"]; y:port:ne -> z; subgraph s { x } -> x [weight = .0]
      }
      """
    ),
    (
      .json,
      """
      {"directed": true, "links": [{"source": "x", "target": "y", "weight": 1.5, "key": [{}, []]},
      {"target": "z", "weight": 2e0, "source": "y"}, {"source": "x", "target": "\\u0078", "weight": 0}],
      "nodes": [{"id": "x"}, {"id": "y", "size": null}, {"id": "z"}], "graph": {"name": "n"}}
      """
    ),
  ]
}

@Suite struct GraphFileTests {
  @Test func everyFormatSaysTheSame() throws {
    for (format, text) in Samples.texts {
      let graph = try readGraph(text, format)
      let isNumbered = format == .dimacs || format == .matrixMarket
      #expect(graph == (isNumbered ? Samples.numbered : Samples.graph), "\(format)")
    }
  }

  @Test func writtenGraphsReadBack() throws {
    for seed in 0..<200 {
      var graph = RandomGraphs.graph(seed: seed, weights: -9...9)
      if seed % 4 < 2 {
        graph.names = (0..<graph.nodeCount).map {
          ["a\"b", "<&>", "ü – \\", " ", "x\ny", "->", "graph"][$0 % 7] + "\($0)."
        }
      }
      let writer = GraphWriter(
        graph, GraphAlgorithm.minimumSpanningTree.reference(graph), of: .minimumSpanningTree)
      #expect(try readGraph(writer.dot, .dot) == graph, "\(writer.dot)")
      #expect(try readGraph(writer.graphML, .graphML) == graph)
      #expect(try readGraph(writer.json, .json) == graph)
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(writer.json.utf8)) }
    }
  }

  /// DOT cannot say every name; what it cannot say gets one backslash more.
  @Test(arguments: [
    ("a\\b", "a\\b"), ("a\\", "a\\\\"), ("a\\\\", "a\\\\"), ("a\\\"b", "a\\\\\"b"), ("\"", "\""),
    ("a\\\nb", "a\\\\\nb"),
  ]) func backslashesInDOT(name: String, readBack: String) throws {
    let graph = Graph(nodeCount: 2, edges: [.init(0, 1)], names: [name, "z"])
    #expect(try readGraph(GraphWriter(graph).dot, .dot).names == [readBack, "z"])
  }

  @Test func resultsAreAttributes() throws {
    let result = GraphAlgorithm.dijkstra.reference(Samples.graph, source: 0)
    let writer = GraphWriter(Samples.graph, result, of: .dijkstra)
    #expect(writer.dot.contains("\"z\" [distance=3.5, predecessor=\"y\"];"))
    #expect(writer.dot.contains("\"x\" -> \"y\" [weight=1.5, tree=true];"))
    #expect(writer.dot.contains("\"x\" -> \"x\" [weight=0];"))
    #expect(writer.json.contains("{\"id\": \"z\", \"distance\": 3.5, \"predecessor\": \"y\"}"))
    #expect(writer.graphML.contains("<data key=\"distance\">3.5</data>"))
    let cycle = Graph(nodeCount: 2, edges: [.init(0, 1, weight: -1), .init(1, 0, weight: 0)])
    let found = GraphWriter(cycle, GraphAlgorithm.bellmanFord.reference(cycle), of: .bellmanFord)
    #expect(found.dot.contains("\"1\" -> \"0\" [weight=0, cycle=true];"))
  }

  @Test func numberedNodesAscend() throws {
    let graph = try readGraph("30 7\n7 100 4\n", .edgeList)
    #expect(graph.names == ["7", "30", "100"])
    #expect(graph.edges == [.init(1, 0), .init(0, 2, weight: 4)])
    #expect(try readGraph("1 0\n2 1", .edgeList).names == [])
    #expect(try readGraph("01 1", .edgeList).names == ["01", "1"])
  }

  @Test func undirectedFiles() throws {
    #expect(try !readGraph("# Undirected graph: x.txt\n0 1", .edgeList).isDirected)
    #expect(try !readGraph("p edge 2 1\ne 1 2", .dimacs).isDirected)
    #expect(
      try !readGraph("%%MatrixMarket matrix coordinate pattern symmetric\n2 2 1\n2 1\n", .matrixMarket)
        .isDirected)
    #expect(try !readGraph("graph { a -- b -- c }", .dot).isDirected)
    #expect(try readGraph("graph { a -- {b c} -- d }", .dot).edges.count == 4)
    #expect(
      try !readGraph(
        "<graphml><graph edgedefault=\"undirected\"><node id=\"a\"/></graph></graphml>", .graphML
      )
      .isDirected)
    #expect(try !readGraph("{\"nodes\": [{\"id\": 1}], \"edges\": []}", .json).isDirected)
    #expect(
      try Graph.read(Array("0 1".utf8), file: "g", format: .edgeList, isDirected: false).graph.isDirected
        == false)
  }

  @Test func csvVariants() throws {
    #expect(try readGraph("a;b;3\nb;c;4", .csv).edges == [.init(0, 1, weight: 3), .init(1, 2, weight: 4)])
    #expect(try readGraph("a,b\nb,\"c \"\"d\"\"\"\r\n", .csv).names == ["a", "b", "c \"d\""])
    #expect(
      try readGraph("to,from,cost\nb,a,2\n", .csv)
        == Graph(nodeCount: 2, edges: [.init(0, 1, weight: 2)], names: ["a", "b"]))
  }

  @Test func numbersAreRoundedCorrectly() throws {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<20_000 {
      let exponent = Int.random(in: -12...12, using: &generator)
      let digits =
        Int.random(in: 0..<10_000_000_000_000_000, using: &generator)
        >> Int.random(in: 0...50, using: &generator)
      var text = String(digits)
      switch exponent % 3 {
      case 0: text += "e\(exponent)"
      case 1: text += ".\(abs(exponent) * 7919)"
      default: text = "-0.000" + text
      }
      #expect(try readGraph("a b \(text)", .edgeList).edges[0].weight == Double(text), "\(text)")
    }
  }

  @Test func formatsByName() {
    #expect(GraphFormat(path: "a/b.c/USA.GR") == .dimacs)
    #expect(GraphFormat(path: "roads.txt.gz") == .edgeList)
    #expect(GraphFormat(path: "x.gv") == .dot)
    #expect(GraphFormat(path: "gz") == nil)
    #expect(GraphFormat(path: "x.png") == nil)
  }
}
