import Foundation
import Testing

/// `looped graph` from outside.
@Suite struct TinyGraphTests {
  /// Two ways from a to d, and a node that nothing reaches.
  private static let roads = "a b 1\nb d 5\na c 2\nc d 2.5\ne a 1\n"

  private func graph(_ arguments: String..., input: String = Self.roads) throws -> LoopedBinary.Outcome {
    try LoopedBinary.run(["graph"] + arguments, input: input)
  }

  @Test func distancesAsATable() throws {
    let result = try graph("dijkstra", "-", "--format", "edges", "-s", "a", "--check")
    #expect(
      result.output == """
        node  distance  over
        ────────────────────
        a            0
        b            1  a
        d          4.5  c
        c            2  a
        e            ∞
        4 of 5 nodes reached; the farthest is d at 4.5

        """)
    #expect(result.status == 0 && result.errors == "equal to the plain Swift algorithm's result\n")
  }

  /// The same answer, whoever computes; and each says what it took.
  @Test func networksAgree() throws {
    let outcomes = try ["compact", "paper", "reference"].map {
      try graph("dijkstra", "-", "--format", "edges", "-s", "a", "--network", $0, "--check", "-v")
    }
    #expect(Set(outcomes.map(\.output)).count == 1 && outcomes.allSatisfy { $0.status == 0 })
    #expect(outcomes[0].errors.contains("dijkstra finished after 5 loops of 4 layers"))
    #expect(outcomes[1].errors.contains("dijkstra finished after 25 loops of 4 layers"))
    #expect(outcomes[2].errors.contains("in plain Swift"))
    let none = try graph("mst", "-", "--format", "edges", "--network", "paper")
    #expect(none.status == 1 && none.errors.contains("the paper has no network for mst"))
  }

  @Test func pathsToATarget() throws {
    let found = try graph("dijkstra", "-", "--format", "edges", "-s", "a", "-t", "d")
    #expect(found.output.hasSuffix("from a to d: distance 4.5, 2 edges\n"))
    let none = try graph("bfs", "-", "--format", "edges", "-s", "a", "-t", "e")
    #expect(none.output == "there is no path from a to e\n" && none.status == 0)
  }

  @Test(arguments: ["bfs", "dfs", "scc", "components", "toposort", "mst", "bellman-ford", "pagerank"])
  func everyAlgorithmAsJSON(_ algorithm: String) throws {
    let result = try graph(algorithm, "-", "--format", "edges", "-s", "a", "--json", "--check")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(object["algorithm"] as? String == algorithm)
    #expect((object["nodes"] as? [Any])?.count == 5)
    #expect(object["equalToReference"] as? Bool == true)
  }

  @Test func resultsGoOnAsGraphs() throws {
    let folder = try TemporaryFolder()
    for name in ["x.dot", "x.graphml", "x.json"] {
      let path = folder.path(name)
      #expect(try graph("dijkstra", "-", "--format", "edges", "-s", "a", "--to", path).status == 0)
      #expect(try String(contentsOfFile: path, encoding: .utf8).contains("distance"))
      let again = try graph("dijkstra", path, "-s", "a", "-t", "d")
      #expect(again.output.hasSuffix("from a to d: distance 4.5, 2 edges\n"), "\(again)")
    }
  }

  @Test func picturesAndTraces() throws {
    let folder = try TemporaryFolder()
    let (svg, page, trace) = (folder.path("x.svg"), folder.path("x.html"), folder.path("x.jsonl"))
    #expect(try graph("mst", "-", "--format", "edges", "--picture", svg).status == 0)
    #expect(try String(contentsOfFile: svg, encoding: .utf8).contains("edge marked"))
    let result = try graph(
      "dijkstra", "-", "--format", "edges", "-s", "a", "--picture", page, "--trace-to", trace)
    #expect(result.status == 0)
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("data-go=\"play\""))
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    for line in lines {
      _ = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(lines.count >= 3 && lines[0].contains("\"columns\":[\"a\",\"b\",\"d\",\"c\",\"e\"]"))
  }

  @Test func mistakesAreShownWhereTheyAre() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("a b 1\nb c -2\n", to: "x.txt")
    let negative = try graph("dijkstra", path, "-s", "a")
    #expect(negative.status == 1 && negative.output.isEmpty)
    #expect(
      negative.errors == "\(path):2:5: error: dijkstra allows no negative weights\n  b c -2\n      ^\n"
        + "hint: bellman-ford does\n")
    #expect(try graph("bfs", path, "-s", "d").errors.hasPrefix("error: there is no node named 'd'"))
    #expect(try graph("bfs", path).errors.contains("--source a"))
    #expect(try graph("bfs", folder.path("none.gr"), "-s", "a").errors.contains("no file"))
    #expect(try graph("bfs", "-", "-s", "a").errors.contains("--format"))
    #expect(try graph("bfs", path, "-s", "a", "--to", "x.png").errors.contains(".graphml"))
    #expect(try graph("scc", path, "-t", "a").status == 64)
  }

  @Test func largeGraphsEndInASummary() throws {
    let chain = (0..<1000).map { "\($0) \($0 + 1)\n" }.joined()
    let result = try graph("bfs", "-", "--format", "edges", "-s", "0", "--network", "reference", input: chain)
    #expect(result.output.contains("… 981 more rows"))
    #expect(result.output.hasSuffix("1001 of 1001 nodes reached; the farthest is 1000 at 1000\n"))
  }
}
