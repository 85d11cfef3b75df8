import ArgumentParser
import Foundation
import Pretraining
import Reporting
import Tensors

/// `looped pretrain experiment`
struct PretrainExperimentSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Train looped and other networks on a synthetic task, and hold a paper's claims against them.",
    discussion: """
      For example: looped pretrain experiment Experiments/LoopedLanguageModels/mano.yaml

      Experiments/LoopedLanguageModels/mano/ gets report.md, the figures and results.json. What is trained already is not trained again, \
      what was stopped goes on; runs of several experiments that train the same are shared.
      """)

  @Argument(help: "An experiment (YAML).") var experiment: String?
  @Option(help: "The folder of all runs.") var runs = "runs/experiments"
  @Option(
    name: .shortAndLong, help: "The folder of the report. (default: the experiment's name without .yaml)")
  var output: String?
  @Flag(help: "Write the report from the results there are, without training or measuring.") var reportOnly =
    false
  @Flag(help: "Leave out runs that are not trained, and say so, instead of training them.") var trainedOnly =
    false
  @Flag(help: "List the keys of recipes and their defaults.") var keys = false

  func validate() throws {
    if experiment == nil, !keys {
      throw ValidationError("an experiment is needed, as Experiments/LoopedLanguageModels/mano.yaml")
    }
  }

  func run() throws {
    guard !keys, let path = self.experiment else {
      let defaults = TaskRecipe()
      var table = TextTable(header: ["key", "default", "what it is"])
      for field in TaskRecipe.fields { table.add([field.key, field.get(defaults), field.help]) }
      print(table.text)
      return
    }
    Interrupt.install()
    let experiment = try TaskExperiment(path: path)
    let folder = output ?? (path.hasSuffix(".yaml") ? String(path.dropLast(5)) : path + "-report")
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CommandError("cannot make the folder \(folder): \(error.localizedDescription)")
    }
    let results = folder + "/results.json"
    var evaluations: [TaskEvaluation] = []
    if reportOnly {
      guard let data = FileManager.default.contents(atPath: results),
        let read = try? JSONDecoder().decode([TaskEvaluation].self, from: data),
        read.allSatisfy(\.isWhole)
      else {
        throw CommandError("\(results) holds no measurements\nhint: leave out --report-only to make them")
      }
      evaluations = read
    } else {
      // Seed by seed, so that what is there early is a whole comparison.
      for seed in experiment.seeds {
        for run in experiment.runs {
          if let evaluation = try measure(run, seed: seed) { evaluations.append(evaluation) }
        }
        try AtomicFile.write([Array(try Self.json(evaluations).utf8)], to: results)
      }
    }
    let report = TaskExperimentReport(
      experiment: experiment, evaluations: evaluations, command: "looped pretrain experiment \(path)")
    for figure in experiment.figures {
      guard let chart = report.chart(figure) else { continue }
      try AtomicFile.write([Array((chart.text + "\n").utf8)], to: "\(folder)/\(figure.name).svg")
    }
    try AtomicFile.write([Array(report.markdown.utf8)], to: folder + "/report.md")
    print(report.summary, terminator: "")
  }

  /// Trains what is left to train of a run, and measures it. `nil`: not trained, and not to be.
  private func measure(_ wanted: TaskExperiment.Run, seed: Int) throws -> TaskEvaluation? {
    let folder = runs + "/" + wanted.folder(seed: seed)
    let run = try TaskRun(wanted.recipe(seed: seed), resuming: folder)
    let name = "\(wanted.name), seed \(seed)"
    if !run.isDone {
      guard !trainedOnly else {
        FileHandle.standardError.write(Data("left out, not trained: \(name)\n".utf8))
        return nil
      }
      FileHandle.standardError.write(Data("training \(name) into \(folder)\n".utf8))
      var bar = ProgressBar(total: run.recipe.steps + run.recipe.gateSteps, what: "steps of \(name)")
      let done = try run.train(
        into: folder, goesOn: { !Interrupt.isRequested }, tell: { bar.update($0.step) })
      bar.finish()
      guard done else { throw ExitCode(130) }
    }
    guard let evaluation = run.evaluate(goesOn: { !Interrupt.isRequested }) else { throw ExitCode(130) }
    return evaluation
  }

  /// One run a line, numbers to five digits.
  static func json(_ evaluations: [TaskEvaluation]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try evaluations.map { String(decoding: try encoder.encode($0.rounded), as: UTF8.self) }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
  }
}
