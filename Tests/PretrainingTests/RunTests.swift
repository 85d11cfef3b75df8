import Foundation
import Gradients
import LanguageModel
import Layers
import RecipeFiles
import Tensors
import Testing
import TextFiles

@testable import Pretraining

@Suite struct RunTests {
  private func recipe(_ folder: Folder, _ settings: [String] = []) throws -> PretrainingRecipe {
    let text = try folder.write(storyText(documents: 12), to: "story.txt")
    return try PretrainingRecipe(
      yaml: Array("data:\n  text: \(text)\n".utf8), file: "test",
      settings: [
        "data.vocabulary=280", "data.held-out-every=6", "model.width=16", "model.heads=2", "model.layers=1",
        "training.loops=3, 2@4", "training.entropy-weight=0.1, 0.05@3", "training.rope-base=100, 400@5",
        "training.sequence=12", "training.batch=2", "training.accumulation=2", "training.steps=8",
        "training.warmup=2", "training.rate=3e-3", "training.log-every=1", "training.checkpoint-every=3",
        "evaluation.every=5", "evaluation.sample=4", "evaluation.sequences=3",
      ] + settings)
  }

  @Test(arguments: [
    [], ["training.precision=bf16"], ["training.precision=bf16", "training.checkpoints-loops=true"],
  ])
  func aResumedRunIsTheSameBitByBit(_ settings: [String]) throws {
    let folder = try Folder()
    let recipe = try recipe(folder, settings)
    let whole = try PretrainingRun(recipe, folder: folder.path + "/whole")
    #expect(try whole.train())
    // Stopped after the fourth step, a step after its checkpoint: the step is in the last one written.
    let first = try PretrainingRun(recipe, folder: folder.path + "/parts")
    #expect(try !first.train(goesOn: { first.trainer.step < 4 }))
    let second = try PretrainingRun.resume(folder.path + "/parts")
    #expect(second.trainer.step == 4 && second.recipe == recipe)
    #expect(try second.train())
    #expect(second.model.parameters.map(\.value.values) == whole.model.parameters.map(\.value.values))
    func lines(_ part: String) throws -> [String] {
      try String(contentsOfFile: folder.path + part, encoding: .utf8).split(separator: "\n").map {
        $0.replacingOccurrences(of: #","tokens_per_second":.*"#, with: "", options: .regularExpression)
      }
    }
    #expect(try lines("/parts/log.jsonl") == lines("/whole/log.jsonl"))
    #expect(try lines("/parts/evaluation.jsonl") == lines("/whole/evaluation.jsonl"))
    #expect(try lines("/whole/evaluation.jsonl").count == 2)
    // Killed without a word in the seventh step: what is there is the checkpoint of the sixth, and the rest is made
    // again.
    let killed = folder.path + "/killed"
    let run = try PretrainingRun(recipe, folder: killed)
    _ = try run.train(tell: { event in
      guard case .progressed(7, _) = event else { return }
      try? FileManager.default.copyItem(atPath: killed, toPath: folder.path + "/left")
    })
    let third = try PretrainingRun.resume(folder.path + "/left")
    #expect(third.trainer.step == 6)
    #expect(try third.train())
    #expect(third.model.parameters.map(\.value.values) == whole.model.parameters.map(\.value.values))
    #expect(try lines("/left/log.jsonl") == lines("/whole/log.jsonl"))
  }

  @Test func lossesFallAndTheFolderIsAModel() throws {
    let folder = try Folder()
    let run = try PretrainingRun(
      recipe(folder, ["training.steps=40", "evaluation.every=0", "training.loops=3"]),
      folder: folder.path + "/run")
    let before = try #require(try run.evaluate())
    var events = 0
    #expect(try run.train(tell: { _ in events += 1 }))
    let after = try #require(try run.evaluate())
    #expect(events == 81, "40 logged, 40 progressed, one evaluated")
    for (a, b) in zip(after.statistics.losses, before.statistics.losses) { #expect(a < b - 0.5) }
    #expect(after.exits.map(\.threshold) == [0.3, 0.5, 0.7, 0.9] && after.statistics.tokens == 36)
    #expect(after.exits.map(\.meanLoops) == after.exits.map(\.meanLoops).sorted())
    // A new loop count extrapolates.
    #expect(try run.evaluate(loops: 5)?.statistics.losses.count == 5)
    let model = try DecoderFiles.load(folder.path + "/run/model")
    #expect(model.configuration.loops == 3 && model.configuration.contextLength == 12)
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"] {
      #expect(FileManager.default.fileExists(atPath: folder.path + "/run/model/" + name))
    }
    // Stage II from that folder: the gate alone changes.
    let settings = [
      "model.start=\(folder.path)/run/model", "training.stage=gate", "training.steps=6", "training.loops=0",
      "training.rope-base=0",
      "training.rate=0.05", "training.warmup=0", "training.decay=0",
    ]
    let gates = try PretrainingRun(recipe(folder, settings), folder: folder.path + "/gate")
    #expect(try gates.train())
    for ((name, a), b) in zip(model.namedParameters(), gates.model.parameters) {
      #expect((a.value.values == b.value.values) == !name.hasPrefix("gate"), "\(name)")
    }
    // Fine-tuning on chats.
    let line = #"{"messages":[{"role":"user","content":"Go"},{"role":"assistant","content":"the king"}]}"#
    let chats = try folder.write(Array(repeating: line, count: 8).joined(separator: "\n"), to: "chats.jsonl")
    let tuned = try PretrainingRun(
      recipe(
        folder,
        settings + [
          "training.stage=chat", "data.chats=\(chats)", "training.sequence=24", "training.steps=3",
          "training.rate=1e-2",
        ]), folder: folder.path + "/chat")
    let first = try tuned.step().values.first { $0.name == "loss" }!.value
    _ = try tuned.step()
    #expect(try tuned.step().values.first { $0.name == "loss" }!.value < first)
    #expect(!tuned.sample(prompt: "the", count: 3, temperature: 0).isEmpty)
  }

  /// bf16 is what a run asked for, close to f32 and something else; its weights and its evaluation are f32.
  @Test func precisionOfProducts() throws {
    let folder = try Folder()
    func losses(_ name: String, _ settings: [String]) throws -> [Double] {
      let run = try PretrainingRun(recipe(folder, settings), folder: folder.path + "/" + name)
      return try (0..<8).map { _ in try run.step().values.first { $0.name == "loss" }!.value }
    }
    let (float, brain) = (try losses("f32", []), try losses("bf16", ["training.precision=bf16"]))
    for (a, b) in zip(float, brain) { #expect(abs(a - b) < 0.02 * abs(a), "\(a) \(b)") }
    #expect(float != brain)
    #expect(try losses("again", ["training.precision=f32"]) == float)
    // Either goes on from the other: what a checkpoint holds is f32.
    let run = try PretrainingRun(recipe(folder), folder: folder.path + "/run")
    try run.save()
    let other = try PretrainingRun.resume(run.folder, settings: ["training.precision=bf16"])
    #expect(other.recipe.precision == .bfloat16)
    #expect(try other.evaluate() == run.evaluate())
  }

  @Test func whatCannotBeTrainedIsSaid() throws {
    let folder = try Folder()
    func expectError(_ part: String, _ settings: [String]) throws {
      do {
        _ = try PretrainingRun(
          recipe(folder, settings), folder: folder.path + "/\(UInt64.random(in: 0 ... .max))")
        Issue.record("no error: \(part)")
      } catch { #expect("\(error)".contains(part), "\(error)") }
    }
    func expectFailure(_ part: String, _ body: () throws -> PretrainingRun) throws {
      do {
        _ = try body()
        Issue.record("no error: \(part)")
      } catch { #expect("\(error)".contains(part), "\(error)") }
    }
    try expectError("make no sequence", ["training.sequence=5000"])
    try expectError("none.txt", ["data.text=\(folder.path)/none.txt"])
    try expectError("\(folder.path)/tokenizer.json", ["model.start=\(folder.path)"])
    var trainer = VocabularyTrainer()
    trainer.add("some text")
    try trainer.train(size: 262).write(to: folder.path + "/tokenizer.json")
    try expectError("config.json", ["model.start=\(folder.path)"])
    try expectError("heads do not divide", ["model.heads=5"])
    try expectError("is no schedule", ["training.loops=4@3"])
    try expectError("needs a model to start from", ["training.stage=gate"])
    try expectError("one loop", ["model.family=llama", "training.loops=2"])
    try expectError("unknown key", ["training.stepz=3"])
    try expectError("training.precision", ["training.precision=f16"])
    try expectError("would keep", ["training.batch=60000", "training.sequence=100000"])
    #expect(throws: SafetensorsError.self) { try PretrainingRun.resume(folder.path) }
    let run = try PretrainingRun(recipe(folder), folder: folder.path + "/run")
    try run.save()
    for setting in ["data.vocabulary=300", "model.width=8", "seed=3", "training.stage=chat"] {
      #expect(throws: (any Error).self) { try PretrainingRun.resume(run.folder, settings: [setting]) }
    }
    #expect(try PretrainingRun.resume(run.folder, settings: ["training.steps=99"]).recipe.steps == 99)
    let config = run.folder + "/data/config.json"
    let good = try String(contentsOfFile: config, encoding: .utf8)
    _ = try folder.write(
      good.replacingOccurrences(of: "\"num_hidden_layers\": 1", with: "\"num_hidden_layers\": 900"),
      to: "run/data/config.json")
    try expectFailure("is of another model") { try PretrainingRun.resume(run.folder) }
    _ = try folder.write(good, to: "run/data/config.json")
    let checkpoint = PretrainingRun.checkpoint(in: folder.path + "/run")
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: checkpoint)))
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: checkpoint))
    #expect(throws: CheckpointError.self) { try PretrainingRun.resume(folder.path + "/run") }
    #expect(throws: DataError.self) {
      try AtomicFile.write(SafetensorsFile.parts([]), to: checkpoint)
      _ = try PretrainingRun.resume(folder.path + "/run")
    }
  }

  @Test func schedules() throws {
    let schedule = try #require(StepSchedule("8, 4@3000,2@4000"))
    #expect([0, 2999, 3000, 5000].map { schedule.at($0) } == [8, 8, 4, 2])
    #expect(StepSchedule(schedule.description) == schedule && schedule.description == "8, 4@3000, 2@4000")
    #expect(StepSchedule("0.05")?.description == "0.05")
    for text in ["", "x", "4@3", "8,4", "8,4@0", "8,4@9,2@9", "8,4@-1", "nan", "inf", "8,,4@3", "8,4@3@4"] {
      #expect(StepSchedule(text) == nil, "\(text)")
    }
  }

  @Test func recipesReadBackAsTheSame() throws {
    let folder = try Folder()
    let recipe = try recipe(folder, ["name=A \"b\": c", "evaluation.prompt=x: y"])
    #expect(try PretrainingRecipe(yaml: Array(recipe.yaml.utf8), file: "again") == recipe)
    for (yaml, part) in [
      ("training:\n  stepz: 3\n", "t.yaml:2:3: error: unknown key 'training.stepz'"),
      ("training:\n  steps: many\n", "'many' is no whole number"), ("training: 3\n", "is a section"),
      ("training:\n  loops: 9\n", "leaves 0.0 to 8.0"), ("- a\n", "a mapping"), ("a: [", "error"),
      ("training:\n  steps: [1, 2]\n", "one value"), ("{}", "there is no text"),
    ] {
      do {
        _ = try PretrainingRecipe(yaml: Array(yaml.utf8), file: "t.yaml")
        Issue.record("no error: \(yaml)")
      } catch { #expect("\(error)".contains(part), "\(error)") }
    }
  }
}
