import Foundation
import Testing

/// `looped icl` from outside.
@Suite struct InContextTinyTests {
  private let small = [
    "task.dimension=2", "task.points=4", "model.width=16", "training.loops=4", "training.window=2",
    "training.batch=4", "training.log-every=2", "evaluation.prompts=40",
  ].flatMap { ["--set", $0] }

  @Test func trainsResumesEvaluatesAndDraws() throws {
    let folder = try TemporaryFolder()
    let recipe = try folder.write(
      "name: tiny\nexpected: nothing\nevaluation:\n  baselines: [least-squares, \"newton:3\"]\n",
      to: "tiny.yaml")
    let run = folder.path("run")
    func train(_ arguments: [String]) throws -> LoopedBinary.Outcome {
      try LoopedBinary.run(["icl", "train"] + arguments)
    }
    let first = try train([recipe, "--output", run, "--set", "training.steps=4"] + small)
    #expect(first.status == 0 && first.output.contains("step=4 loss="))
    #expect(try FileManager.default.contentsOfDirectory(atPath: run).count == 4)
    let again = try train([recipe, "--output", run] + small)
    #expect(again.status == 1 && again.errors.contains("hint: --resume"))
    let model = folder.path("model.safetensors")
    let more = try train([run, "--resume", "--set", "training.steps=6", "--export", model])
    #expect(more.status == 0 && more.output.hasPrefix("step=6 loss="))
    let (data, page) = (folder.path("a.json"), folder.path("a.html"))
    let measured = try LoopedBinary.run(["icl", "evaluate", run, "--output", data, "--html", page])
    #expect(measured.status == 0 && measured.output.contains("least squares"))
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<polygon"))
    let exported = try LoopedBinary.run(["icl", "evaluate", model, "--json"])
    #expect(exported.output == (try String(contentsOfFile: data, encoding: .utf8)))
    let drawn = try LoopedBinary.run(["icl", "plot", data, data, "--svg", folder.path("a.svg")])
    #expect(drawn.status == 0)
    let swept = try LoopedBinary.run(
      ["icl", "sweep", recipe, "--over", "training.loops=3,4", "--output", folder.path("sweep")] + small
        + ["--set", "training.steps=2"])
    #expect(swept.status == 0 && swept.output.split(separator: "\n").count == 2)
  }

  @Test func mistakesAreNamed() throws {
    let folder = try TemporaryFolder()
    let recipe = try folder.write("training:\n  stepz: 4\n", to: "wrong.yaml")
    let outcome = try LoopedBinary.run(["icl", "train", recipe])
    #expect(
      outcome.status == 1 && outcome.errors.contains("wrong.yaml:2:3: error: unknown key 'training.stepz'"))
    let absent = try LoopedBinary.run(["icl", "evaluate", folder.path("absent")])
    #expect(
      absent.status == 1 && absent.errors.contains("checkpoint.safetensors: error: ")
        || absent.errors.contains("absent: error: "))
    let wrong = try LoopedBinary.run(["icl", "plot", recipe])
    #expect(wrong.status == 1 && wrong.errors.contains("holds no measurements"))
  }

  @Test func probesAndDrawsHeatMaps() throws {
    let folder = try TemporaryFolder()
    let recipe = try folder.write("name: tiny\n", to: "tiny.yaml")
    let (picture, page) = (folder.path("p.svg"), folder.path("p.html"))
    let probe = ["icl", "probe", recipe, "--steps", "3", "--batch", "8", "--prompts", "16"] + small
    let probed = try LoopedBinary.run(probe + ["--svg", picture, "--html", page])
    #expect(probed.status == 0 && probed.output.contains("predicting zero"))
    let drawn = try String(contentsOfFile: picture, encoding: .utf8)
    // Two targets of five depths: four prefixes, and two.
    #expect(drawn.components(separatedBy: "class=\"cell\"").count - 1 == 5 * (4 + 2))
    #expect(drawn.contains("stroke-dasharray"))
    let json = try LoopedBinary.run(probe + ["--json"])
    let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect((object?["parts"] as? [Any])?.count == 2)
    let wrong = try LoopedBinary.run(["icl", "probe", recipe, "--set", "task.family=tree"] + small)
    #expect(wrong.status == 1 && wrong.errors.contains("hint: probes are for"))
    #expect(try LoopedBinary.run(["icl", "probe", recipe, "--batch", "1"]).status == 64)
    let map = folder.path("map.svg")
    let swept = try LoopedBinary.run(
      ["icl", "sweep", recipe, "--over", "training.loops=3,4", "--over", "training.window=1,2,3", "--output"]
        + [folder.path("sweep"), "--svg", map] + small + ["--set", "training.steps=1"])
    #expect(swept.status == 0)
    let text = try String(contentsOfFile: map, encoding: .utf8)
    #expect(text.contains(">training.window</text>"))
    // Two by three runs, and the maps of their loops.
    #expect(text.components(separatedBy: ">training.loops</text>").count == 2)
  }

  private struct TraceLine: Decodable {
    struct Scene: Decodable {
      let points: [Double]
      let trainedLoops: Int
    }
    struct Change: Decodable {
      let column: Int
      let after: Double
    }
    let family: String?
    let regression: Scene?
    let changes: [Change]?
    let loops: Int?
  }

  /// As many loops as the loop curve has, beyond training.
  @Test func theTraceOfALearner() throws {
    let folder = try TemporaryFolder()
    let model = folder.path("model.safetensors")
    let recipe = try folder.write("name: tiny\n", to: "tiny.yaml")
    let trained = try LoopedBinary.run(
      [
        "icl", "train", recipe, "--output", folder.path("run"), "--export", model, "--set",
        "training.steps=2",
      ]
        + small)
    #expect(trained.status == 0, "\(trained.errors)")
    let file = folder.path("fit.jsonl")
    let outcome = try LoopedBinary.run(
      ["icl", "evaluate", model, "--trace-to", file, "--set", "evaluation.loops=6"])
    #expect(outcome.status == 0 && outcome.output.contains("least squares"), "\(outcome.errors)")
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(TraceLine.self, from: Data($0.utf8))
    }
    #expect(lines.count == 8 && lines[0].family == "in-context" && lines[7].loops == 6)
    #expect(lines[0].regression?.trainedLoops == 4 && lines[0].regression?.points.count == 6)
    #expect(lines[1...6].allSatisfy { $0.changes?.isEmpty == false })
    let wrong = try LoopedBinary.run(
      ["icl", "evaluate", recipe, "--trace-to", folder.path("x.html"), "--set", "task.family=tree"] + small)
    #expect(wrong.status == 1 && wrong.errors.contains("hint: families with a trace are linear and sparse"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("x.html")))
  }

  @Test func heldOutErrorsStandInTheLog() throws {
    let folder = try TemporaryFolder()
    let recipe = try folder.write(
      "name: tiny\ntraining:\n  evaluate-every: 3\n  evaluation-prompts: 16\n  steps: 4\n", to: "tiny.yaml")
    let outcome = try LoopedBinary.run(["icl", "train", recipe, "--output", folder.path("run")] + small)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.filter { $0.contains("held_out=") }.map { $0.prefix(6) } == ["step=3", "step=4"])
    let log = try String(contentsOfFile: folder.path("run/log.jsonl"), encoding: .utf8)
    #expect(log.components(separatedBy: "held_out_last").count == 3)
  }

  @Test func tablesAreTrainedOnAndSampled() throws {
    let folder = try TemporaryFolder()
    let rows = (0..<40).map { "\($0 % 5),\($0 * $0 % 7),\($0 % 3 == 0 ? "a" : "b")" }.joined(separator: "\n")
    let files = try ["one.csv", "two.csv"].map { try folder.write("x,z,kind\n\(rows)\n", to: $0) }
    let recipe = try folder.write(
      "name: tables\ntask:\n  family: tabular\n  files: [\(files.joined(separator: ", "))]\n"
        + "evaluation:\n  baselines: [\"nearest:3\", majority]\n",
      to: "tables.yaml")
    let run = folder.path("run")
    let trained = try LoopedBinary.run(
      ["icl", "train", recipe, "--output", run, "--set", "training.steps=3"] + small)
    #expect(trained.status == 0)
    let measured = try LoopedBinary.run(["icl", "evaluate", run])
    #expect(measured.status == 0 && measured.output.contains("the table left out, one.csv"))
    let sampled = try LoopedBinary.run(["icl", "sample", run, "--json", "--prompts", "3"])
    let object = try JSONSerialization.jsonObject(with: Data(sampled.output.utf8)) as? [String: Any]
    #expect((object?["tokens"] as? [[[Double]]])?.count == 3)
    #expect((object?["predictions"] as? [Any])?.count == 4)
    #expect((object?["baselines"] as? [String: Any])?.keys.sorted() == ["majority", "nearest:3"])
    _ = try folder.write("x,z,kind\n1,?,a\n", to: "two.csv")
    let wrong = try LoopedBinary.run(["icl", "sample", recipe] + small)
    #expect(wrong.status == 1 && wrong.errors.contains("two.csv:2:3: error: a missing value in column 'z'"))
  }
}
