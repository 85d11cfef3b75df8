import Foundation
import Gradients
import InContext
import RecipeFiles
import Tensors
import Testing
import TextFiles

@Suite struct RecipeTests {
  private func error(_ yaml: String, _ settings: [String] = []) -> SourceError? {
    do {
      _ = try Recipe(yaml: Array(yaml.utf8), file: "r.yaml", settings: settings)
      return nil
    } catch {
      return error as? SourceError
    }
  }

  @Test func everyKeyIsReadAndWrittenAgain() throws {
    var recipe = Recipe()
    recipe.name = "A \"name\": with / ünicode\nand #lines"
    recipe.family = .chainOfThought
    (recipe.rate, recipe.noise, recipe.injection, recipe.shifts) = (
      3e-4, 0.1, .scaled, ["skewed", "scale-x:3"]
    )
    #expect(try Recipe(yaml: Array(recipe.yaml.utf8), file: "r") == recipe)
    #expect(try Recipe(yaml: [], file: "r") == Recipe())
    for field in Recipe.fields { #expect(recipe.yaml.contains(field.key.split(separator: ".").last! + ":")) }
  }

  @Test func settingsOverrideTheFile() throws {
    let recipe = try Recipe(
      yaml: Array("training:\n  steps: 5\n".utf8), file: "r",
      settings: ["training.steps=7", "model.width=32"])
    #expect(recipe.steps == 7 && recipe.width == 32)
  }

  @Test func errorsNameFileLineAndColumn() {
    let unknown = error("name: x\ntraining:\n  stepz: 5\n")
    #expect(unknown?.file == "r.yaml" && unknown?.line == 3 && unknown?.column == 3)
    #expect(unknown?.message == "unknown key 'training.stepz'")
    #expect(error("colour: red\n")?.line == 1)
    #expect(error("training:\n  steps: many\n")?.line == 2)
    #expect(error("training:\n  steps: many\n")?.column == 10)
    #expect(error("training:\n  steps: -1\n")?.message.contains("outside") == true)
    #expect(error("model:\n  width: 30\n  heads: 4\n")?.line == 3)
    #expect(error("task:\n  family: cubic\n")?.message.contains("none of linear") == true)
    #expect(error("training: fast\n")?.message.contains("section") == true)
    #expect(error("task:\n  points: [1, [2]]\n")?.line == 2)
    #expect(error("evaluation:\n  baselines: [magic]\n")?.message.contains("no baseline") == true)
    #expect(error("name: a\nname: b\n")?.message.contains("twice") == true)
    #expect(error("name: [a\n") != nil && error("- a\n- b\n") != nil && error("\t:\n") != nil)
    #expect(error("", ["training.steps"])?.file == "--set")
    #expect(error("", ["training.step=5"])?.hint?.contains("training.steps") == true)
    #expect(error("", ["training.rate=fast"])?.column == 15)
  }

  @Test func hostileRecipesAreRefusedInTime() {
    #expect(error(String(repeating: "a", count: Recipe.sizeLimit + 1)) != nil)
    #expect(error("model:\n  width: 99999999999999999999\n") != nil)
    #expect(error("task:\n  points: 4096\nmodel:\n  width: 8192\ntraining:\n  batch: 65536\n") != nil)
    // Aliases that multiply.
    var bomb = "a: &a [x, x, x, x, x, x, x, x]\n"
    for (i, letter) in "bcdefghij".enumerated() {
      let before = Array("abcdefghij")[i]
      bomb += "\(letter): &\(letter) [\(Array(repeating: "*\(before)", count: 8).joined(separator: ", "))]\n"
    }
    #expect(error(bomb)?.message.contains("unknown key 'a'") == true)
    #expect((try? Recipe(yaml: [0xFF, 0xFE, 0x00], file: "r")) == nil)
    #expect((try? Recipe(path: "/nonexistent.yaml")) == nil && (try? Recipe(path: "/")) == nil)
    // Cut anywhere, a recipe is read or refused, never more.
    let text = Array(Recipe().yaml.utf8)
    for length in stride(from: 0, to: text.count, by: 7) {
      _ = try? Recipe(yaml: Array(text[..<length]), file: "r")
    }
  }

  @Test func theRecipesOfTheProjectAreValid() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Recipes").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 4)
    for file in files {
      let recipe = try Recipe(path: folder + "/" + file)
      #expect(!recipe.expected.isEmpty && recipe.name != "unnamed", "\(file)")
    }
  }
}

@Suite struct TrainingRunTests {
  @Test func theShippedModelLearnsInContext() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(
        "Examples/InContext/linear-looped-small.safetensors"
      ).path
    let run = try TrainingRun.load(
      path, settings: ["evaluation.prompts=512", "evaluation.shifts=", "seed=7"])
    #expect(run.trainedSteps == 12_000)
    let evaluation = try #require(Evaluator(run).evaluate())
    let curves = evaluation.parts[0].curves
    // With 2d points, a hundredth of the error of predicting zero; before d, within a fiftieth of least squares.
    #expect(curves[0].mean[10]! < 0.01 && curves[0].mean[10]! < 0.1 * curves[2].mean[10]!)
    for i in 1..<4 { #expect(curves[0].mean[i]! < curves[1].mean[i]! + 0.02) }
    // At four times the 30 loops it was trained for, it stays where it was.
    let loops = evaluation.loopCurves[0].mean
    #expect(loops.count == 120 && loops[119]! < 1.5 * loops[29]! && loops[59]! < 1.5 * loops[29]!)
  }

  private func temporary() -> String {
    NSTemporaryDirectory() + "looped-icl-\(UInt64.random(in: 0 ... .max)).safetensors"
  }

  @Test func aResumedRunIsBitIdentical() throws {
    let path = temporary()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let recipe = tinyRecipe { ($0.startLoops, $0.loopsInterval, $0.startDimension) = (2, 2, 1) }
    let whole = TrainingRun(recipe)
    for _ in 0..<4 { _ = try whole.step() }
    try whole.save(to: path)
    let resumed = try TrainingRun.load(path)
    #expect(resumed.recipe == recipe && resumed.trainer.step == 4)
    for _ in 0..<4 { #expect(try resumed.step() == whole.step()) }
    for (a, b) in zip(whole.trainer.adam.parameters, resumed.trainer.adam.parameters) {
      #expect(a.value.values == b.value.values)
    }
  }

  @Test func anExportedModelPredictsTheSame() throws {
    let path = temporary()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let run = TrainingRun(tinyRecipe())
    _ = try run.step()
    try run.export(to: path)
    let loaded = try TrainingRun.load(path)
    #expect(Evaluator(loaded).evaluate()?.curve == Evaluator(run).evaluate()?.curve)
    #expect(throws: (any Error).self) { try TrainingRun.load(path, settings: ["model.width=32"]) }
    // Damaged, cut short, or of something else.
    let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    for length in [0, 7, 100, bytes.count - 1] {
      try Data(bytes[..<length]).write(to: URL(fileURLWithPath: path))
      #expect(throws: (any Error).self) { try TrainingRun.load(path) }
    }
    try AtomicFile.write(SafetensorsFile.parts([StoredTensor("x", shape: [1], [Float(1)])]), to: path)
    #expect(throws: NotAnExperiment.self) { try TrainingRun.load(path) }
    let huge = tinyRecipe { ($0.width, $0.heads, $0.layers, $0.points, $0.batch) = (8192, 1, 256, 5, 1) }
    try AtomicFile.write(
      SafetensorsFile.parts(
        [StoredTensor("x", shape: [1], [Float(1)])], metadata: ["note.recipe": huge.yaml]),
      to: path)
    #expect(throws: NotAnExperiment.self) { try TrainingRun.load(path) }
  }

  @Test func evaluationIsOnOtherPromptsAndRepeats() throws {
    let run = TrainingRun(
      tinyRecipe { ($0.shifts, $0.baselines) = (["orthogonal", "scale-x:2"], ["newton:3"]) })
    let first = try #require(Evaluator(run).evaluate())
    #expect(first.parts.map(\.name) == ["in distribution", "orthogonal", "scale-x:2"])
    #expect(first.loopCurves.map(\.name) == ["looped, 4 loops", "Newton"])
    _ = try run.step()  // The stream of the data moves; the held-out prompts stay.
    let second = try #require(Evaluator(run).evaluate())
    #expect(first.parts[0].curves[1] == second.parts[0].curves[1])
    #expect(first.curve != second.curve)
    // Zero context: nobody can do better than zero; the loop curve meets the context curve at the trained loops.
    #expect(second.parts[0].curves[1].mean[0]! > 0.5)
    #expect(abs(second.loopCurves[0].mean[3]! - second.curve.mean[4]!) < 1e-9)
    #expect(Evaluator(run).evaluate(progress: { _ in false }) == nil)
  }
}
