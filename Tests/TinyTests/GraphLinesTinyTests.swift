import Foundation
import Testing

/// `looped graph --lines` from outside.
@Suite struct GraphLinesTinyTests {
  private static let pair =
    #"{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"source": "a", "target": "b"}]"#

  private func lines(_ algorithm: String, _ input: String, _ options: String...) throws
    -> LoopedBinary.Outcome
  {
    try LoopedBinary.run(["graph", algorithm, "-", "--lines"] + options, input: input)
  }

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  /// A line's own source comes before the option; blank lines, line ends of two characters and a last line without one
  /// are fine.
  @Test func answersLineByLine() throws {
    let input = Self.pair + "}\r\n\n  \n" + Self.pair + #", "source": "b"}"#
    let result = try lines("bfs", input, "--source", "a", "--check")
    #expect(result.status == 0 && result.errors.isEmpty)
    let reports = try objects(result.output)
    #expect(reports.map { $0["source"] as? String } == ["a", "b"])
    #expect(
      reports.map { ($0["graph"] as? [String: Any])?["file"] as? String }
        == ["standard input:1", "standard input:4"])
    #expect(reports.allSatisfy { $0["equalToReference"] as? Bool == true })
  }

  /// Each line's object is the one that `--json` prints for it.
  @Test func objectsAreThoseOfOneGraph() throws {
    var many = try #require(try objects(lines("dfs", Self.pair + "}\n").output).first)
    let alone = try LoopedBinary.run(
      ["graph", "dfs", "-", "--format", "json", "--json"], input: Self.pair + "}")
    var one = try #require(try objects(alone.output).first)
    for key in ["seconds", "graph"] {
      many[key] = nil
      one[key] = nil
    }
    #expect(NSDictionary(dictionary: many) == NSDictionary(dictionary: one))
  }

  @Test(arguments: [
    (#"{"nodes": [{"id": 1}], "links": ["#, "2:34: error: a value expected"),
    (
      #"{"nodes": [{"id": 1}], "links": [{"source": 1, "target": 2}]}"#, "2:58: error: no node has the id '2'"
    ),
    (#"{"nodes": [{"id": 1}], "links": [], "source": 7}"#, "2:1: error: there is no node named '7'"),
    (
      #"{"nodes": [{"id": 1}], "links": [], "source": [1]}"#, "2:47: error: a text or a whole number expected"
    ),
    (#"{"nodes": [{"id": 1}], "links": [], "source": 1, "source": 1}"#, "2:60: error: a second source"),
    (#"{"nodes": [{"id": 1}], "links": []}"#, "2:1: error: dijkstra needs a node to start from"),
    (#"{"nodes": [], "links": []}"#, "2:1: error: the graph has no nodes"),
    (
      #"{"nodes": [{"id": 1}], "links": [{"source": 1, "target": 1, "weight": -1}], "source": 1}"#,
      "2:71: error: dijkstra allows no negative weights"
    ),
    (
      #"{"nodes": [{"id": 1}], "links": [{"source": 1, "target": 1, "weight": 1e17}], "source": 1}"#,
      "2:71: error: a path may reach"
    ),
    ("\u{1F}\u{8B}", "2:2: error: a node-link graph is an object"),
    ("[]", "2:1: error: a node-link graph is an object"),
    ("\u{0}", "2:1: error: a node-link graph is an object"),
    (#"{"nodes": [{"id": 1}], "links": []} {}"#, "2:37: error: text behind the graph"),
  ]) func aBadLineIsNamed(line: String, message: String) throws {
    let good = Self.pair + #", "source": "a"}"# + "\n"
    let result = try lines("dijkstra", good + line + "\n" + good)
    #expect(result.errors.hasPrefix("standard input:" + message), "\(result.errors)")
    // What was asked before is answered.
    let answers = try objects(result.output)
    #expect(result.status == 1 && answers.count == 1)
  }

  @Test func theNetworkRefusesWithTheLine() throws {
    let result = try lines("mst", Self.pair + "}\n", "--network", "paper")
    #expect(result.errors.hasPrefix("standard input:1:1: error: the paper has no network for mst"))
    #expect(result.status == 1 && result.output.isEmpty)
  }

  @Test(arguments: ["--target", "--to", "--picture", "--trace-to"]) func otherOutputsAreRefused(
    option: String
  )
    throws
  {
    let result = try lines("bfs", "", option, "x.svg")
    #expect(result.status == 64 && result.errors.contains("leave out \(option)"))
  }

  @Test func nothingIsNoError() throws {
    let result = try lines("bfs", "")
    #expect(result.status == 0 && result.output.isEmpty && result.errors.isEmpty)
  }

  /// Memory is that of the longest line: a line that never ends is refused, not collected.
  @Test func aLineThatIsTooLongIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("long.jsonl")
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    // A file of zeros that takes no space on the disk.
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.truncate(atOffset: 8 << 30)
    try file.close()
    let result = try LoopedBinary.run(["graph", "bfs", path, "--lines"])
    #expect(result.status == 1 && result.errors == "error: \(path):1: the line has more than 64 MiB\n")
  }
}
