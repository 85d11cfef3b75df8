import ArgumentParser
import Collectives
import Foundation
import InContext
import RecipeFiles
import Reporting
import Tensors

/// `looped icl sweep`
struct SweepSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Train and evaluate a recipe once for every combination of some values.",
    discussion: """
      Two keys of several values each also make a heat map of the error at the last position.

        looped icl sweep Recipes/linear-looped.yaml --over training.loops=5,10,15 --over seed=1,2

      A combination whose folder holds a finished run is not trained again, one that was stopped goes on.

      Under mpirun every rank trains the next combination that is its turn, and the first evaluates all of them. See \
      Documentation/DistributedTraining.md.
      """)

  @Argument(help: "A recipe (YAML).") var recipe: String
  @Option(help: "KEY=VALUE,VALUE,…; may be repeated: all combinations are run.") var over: [String]
  @Option(help: "KEY=VALUE over the recipe; may be repeated.") var set: [String] = []
  @Option(name: .shortAndLong, help: "The folder for all runs.") var output = "runs/sweep"
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?

  func run() throws {
    Interrupt.install()
    try Ranks.run(sweep)
  }

  private func sweep(_ communicator: any Communicator) throws {
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
    let all = Array(zip(recipes, combinations))
    if communicator.size > 1 {
      var isTrained = true
      for index in stride(from: communicator.rank, to: all.count, by: communicator.size) where isTrained {
        isTrained = try train(all[index].0, all[index].1) != nil
      }
      guard try communicator.agrees(isTrained) else { throw ExitCode(130) }
      // What follows finds every run finished.
      guard communicator.isFirst else { return }
    }
    var evaluations: [Evaluation] = []
    for (recipe, combination) in all {
      guard let run = try train(recipe, combination) else { throw ExitCode(130) }
      guard let evaluation = Evaluator(run).evaluate(progress: { _ in !Interrupt.isRequested }) else {
        throw ExitCode(130)
      }
      let last = evaluation.curve.mean.last.flatMap { $0 } ?? .nan
      print("\(recipe.name): error \(String(format: "%.4g", last)) at the last position")
      evaluations.append(evaluation)
    }
    var report = EvaluationReport(evaluations)
    report.maps = Self.maps(over, evaluations)
    try AtomicFile.write([Array(report.json.utf8)], to: output + "/sweep.json")
    try report.write(svg: svg, html: html)
  }

  /// The finished run of a combination; `nil` where Ctrl-C stopped it.
  private func train(_ recipe: Recipe, _ combination: [String]) throws -> TrainingRun? {
    let folder = output + "/" + combination.joined(separator: "-").replacing("/", with: "-")
    let checkpoint = TrainingSession.checkpoint(in: folder)
    let run =
      FileManager.default.fileExists(atPath: checkpoint)
      ? try TrainingRun.load(checkpoint, settings: ["training.steps=\(recipe.steps)"]) : TrainingRun(recipe)
    guard run.recipe == recipe else {
      throw CommandError("\(folder) holds a run of another recipe\nhint: choose another --output")
    }
    return try TrainingSession(run: run, folder: folder, printsLines: false).train() ? run : nil
  }

  /// The error at the last position over two keys, where there are two of several values.
  ///
  /// Runs come in the order of the combinations: the last key changes fastest.
  static func maps(_ over: [String], _ evaluations: [Evaluation]) -> [SVGHeatMap] {
    let axes = over.map { axis -> (key: String, values: [String]) in
      let parts = axis.split(separator: "=", maxSplits: 1)
      return (String(parts[0]), parts[1].split(separator: ",").map(String.init))
    }
    guard axes.count == 2, axes.allSatisfy({ $0.values.count > 1 }) else { return [] }
    let (rows, columns) = (axes[0], axes[1])
    guard evaluations.count == rows.values.count * columns.values.count else { return [] }
    let values = rows.values.indices.map { row in
      columns.values.indices.map { evaluations[row * columns.values.count + $0].curve.mean.last ?? nil }
    }
    return [
      SVGHeatMap(
        title: "Error at the last position", xLabel: columns.key, yLabel: rows.key, valueLabel: "error",
        columns: columns.values, rows: rows.values, values: values, logarithmic: true)
    ]
  }
}
