import Foundation
import Testing

/// `looped pretrain` from outside.
@Suite struct PretrainTinyTests {
  private let small = [
    "data.vocabulary=270", "data.held-out-every=4", "model.width=16", "model.heads=2", "model.layers=1",
    "training.loops=2", "training.sequence=8", "training.batch=2", "training.warmup=1",
    "training.log-every=2",
    "training.checkpoint-every=2", "evaluation.sample=3",
  ].flatMap { ["--set", $0] }

  private let story = (1...8).map { "the king went into city \($0) and the king said go\n" }.joined(
    separator: "<|endoftext|>\n")

  private func train(_ arguments: [String]) throws -> LoopedBinary.Outcome {
    try LoopedBinary.run(["pretrain"] + arguments)
  }

  @Test func trainsResumesTeachesTheGateAndGrows() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write(story, to: "story.txt")
    let run = folder.path("run")
    let first = try train(["--data", text, "--output", run, "--set", "training.steps=4"] + small)
    #expect(first.status == 0 && first.output.contains("step=4 loss="), "\(first.errors)")
    #expect(first.output.contains("held out: step=4"))
    let again = try train(["--data", text, "--output", run] + small)
    #expect(again.status == 1 && again.errors.contains("hint: --resume"))
    let more = try train(["--resume", run, "--set", "training.steps=6"])
    #expect(more.status == 0 && more.output.hasPrefix("step=6 loss="), "\(more.errors)")
    let measured = try train(["evaluate", run, "--loops", "3", "--json"])
    #expect(measured.status == 0 && measured.output.contains("\"loss_3\":"), "\(measured.errors)")
    #expect(try train(["evaluate", run]).output.contains("exit threshold"))
    let gate = try train(
      ["--stage", "gate", "--start", run + "/model", "--data", text, "--output", folder.path("gate")] + small
        + ["--set", "training.steps=2"])
    #expect(gate.status == 0, "\(gate.errors)")
    let chats = try folder.write(
      #"{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":"the king"}]}"# + "\n",
      to: "chats.jsonl")
    let chat = try train(
      ["--stage", "chat", "--start", run + "/model", "--data", chats, "--output", folder.path("chat")] + small
        + ["--set", "training.steps=2", "--set", "training.sequence=32"])
    #expect(chat.status == 0, "\(chat.errors)")
    let larger = folder.path("larger")
    let grown = try train(["upcycle", run + "/model", "--copies", "2", "--loops", "3", "--output", larger])
    #expect(grown.status == 0 && grown.output.contains("2 layers, 3 loops"), "\(grown.errors)")
  }

  @Test func mistakesAreNamed() throws {
    let folder = try TemporaryFolder()
    let recipe = try folder.write("training:\n  stepz: 4\n", to: "wrong.yaml")
    let outcome = try train([recipe])
    #expect(outcome.status == 1 && outcome.errors.contains("wrong.yaml:2:3: error: unknown key"))
    #expect(try train([]).errors.contains("a recipe or --data FILE is needed"))
    let absent = try train(["--data", folder.path("none.txt"), "--output", folder.path("run")])
    #expect(absent.status == 1 && absent.errors.contains("none.txt: error: "))
    let bad = try train(["--resume", folder.path("run")])
    #expect(bad.status == 1 && bad.errors.contains("checkpoint.safetensors: error: "))
    #expect(try train(["upcycle", folder.path("none"), "--output", folder.path("x")]).status == 1)
  }
}
