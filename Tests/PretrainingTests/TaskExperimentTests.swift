import Foundation
import Testing
import TextFiles

@testable import Pretraining

@Suite struct TaskExperimentTests {
  private static let whole = """
    name: Small
    seeds: 2
    runs:
      - {name: one, recipe: a.yaml}
      - {name: looped, recipe: a.yaml, set: {training.loops: 3}}
    table: [operations 4, agreement 2]
    figures:
      - {name: loops, over: loops, runs: [looped]}
      - {name: share, over: model.width, lines: training.loops, shows: loss}
    claims:
      - says: Loops help.
        that: ["looped @ operations 4 > 0.1 + one @ operations 4", "looped @ all < 1"]
    """

  private func read(_ text: String) throws -> TaskExperiment<TaskRecipe> {
    try TaskExperiment(yaml: Array(text.utf8), file: "e.yaml") { name, settings in
      try TaskRecipe(yaml: [], file: name, settings: ["task.operations=4"] + settings)
    }
  }

  @Test func itReads() throws {
    let experiment = try read(Self.whole)
    #expect(experiment.seeds == [1, 2] && experiment.runs.map(\.name) == ["one", "looped"])
    #expect(experiment.runs[1].recipe.loops == 3 && experiment.runs[1].recipe(seed: 7).seed == 7)
    #expect(experiment.runs[1].folder(seed: 2) == "a,training.loops=3,seed=2")
    #expect(experiment.figures.map(\.axis) == [.loops, .key("model.width", lines: "training.loops")])
    #expect(experiment.figures.map(\.shows) == [.accuracy, .loss])
    #expect(experiment.claims[0].comparisons[0].right.offset == 0.1)
  }

  @Test(arguments: [
    ("seeds: 2", "seeds: 0", "seeds"), ("seeds: 2", "seeds: many", "many"), ("name: Small", "nam: x", "nam"),
    ("recipe: a.yaml, set", "recipe: a.yaml, put", "put"), ("training.loops: 3", "training.loop: 3", "loop"),
    ("training.loops: 3", "seed: 3", "seeds"), ("name: looped", "name: one", "same name"),
    ("name: looped", "name: a@b", "without @"), ("agreement 2", "agreement 9", "agreement 9"),
    ("runs: [looped]", "runs: [lopped]", "lopped"), ("over: loops", "over: depth", "depth"),
    ("lines: training.loops", "lines: loops", "loops"), ("name: share", "name: loops", "same name"),
    ("name: share", "name: ../share", "figure needs a name"),
    ("one @ operations 4", "two @ operations 4", "two"),
    ("one @ operations 4", "one @ operations 5", "operations 5"),
    ("one @ operations 4", "one operations 4", "comparison"),
    ("looped @ all < 1", "looped @ all", "comparison"),
    ("looped @ all < 1", "one @ agreement 2 < 1", "not measured of 'one'"),
    ("shows: loss", "shows: speed", "speed"), ("name: Small", "trains: text", "trains text"),
    ("name: Small", "trains: songs", "songs"), ("looped @ all < 1", "looped @ bits < 1", "bits"),
    ("looped @ all < 1", "looped @ gate loss at 9 loops < 1", "9 loops"),
    ("that: [", "because: [", "because"), ("runs:\n", "runs: 3\nrun:\n", "list"),
  ])
  func mistakesAreNamed(_ old: String, _ new: String, _ says: String) throws {
    let text = Self.whole.replacing(old, with: new)
    #expect(text != Self.whole)
    let error = #expect(throws: SourceError.self) { _ = try read(text) }
    #expect("\(error!)".contains(says), "\(error!)")
  }

  @Test(arguments: ["", "- a", "name: [", "\u{0}", "runs: []"])
  func whatIsNoExperimentIsRefused(_ text: String) {
    #expect(throws: SourceError.self) { _ = try read(text) }
  }

  @Test func experimentsOnTextNameTheirRecipes() throws {
    let text = """
      trains: text
      runs: [{name: four, recipe: a.yaml, set: {training.loops: 4}}]
      table: [loss held-out, loss held-out loop 2, agreement 2 3, gate loss at 2.5 loops]
      claims: [{says: x, that: ["four @ entropy accuracy at 2 loops > four @ held-out loop 2"]}]
      """
    let experiment = try TaskExperiment<PretrainingRecipe>(yaml: Array(text.utf8), file: "e.yaml") {
      try PretrainingRecipe(yaml: [], file: $0, settings: ["data.text=a.txt"] + $1)
    }
    #expect(experiment.runs[0].recipe(seed: 3).seed == 3 && experiment.table.count == 4)
    #expect(experiment.runs[0].folder(seed: 3) == "a,training.loops=4,seed=3")
    let folder = try Folder()
    for (text, kind) in [(text, ExperimentKind.text), ("name: a", .tasks), ("", .tasks), ("- a", .tasks)] {
      let path = folder.path + "/e.yaml"
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try ExperimentKind(experiment: path) == kind)
    }
    try Data("trains: songs".utf8).write(to: URL(fileURLWithPath: folder.path + "/e.yaml"))
    #expect(throws: SourceError.self) { try ExperimentKind(experiment: folder.path + "/e.yaml") }
  }

  /// The experiments that this repository comes with name what is measured, and their recipes are read.
  @Test func shippedExperimentsAreRead() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = root.appendingPathComponent("Experiments/LoopedLanguageModels").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 5)
    for file in files {
      let path = folder + "/" + file
      switch try ExperimentKind(experiment: path) {
      case .tasks: #expect(try !TaskExperiment<TaskRecipe>(path: path).claims.isEmpty)
      case .text: #expect(try !TaskExperiment<PretrainingRecipe>(path: path).claims.isEmpty)
      }
    }
    for name in ["paper-mano", "paper-multi-hop", "paper-capo"] {
      _ = try TaskRecipe(path: root.path + "/Recipes/Pretraining/\(name).yaml")
    }
    _ = try PretrainingRecipe(path: root.path + "/Recipes/Pretraining/paper-loops.yaml")
  }

  @Test func outcomesAreMeansAndCountsOfSeeds() throws {
    func evaluation(_ name: String, _ seed: Int, _ share: Double) throws -> TaskEvaluation {
      var evaluation = try TaskRecipe(yaml: [], file: "a", settings: ["task.operations=1"]).blank
      (evaluation.name, evaluation.seed, evaluation.accuracy) = (name, seed, [[share]])
      return evaluation
    }
    let all = try [
      evaluation("a", 1, 0.5), evaluation("b", 1, 0.25), evaluation("a", 2, 0.5), evaluation("b", 2, 0.625),
      evaluation("a", 3, 0),
    ]
    let comparison = try #require(TaskClaim.Comparison("a @ all > b @ all"))
    let outcome = try #require(comparison.outcome(in: all))
    #expect(outcome.left == 0.5 && outcome.right == 0.4375 && outcome.holds)
    #expect(outcome.seeds.holding == 1 && outcome.seeds.all == 2, "the third seed has no b")
    let offset = try #require(TaskClaim.Comparison("a @ all > 0.125 + b @ all"))
    #expect(offset.outcome(in: all)?.holds == false)
    #expect(try #require(TaskClaim.Comparison("a @ all < 0.5")).outcome(in: all)?.seeds.all == 3)
    #expect(try #require(TaskClaim.Comparison("c @ all < 0.5")).outcome(in: all) == nil)
    for text in ["a @ all", "a < b", "nan < a @ all", "a @ all < x + b @ all", "a @ all < b @ all < 1"] {
      #expect(TaskClaim.Comparison(text) == nil, "\(text)")
    }
  }
}
