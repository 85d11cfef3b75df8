import Foundation
import Testing

/// `looped view` from outside.
@Suite struct ViewTinyTests {
  @Test func tracesBecomePages() throws {
    let folder = try TemporaryFolder()
    for (name, arguments) in [
      ("machine", ["run", "hello", "--json"]),
      ("graph", ["graph", "dijkstra", try folder.write("a b 2\nb c 3\n", to: "x.edges"), "-s", "a"]),
    ] {
      let (trace, page) = (folder.path(name + ".jsonl"), folder.path(name + ".html"))
      #expect(try LoopedBinary.run(arguments + ["--trace-to", trace]).status == 0)
      let shown = try LoopedBinary.run(["view", trace, "--output", page])
      #expect(shown.status == 0 && shown.output.isEmpty, "\(shown.errors)")
      let text = try String(contentsOfFile: page, encoding: .utf8)
      #expect(
        text.contains("LoopedViewer.mount")
          && text.contains(name == "graph" ? "\"edges\":[" : "\"listing\":{"))
    }
  }

  @Test func otherFilesAreNamed() throws {
    let folder = try TemporaryFolder()
    let missing = try LoopedBinary.run(["view", folder.path("none.jsonl")])
    #expect(missing.status == 1 && missing.errors.contains("no file"))
    let wrong = try folder.write("{}\n", to: "x.jsonl")
    let refused = try LoopedBinary.run(["view", wrong, "-o", folder.path("x.html")])
    #expect(
      refused.status == 1 && refused.errors.contains("x.jsonl:1: error: not the header of a looped-trace"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("x.html")))
  }
}
