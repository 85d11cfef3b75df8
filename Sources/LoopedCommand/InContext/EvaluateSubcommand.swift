import ArgumentParser
import Foundation
import InContext
import Reporting
import Tensors

/// `looped icl evaluate`
struct EvaluateSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a run on prompts it has never seen, beside least squares and others.")

  @Argument(help: "The folder of a run, a checkpoint, or an exported model.") var model: String
  @Option(help: "KEY=VALUE over the run's recipe, as evaluation.prompts=256; may be repeated.") var set:
    [String] = []
  @Option(help: "Write everything measured to FILE, as JSON: `looped icl plot` reads it.") var output: String?
  @Flag(help: "Print JSON instead of tables.") var json = false
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?

  func run() throws {
    Interrupt.install()
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: model, isDirectory: &isFolder)
    let path = exists && isFolder.boolValue ? TrainingSession.checkpoint(in: model) : model
    let evaluator = Evaluator(try TrainingRun.load(path, settings: set))
    var bar = ProgressBar(total: evaluator.work, what: "measurements")
    let evaluation = evaluator.evaluate { done in
      bar.update(done)
      return !Interrupt.isRequested
    }
    bar.finish()
    guard let evaluation else { throw ExitCode(130) }
    let report = EvaluationReport([evaluation])
    if let output { try AtomicFile.write([Array(report.json.utf8)], to: output) }
    print(json ? report.json : report.text, terminator: "")
    try report.write(svg: svg, html: html)
  }
}

/// `looped icl plot`
struct PlotSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw measurements of several runs together.")

  @Argument(help: "Files that `looped icl evaluate --output` or `looped icl sweep` wrote.") var files:
    [String]
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?

  func run() throws {
    guard !files.isEmpty else { throw ValidationError("name at least one file") }
    let evaluations = try files.flatMap { file in
      guard let data = FileManager.default.contents(atPath: file) else {
        throw CommandError("cannot read \(file)")
      }
      do {
        return try JSONDecoder().decode([Evaluation].self, from: data)
      } catch {
        throw CommandError("\(file) holds no measurements of in-context runs: \(error.localizedDescription)")
      }
    }
    guard evaluations.allSatisfy({ $0.parts.first?.curves.isEmpty == false }) else {
      throw CommandError("a file without curves cannot be drawn")
    }
    let report = EvaluationReport(evaluations)
    print(report.text, terminator: "")
    try report.write(svg: svg, html: html)
  }
}

/// `looped icl sweep`
struct SweepSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Train and evaluate a recipe once for every combination of some values.",
    discussion: """
      For example: looped icl sweep Recipes/linear-looped.yaml --over training.loops=5,10,15 --over seed=1,2

      A combination whose folder holds a finished run is not trained again, one that was stopped goes on.
      """)

  @Argument(help: "A recipe (YAML).") var recipe: String
  @Option(help: "KEY=VALUE,VALUE,…; may be repeated: all combinations are run.") var over: [String]
  @Option(help: "KEY=VALUE over the recipe; may be repeated.") var set: [String] = []
  @Option(name: .shortAndLong, help: "The folder for all runs.") var output = "runs/sweep"
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?

  func run() throws {
    Interrupt.install()
    var combinations: [[String]] = [[]]
    for axis in over {
      let parts = axis.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { throw ValidationError("--over is KEY=VALUE,VALUE,…, not '\(axis)'") }
      combinations = combinations.flatMap { combination in
        parts[1].split(separator: ",").map { combination + ["\(parts[0])=\($0)"] }
      }
    }
    guard combinations.count <= 1000 else { throw ValidationError("\(combinations.count) combinations") }
    // Every recipe is checked before the first is trained.
    let recipes = try combinations.map { combination in
      var recipe = try Recipe(path: recipe, settings: set + combination)
      recipe.name += combination.isEmpty ? "" : ", " + combination.joined(separator: ", ")
      return recipe
    }
    var evaluations: [Evaluation] = []
    for (recipe, combination) in zip(recipes, combinations) {
      let folder = output + "/" + combination.joined(separator: "-").replacing("/", with: "-")
      let checkpoint = TrainingSession.checkpoint(in: folder)
      let run =
        FileManager.default.fileExists(atPath: checkpoint)
        ? try TrainingRun.load(checkpoint, settings: ["training.steps=\(recipe.steps)"]) : TrainingRun(recipe)
      guard run.recipe == recipe else {
        throw CommandError("\(folder) holds a run of another recipe\nhint: choose another --output")
      }
      guard try TrainingSession(run: run, folder: folder, printsLines: false).train() else {
        throw ExitCode(130)
      }
      guard let evaluation = Evaluator(run).evaluate(progress: { _ in !Interrupt.isRequested }) else {
        throw ExitCode(130)
      }
      let last = evaluation.curve.mean.last.flatMap { $0 } ?? .nan
      print("\(recipe.name): error \(String(format: "%.4g", last)) at the last position")
      evaluations.append(evaluation)
    }
    let report = EvaluationReport(evaluations)
    try AtomicFile.write([Array(report.json.utf8)], to: output + "/sweep.json")
    try report.write(svg: svg, html: html)
  }
}
