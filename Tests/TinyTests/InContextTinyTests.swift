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
}
