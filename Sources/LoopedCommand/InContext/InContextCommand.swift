import ArgumentParser
import Foundation
import Gradients
import InContext
import RecipeFiles
import Reporting
import Tensors

struct InContextCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "icl",
    abstract: "Train networks that learn from examples in their prompt, and see how well they do.",
    discussion: """
      A recipe in Recipes/ says everything about an experiment; --set changes any of its keys:

        looped icl train Recipes/linear-looped.yaml --set training.steps=2000 --output runs/linear
        looped icl evaluate runs/linear --html report.html
      """,
    subcommands: [
      TrainSubcommand.self, EvaluateSubcommand.self, SweepSubcommand.self, ExperimentSubcommand.self,
      ProbeSubcommand.self, SampleSubcommand.self, PlotSubcommand.self, KeysSubcommand.self,
    ])
}

extension CheckpointError: ReportedError {}
extension NotAnExperiment: ReportedError {}
extension Divergence: ReportedError {}
extension LogError: ReportedError {}

/// `looped icl keys`
struct KeysSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "List the keys of recipes and their defaults.")

  func run() throws {
    let defaults = Recipe().yamlValues
    var table = TextTable(header: ["key", "default", "what it is"])
    for field in Recipe.fields { table.add([field.key, defaults[field.key] ?? "", field.help]) }
    print(table.text)
    print("Baselines: \(Baselines.names)\n\nShifts: \(DistributionShift.names)")
  }
}

/// Trains a run into its folder: checkpoints, logs, progress. Shared by `train` and `sweep`.
struct TrainingSession {
  let run: TrainingRun
  let folder: String
  /// Whether log lines are printed.
  var printsLines = true

  static func checkpoint(in folder: String) -> String { folder + "/checkpoint.safetensors" }

  /// Trains up to the recipe's last step, or until Ctrl-C. - Returns: whether it is done.
  func train() throws -> Bool {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CommandError("cannot make the folder \(folder): \(error.localizedDescription)")
    }
    try AtomicFile.write([Array(run.recipe.yaml.utf8)], to: folder + "/recipe.yaml")
    let start = run.trainer.step
    let log = try JSONLinesLog(path: folder + "/log.jsonl", resumingAfter: start > 0 ? start : nil)
    let events = try EventFile(folder: folder + "/events")
    defer {
      try? log.close()
      try? events.close()
    }
    let checkpoint = Self.checkpoint(in: folder)
    let isTerminal = Terminal.isTerminal(STDERR_FILENO)
    let clock = ContinuousClock()
    let begin = clock.now
    var shown = begin
    while !run.isDone, !Interrupt.isRequested {
      let entry: LogEntry
      do {
        entry = try run.step()
      } catch let divergence as Divergence {
        clear(isTerminal)
        throw divergence
      }
      let step = run.trainer.step
      let now = clock.now
      let speed = Double(step - start) / max((now - begin) / .seconds(1), 1e-9)
      if step % run.recipe.logEvery == 0 || run.isDone || run.evaluates(after: step) {
        var logged = entry
        logged.values.append(("steps_per_second", speed))
        try log.write(logged)
        try events.write(logged)
        if printsLines {
          clear(isTerminal)
          FileHandle.standardOutput.write(Data((logged.line + "\n").utf8))
        }
      }
      if step % run.recipe.checkpointEvery == 0 { try run.save(to: checkpoint) }
      if isTerminal, now - shown > .milliseconds(200), now - begin > .seconds(1) {
        shown = now
        show(step, speed)
      }
    }
    clear(isTerminal)
    try run.save(to: checkpoint)
    return run.isDone
  }

  private func show(_ step: Int, _ speed: Double) {
    let left = Int(Double(run.recipe.steps - step) / max(speed, 1e-9))
    let text = String(
      format: "step %d of %d  loss %.4f  %.1f steps/s  %d:%02d left", step, run.recipe.steps,
      run.smoothedLoss,
      speed, left / 60, left % 60)
    FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
  }

  private func clear(_ isTerminal: Bool) {
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}

/// `looped icl train`
struct TrainSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a recipe; Ctrl-C loses nothing.",
    discussion: """
      The folder gets recipe.yaml, checkpoint.safetensors, log.jsonl and TensorBoard's events. With --resume the run \
      goes on from its checkpoint, bit by bit as if it had never stopped.

        looped icl train Recipes/linear-looped-tiny.yaml --output runs/tiny
        looped icl train runs/tiny --resume --set training.steps=8000
      """)

  @Argument(help: "A recipe (YAML), or with --resume the folder of a run.") var recipe: String
  @Option(help: "KEY=VALUE over the recipe; may be repeated. `looped icl keys` lists them.") var set:
    [String] = []
  @Option(name: .shortAndLong, help: "The folder of the run. (default: runs/NAME)") var output: String?
  @Flag(help: "Go on from the checkpoint of a folder.") var resume = false
  @Flag(help: "Overwrite a folder that holds a run.") var force = false
  @Option(help: "Also write the finished model, without the optimiser's state, to FILE.") var export: String?

  func run() throws {
    Interrupt.install()
    let session: TrainingSession
    if resume {
      let run = try TrainingRun.load(TrainingSession.checkpoint(in: recipe), settings: set)
      session = TrainingSession(run: run, folder: output ?? recipe)
    } else {
      let recipe = try Recipe(path: self.recipe, settings: set)
      let folder = output ?? "runs/" + recipe.fileName
      guard force || !FileManager.default.fileExists(atPath: TrainingSession.checkpoint(in: folder)) else {
        throw CommandError(
          "\(folder) holds a run already\nhint: --resume \(folder) goes on with it, --force starts anew")
      }
      session = TrainingSession(run: TrainingRun(recipe), folder: folder)
    }
    let (run, folder) = (session.run, session.folder)
    FileHandle.standardError.write(
      Data(
        "\(run.recipe.name): \(run.model.parameterCount) parameters, \(run.recipe.steps) steps, into \(folder)\n"
          .utf8))
    guard try session.train() else {
      FileHandle.standardError.write(
        Data("stopped at step \(run.trainer.step)\nhint: looped icl train --resume \(folder)\n".utf8))
      throw ExitCode(130)
    }
    if let export { try run.export(to: export) }
  }
}
