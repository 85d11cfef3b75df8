import Foundation
import InContext
import RecipeFiles
import Tensors
import Testing
import TextFiles

@Suite struct ExperimentTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func read(_ yaml: String) throws -> Experiment {
    try Experiment(yaml: Array(yaml.utf8), file: "e.yaml") { name, settings in
      try Recipe(yaml: [], file: name, settings: settings)
    }
  }

  private func error(_ yaml: String) -> SourceError? {
    do {
      _ = try read(yaml)
      return nil
    } catch {
      return error as? SourceError
    }
  }

  private let small = """
    name: both
    runs:
      - {name: a, recipe: r/x.yaml}
      - {name: "b, wide", recipe: r/x.yaml, set: {model.width: 128, evaluation.shifts: [skewed, "noise:1"]}}
    table: [context 3, loops 4, skewed 2]
    probes: {runs: [a], steps: 5}
    figures:
      - {name: one, over: loops, runs: [a]}
      - {name: three, over: probe-moment}
      - {name: two, title: "By width", over: model.width, at: context 3, lines: task.noise}
    claims:
      - says: wide is better
        that: ["b, wide @ context 3 < 0.5 * a @ context 3", "a/least squares @ context 3 > 0.1"]

    """

  @Test func isReadWhole() throws {
    let experiment = try read(small)
    #expect(experiment.runs.map(\.name) == ["a", "b, wide"])
    #expect(
      experiment.runs[1].recipe.width == 128 && experiment.runs[1].recipe.shifts == ["skewed", "noise:1"])
    #expect(experiment.places.map(\.description) == ["context 3", "loops 4", "skewed 2"])
    #expect(experiment.figures[0].axis == .loops && experiment.figures[0].title == "one")
    #expect(experiment.figures[2].axis == .key("model.width", at: Place("context 3")!, lines: "task.noise"))
    #expect(experiment.claims[0].comparisons.count == 2)
    #expect(experiment.probes?.runs == ["a"] && experiment.probes?.steps == 5)
    // What does not change training does not change the folder.
    #expect(experiment.runs.map(\.folder) == ["x", "x,model.width=128"])
  }

  @Test func untrainedSettingsCarryOverEverythingElse() throws {
    var (wanted, trained) = (Recipe(), Recipe())
    (wanted.name, wanted.prompts, wanted.shifts, wanted.logEvery) = ("n, m", 7, ["skewed", "scale-x:2"], 3)
    trained = try Recipe(yaml: [], file: "r", settings: wanted.untrainedSettings)
    #expect(trained == wanted)
    wanted.rate = 0.5
    #expect(try Recipe(yaml: [], file: "r", settings: wanted.untrainedSettings) != wanted)
  }

  @Test func claimsAreHeldAgainstNumbers() throws {
    func curve(_ name: String, _ values: [Double]) -> Curve {
      Curve(name, errors: [values], resamples: 0, random: RandomStream(seed: 1, stream: 1))
    }
    func json(_ curves: [Curve]) throws -> String {
      String(decoding: try JSONEncoder().encode(curves), as: UTF8.self)
    }
    func evaluation(_ name: String, _ context: [Double], _ loops: [Double]) throws -> Evaluation {
      let inside = [curve("net", context), curve("least squares", [1, 0.5, 0.25])]
      let text = """
        {"name": "\(name)", "expected": "", "recipe": "", "steps": 1, "parameters": 1, "printedParameters": 1,
        "trainedLoops": 2, "loopCurves": \(try json([curve("net", loops)])), "parts": [
        {"name": "in distribution", "curves": \(try json(inside))},
        {"name": "skewed", "curves": \(try json([curve("net", [3, 2, 1])]))}]}
        """
      return try JSONDecoder().decode(Evaluation.self, from: Data(text.utf8))
    }
    let all = [
      try evaluation("a", [1, 0.4, 0.2], [0.9, 0.3]), try evaluation("b, c", [1, 0.2, .nan], [0.5, 0.2]),
    ]
    func holds(_ text: String) throws -> Bool? { try #require(Claim.Comparison(text)).holds(in: all) }
    #expect(try holds("b, c @ context 1 < 1 * a @ context 1") == true)
    #expect(try holds("b, c @ context 1 < 0.5 * a @ context 1") == false)
    #expect(try holds("a @ context 2 < a/least squares @ context 2") == true)
    #expect(try holds("a @ context 1 > a/least squares @ context 1") == false)
    #expect(try holds("a @ loops 2 < 0.31") == true)
    #expect(try holds("2 * a @ loops 1 > 1.7") == true)
    #expect(try holds("a @ skewed 2 > 0.99") == true)
    #expect(try holds("a @ context least < 0.21") == true)
    #expect(try holds("b, c @ loops last < 0.21") == true)
    // What was not measured neither holds nor differs.
    #expect(try holds("a @ context 3 < 1") == nil)
    #expect(try holds("a @ loops 0 < 1") == nil)
    #expect(try holds("b, c @ context 2 < 1") == nil)
    #expect(try holds("a @ quadrants 1 < 1") == nil)
    #expect(try holds("a/lasso @ context 1 < 1") == nil)
    #expect(try holds("z @ context 1 < 1") == nil)
    for text in [
      "", "a", "a @ context 1", "a @ context 1 < ", "a @ nowhere 1 < 1", "a @ context -1 < 1", "1 < 2 < 3",
      "x * a @ context 1 < 1", "nan < 1", "a @ context 99999999999999999999 < 1", " @ context 1 < 1",
    ] { #expect(Claim.Comparison(text) == nil, "\(text)") }
  }

  @Test func errorsNameFileLineAndRemedy() {
    let run = "runs: [{name: a, recipe: x}]\n"
    #expect(error("")?.message.contains("empty") == true)
    #expect(error("name: x\n")?.message.contains("1 to") == true)
    #expect(error(run + "colour: red\n")?.line == 2)
    #expect(error(run + "colour: red\n")?.hint?.contains("claims") == true)
    #expect(error("runs: [{name: a}]\n")?.message.contains("no recipe") == true)
    #expect(error("runs: [{name: a@b, recipe: x}]\n")?.message.contains("without @") == true)
    #expect(error("runs: [{name: a, recipe: x}, {name: a, recipe: y}]\n")?.message.contains("same") == true)
    #expect(
      error("runs: [{name: a, recipe: x, set: {model.widht: 3}}]\n")?.message.contains("unknown") == true)
    #expect(error("runs: {a: b}\n")?.message.contains("list") == true)
    #expect(error(run + "table: [somewhere 3]\n")?.line == 2)
    #expect(error(run + "figures: [{name: ../x}]\n")?.message.contains("letters") == true)
    #expect(error(run + "figures: [{name: x, runs: [b]}]\n")?.message.contains("no run") == true)
    #expect(error(run + "figures: [{name: x, over: model.width}]\n")?.message.contains("where") == true)
    #expect(error(run + "figures: [{name: x, over: sideways}]\n")?.message.contains("neither") == true)
    #expect(error(run + "figures: [{name: x}, {name: x}]\n")?.message.contains("same") == true)
    #expect(error(run + "claims: [{says: x}]\n")?.message.contains("comparisons") == true)
    #expect(error(run + "claims: [{says: x, that: [a is good]}]\n")?.hint?.contains("for example") == true)
    #expect(
      error(run + "claims: [{says: x, that: [b @ context 1 < 1]}]\n")?.message.contains("no run") == true)
    #expect(error(run + "probes: {runs: [b]}\n")?.message.contains("no run") == true)
    #expect(error(run + "probes: {runs: [a], steps: 0}\n")?.message.contains("1 to") == true)
    #expect(error(run + "probes: {loops: 4}\n")?.hint?.contains("batch") == true)
    #expect(error("runs: [a\n") != nil && error("- a\n") != nil && error("\t:\n") != nil)
  }

  @Test func hostileExperimentsAreRefusedInTime() {
    #expect(error(String(repeating: "a", count: Recipe.sizeLimit + 1)) != nil)
    #expect(error("runs: [" + String(repeating: "{name: a, recipe: x}, ", count: 300) + "]\n") != nil)
    var bomb = "a: &a [x, x, x, x, x, x, x, x]\n"
    for (i, letter) in "bcdefghij".enumerated() {
      let before = Array("abcdefghij")[i]
      bomb += "\(letter): &\(letter) [\(Array(repeating: "*\(before)", count: 8).joined(separator: ", "))]\n"
    }
    #expect(error(bomb)?.message.contains("unknown key 'a'") == true)
    #expect((try? Experiment(yaml: [0xFF, 0xFE], file: "e") { _, _ in Recipe() }) == nil)
    #expect((try? Experiment(path: "/nonexistent.yaml")) == nil && (try? Experiment(path: "/")) == nil)
    // Cut anywhere, an experiment is read or refused, never more.
    let text = Array(small.utf8)
    for length in text.indices {
      _ = try? Experiment(yaml: Array(text[..<length]), file: "e") { _, _ in Recipe() }
    }
  }

  /// Every experiment names recipes that exist and are sound; where there are results, they are those of its runs.
  @Test func theExperimentsOfTheProjectAreWhole() throws {
    let folder = Self.root.appendingPathComponent("Experiments").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 4)
    var measured = 0
    for file in files {
      let experiment = try Experiment(path: folder + "/" + file)
      #expect(!experiment.claims.isEmpty && !experiment.figures.isEmpty, "\(file)")
      let results = "\(folder)/\(file.dropLast(5))/results.json"
      guard let data = FileManager.default.contents(atPath: results) else { continue }
      measured += 1
      let evaluations = try JSONDecoder().decode([Evaluation].self, from: data)
      #expect(!evaluations.isEmpty)
      for evaluation in evaluations {
        let run = try #require(
          experiment.runs.first { $0.name == evaluation.name }, "\(file): \(evaluation.name)")
        let recipe = try Recipe(yaml: Array(evaluation.recipe.utf8), file: results)
        var trained = try Recipe(
          yaml: Array(evaluation.recipe.utf8), file: results, settings: run.recipe.untrainedSettings)
        trained.name = run.name
        #expect(trained == run.recipe, "\(file): \(evaluation.name) was another recipe")
        #expect(recipe.steps == evaluation.steps)
      }
      let report = try String(contentsOfFile: "\(folder)/\(file.dropLast(5))/report.md", encoding: .utf8)
      for claim in experiment.claims { #expect(report.contains(claim.says), "\(file): \(claim.says)") }
    }
    #expect(measured >= 5)
  }
}
