import Foundation
import Testing

/// `looped view` from outside.
@Suite struct ViewTinyTests {
  @Test func tracesBecomePages() throws {
    let folder = try TemporaryFolder()
    for (name, arguments, scene) in [
      ("machine", ["run", "hello", "--json"], "\"listing\":{"),
      (
        "graph", ["graph", "dijkstra", try folder.write("a b 2\nb c 3\n", to: "x.edges"), "-s", "a"],
        "\"edges\":["
      ),
      (
        "learner",
        [
          "icl", "evaluate", try folder.write("name: tiny\n", to: "tiny.yaml"), "--set", "model.width=16",
          "--set", "evaluation.prompts=40", "--set", "training.loops=2",
        ], "\"leastSquares\":["
      ),
      ("text", ["inspect", "--prompt", "And the king"], "\"predictions\":["),
    ] {
      let (trace, page) = (folder.path(name + ".jsonl"), folder.path(name + ".html"))
      #expect(try LoopedBinary.run(arguments + ["--trace-to", trace]).status == 0)
      let shown = try LoopedBinary.run(["view", trace, "--output", page])
      #expect(shown.status == 0 && shown.output.isEmpty, "\(shown.errors)")
      let text = try String(contentsOfFile: page, encoding: .utf8)
      #expect(text.contains("LoopedViewer.mount") && text.contains(scene), "\(name)")
      // The command writes such a page itself.
      let own = folder.path(name + "-own.html")
      #expect(try LoopedBinary.run(arguments + ["--trace-to", own]).status == 0)
      #expect(try String(contentsOfFile: own, encoding: .utf8).contains(scene), "\(name)")
      let unknown = try LoopedBinary.run(arguments + ["--trace-to", folder.path("x.txt")])
      #expect(unknown.status == 1 && unknown.errors.contains("name it .jsonl or .html"), "\(name)")
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
