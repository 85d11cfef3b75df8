import Foundation
import GraphAlgorithms
import Testing
import TextFiles

/// Bad input never crashes, never takes more memory than it is worth, and is told where it is bad.
@Suite struct HostileFileTests {
  private func error(_ text: String, _ format: GraphFormat) -> SourceError? {
    do {
      _ = try readGraph(text, format)
      return nil
    } catch {
      return error as? SourceError
    }
  }

  /// Where an error must be, and what it must say.
  private func expect(
    _ text: String, _ format: GraphFormat, _ line: Int, _ column: Int, _ message: String,
    _ location: Testing.SourceLocation = #_sourceLocation
  ) {
    let error = error(text, format)
    #expect(
      error?.line == line && error?.column == column, "\(String(describing: error))", sourceLocation: location
    )
    #expect(
      error?.message.contains(message) ?? false, "\(String(describing: error))", sourceLocation: location)
  }

  /// Whatever a reader makes of bytes, it is an error of ours or a graph whose parts fit.
  private func check(_ bytes: [UInt8], _ format: GraphFormat) -> Bool {
    do {
      let graph = try Graph.read(bytes, file: "g", format: format, largest: 1 << 20).graph
      return graph.names.isEmpty
        || graph.names.count == graph.nodeCount
          && graph.edges.allSatisfy {
            $0.source >= 0 && $0.source < graph.nodeCount && $0.target >= 0 && $0.target < graph.nodeCount
              && $0.weight.isFinite
          }
    } catch {
      return error is SourceError || error is GzipError
    }
  }

  @Test func cutOffAnywhere() {
    for (format, text) in Samples.texts {
      let bytes = Array(text.utf8)
      for count in 0...bytes.count { #expect(check(Array(bytes[..<count]), format), "\(format) \(count)") }
    }
    // Where a format says how much there is, or closes what it opened, a cut is noticed.
    for (format, text) in Samples.texts where format != .edgeList && format != .csv {
      let cut = text.dropLast(format == .json ? 1 : text.last == "\n" ? 7 : 3)
      #expect(error(String(cut), format) != nil, "\(format)")
    }
  }

  @Test func randomMutations() {
    var generator = SeededGenerator(seed: 7)
    let signs = Array("\0\n\r\t \"'<>&;:{}[]()=-+.,/*#%\\0123456789eEaxnN\u{FF}".utf8) + [0x80, 0xC3, 0xFF]
    for (format, text) in Samples.texts {
      let original = Array(text.utf8)
      for _ in 0..<20_000 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: bytes[place] = signs.randomElement(using: &generator) ?? 0
          case 1: bytes.insert(signs.randomElement(using: &generator) ?? 0, at: place)
          case 2: bytes.remove(at: place)
          default:
            let length = min(bytes.count - place, Int.random(in: 1...20, using: &generator))
            bytes.insert(
              contentsOf: bytes[place..<place + length],
              at: Int.random(in: 0..<bytes.count, using: &generator))
          }
        }
        #expect(check(bytes, format), "\(format): \(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  @Test func everyReaderGetsEveryOthersFile() {
    for format in GraphFormat.allCases {
      for (_, text) in Samples.texts { #expect(check(Array(text.utf8), format)) }
      #expect(check([], format))
      #expect(check([0xEF, 0xBB, 0xBF], format))
      #expect(check([UInt8](repeating: 0, count: 1000), format))
      #expect(check((0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 7919) }, format))
    }
  }

  @Test func headersThatPromiseTooMuch() {
    expect("p sp 4000000000 1\na 1 2 3\n", .dimacs, 1, 6, "4000000000 nodes in a file of 26 bytes")
    expect("p sp 99999999999999999999 1\n", .dimacs, 1, 6, "numbers of nodes and edges")
    expect("p sp 3 4000000000\na 1 2 3\n", .dimacs, 1, 8, "promises 4000000000 edges, the file has 1")
    expect("p sp 3 1\na 1 2 3\na 1 2 3\n", .dimacs, 3, 1, "more edges than the 1")
    let banner = "%%MatrixMarket matrix coordinate real general\n"
    expect(banner + "4000000000 4000000000 1\n1 1 1\n", .matrixMarket, 2, 1, "4000000000 nodes")
    expect(banner + "2 2 9\n1 1 1\n", .matrixMarket, 2, 5, "promises 9 entries, the file has 1")
    expect(banner + "2 2 1\n1 1 1\n1 2 1\n", .matrixMarket, 4, 1, "more entries")
    expect(banner + "2 3 1\n1 1 1\n", .matrixMarket, 2, 1, "2 rows and 3 columns")
  }

  @Test func dimacsErrors() {
    expect("p sp 2 1\na 1 3 1\n", .dimacs, 2, 5, "node 3 is not one of 1 to 2")
    expect("p sp 2 1\na 0 1 1\n", .dimacs, 2, 3, "node 0")
    expect("p sp 2 1\na 1 x 1\n", .dimacs, 2, 5, "'x' is not a node's number")
    expect("p sp 2 1\na 1 2\n", .dimacs, 2, 6, "no weight")
    expect("p sp 2 1\na 1 2 nan\n", .dimacs, 2, 7, "NaN")
    expect("p sp 2 1\na 1 2 1e999\n", .dimacs, 2, 7, "too large")
    expect("p sp 2 1\na 1 2 3 4\n", .dimacs, 2, 9, "'4' behind the edge")
    expect("p sp 2 1\np sp 2 1\n", .dimacs, 2, 1, "second problem line")
    expect("a 1 2 3\n", .dimacs, 1, 1, "before the problem line")
    expect("p max 2 1\n", .dimacs, 1, 3, "'max'")
    expect("hello\n", .dimacs, 1, 1, "no kind of line")
    expect("", .dimacs, 1, 1, "no problem line")
  }

  @Test func lineErrors() {
    expect("a b\nc\n", .edgeList, 2, 1, "two nodes")
    expect("a b x\n", .edgeList, 1, 5, "'x' is not a number")
    expect("a b 0x10\n", .edgeList, 1, 5, "not a number")
    expect("a b inf\n", .edgeList, 1, 5, "infinite")
    expect("a b {'weight': 3}\n", .edgeList, 1, 5, "braces")
    expect("a b 1 2\n", .edgeList, 1, 7, "behind the edge")
    expect("source,weight\na,1\n", .csv, 1, 1, "only one end")
    expect("a,b\nc\n", .csv, 2, 1, "two nodes")
    expect("a,b,c\n", .csv, 1, 5, "'c' is not a number")
    expect("a,b,1,2\n", .csv, 1, 7, "4 columns")
    expect("a,\"b\n", .csv, 1, 3, "not closed")
    expect("a,,1\n", .csv, 1, 3, "no name")
    expect("%%MatrixMarket matrix array real general\n", .matrixMarket, 1, 23, "'array' matrices")
    expect("%%MatrixMarket matrix coordinate complex general\n", .matrixMarket, 1, 34, "'complex'")
    expect("%%MatrixMarket matrix coordinate real hermitian\n", .matrixMarket, 1, 39, "'hermitian'")
    expect("1 2 3\n", .matrixMarket, 1, 1, "does not begin")
  }

  @Test func markupErrors() {
    let entity = "<!DOCTYPE g [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><graphml/>"
    expect(entity, .graphML, 1, 1, "document type declarations")
    expect(
      "<graphml>\n<graph><node id=\"&lol;\"/></graph></graphml>", .graphML, 2, 18, "unknown entity &lol;")
    expect("<graphml><graph><node/></graph></graphml>", .graphML, 1, 18, "no id")
    expect("<graphml><graph></graphml>", .graphML, 1, 19, "closes no element")
    expect("<graphml><graph><node id='a'/><node id='a'/></graph></graphml>", .graphML, 1, 41, "second node")
    expect("<graphml></graphml>", .graphML, 1, 1, "no graph element")
    let misspelt = "<graphml><graph><node id='alpha'/><edge source='alpha' target='alhpa'/></graph></graphml>"
    expect(misspelt, .graphML, 1, 64, "no node has the id 'alhpa'")
    #expect(error(misspelt, .graphML)?.hint == "did you mean 'alpha'?")
    expect("<graphml><graph><hyperedge/></graph></graphml>", .graphML, 1, 18, "hyperedges")
    expect("<graphml><graph><node id='a'><graph/></node></graph></graphml>", .graphML, 1, 31, "nested graph")
    expect(
      "<graphml><graph edgedefault='directed'><edge directed='false' source='a' target='b'/></graph></graphml>",
      .graphML, 1, 41, "directed and undirected")
    expect("<?xml version='1.0' encoding='UTF-16'?><graphml/>", .graphML, 1, 1, "UTF-8")
    expect(
      "<graphml><graph><node id='a'/><edge source='a' target='a'><data key='weight'>x</data></edge></graph></graphml>",
      .graphML, 1, 78, "'x' is not a number")
  }

  @Test func dotErrors() {
    expect("graph { a -> b }", .dot, 1, 11, "-> in an undirected graph")
    expect("digraph {\n a -- b }", .dot, 2, 4, "-- in a directed graph")
    expect("digraph { a -> b [weight=heavy] }", .dot, 1, 26, "'heavy' is not a number")
    expect("digraph { a -> }", .dot, 1, 16, "a node expected")
    expect("digraph { a -> b", .dot, 1, 17, "} expected")
    expect("digraph { \"a }", .dot, 1, 11, "quote is not closed")
    expect("digraph { /* a }", .dot, 1, 11, "comment is not closed")
    expect("digraph { a } digraph { b }", .dot, 1, 15, "behind the graph")
    expect("subgraph { a }", .dot, 1, 1, "graph or digraph expected")
    expect("digraph { a ( b }", .dot, 1, 13, "unexpected '('")
  }

  @Test func jsonErrors() {
    expect("[1]", .json, 1, 1, "an object")
    expect("{\"nodes\": []}", .json, 1, 1, "no member links")
    expect("{\"links\": []}", .json, 1, 1, "no member nodes")
    expect("{\"nodes\": [{}], \"links\": []}", .json, 1, 12, "no id")
    expect("{\"nodes\": [{\"id\": [1, 2]}], \"links\": []}", .json, 1, 19, "a text or a whole number")
    expect(
      "{\"nodes\": [{\"id\": 1}], \"links\": [{\"source\": 1}]}", .json, 1, 34, "lacks its source or target")
    expect("{\"nodes\": [{\"id\": 1}, {\"id\": 1}], \"links\": []}", .json, 1, 23, "second node")
    expect(
      "{\"nodes\": [{\"id\": \"abc\"}], \"links\": [{\"source\": \"abd\", \"target\": \"abc\"}]}", .json, 1,
      49,
      "no node has the id 'abd'")
    expect(
      "{\"nodes\": [{\"id\": 1}], \"links\": [{\"source\": 1, \"target\": 1, \"weight\": NaN}]}", .json, 1,
      71, "NaN")
    expect("{\"nodes\": [], \"links\": [], \"edges\": []}", .json, 1, 37, "both links and edges")
    expect("{\"nodes\": [], \"links\": []} x", .json, 1, 28, "behind the graph")
  }

  @Test func deepNesting() {
    let deep = 100_000
    func many(_ text: String) -> String { String(repeating: text, count: deep) }
    expect("{\"a\": " + many("["), .json, 1, 6 + 513, "nested more than 512")
    #expect(error("digraph " + many("{"), .dot)?.message.contains("nested more than 64") ?? false)
    #expect(error("digraph { a [label=" + many("<") + "] }", .dot) != nil)
    #expect(error(many("<a>"), .graphML)?.message.contains("nested more than 64") ?? false)
    #expect(error("<a " + (0..<deep).map { "b\($0)='' " }.joined() + "/>", .graphML) != nil)
    #expect(error("a,b,1" + many(",1"), .csv) != nil)
  }

  /// 3,000 × 3,000 edges out of 30 kB of text.
  @Test func groupsThatMultiply() {
    let group = "{" + (0..<3000).map { "n\($0) " }.joined() + "}"
    #expect(error("digraph {" + group + " -> " + group + "}", .dot)?.message.contains("edges") ?? false)
  }

  @Test func longLinesAreCutInMessages() {
    let long = String(repeating: "x", count: 1_000_000)
    #expect((error("a b " + long, .edgeList)?.description.count ?? .max) < 1000)
    #expect((error("p sp 2 1\na 1 \(long) 1", .dimacs)?.description.count ?? .max) < 1000)
    #expect((error("<\(long)", .graphML)?.description.count ?? .max) < 1000)
    #expect((error("<a></\(long)>", .graphML)?.description.count ?? .max) < 1000)
    #expect((error("digraph { a -> b [weight=\(long)] }", .dot)?.description.count ?? .max) < 1000)
    #expect(
      (error("{\"nodes\": [], \"links\": [{\"source\": \"\(long)\"}]}", .json)?.description.count ?? .max)
        < 1000)
  }
}
