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

      Experiments/LoopedLanguageModels/mano/ gets report.md, the figures and results.json. What is trained already is \
      not trained again, what was stopped goes on; runs of several experiments that train the same are shared.
      """)

  @Argument(help: "An experiment (YAML).") var experiment: String?
  @OptionGroup var options: ExperimentOptions
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
    let folder = try options.folder(of: path)
    var evaluations: [TaskEvaluation] = []
    if options.reportOnly {
      evaluations = try folder.measurements(TaskEvaluation.self, isWhole: \.isWhole)
    } else {
      // Seed by seed, so that what is there early is a whole comparison.
      for seed in experiment.seeds {
        for run in experiment.runs {
          if let evaluation = try measure(run, seed: seed) { evaluations.append(evaluation) }
        }
        try folder.keep(evaluations.map(\.rounded))
      }
    }
    let report = TaskExperimentReport(
      experiment: experiment, evaluations: evaluations, command: "looped pretrain experiment \(path)")
    try folder.write(report.document)
  }

  /// Trains what is left to train of a run, and measures it. `nil`: not trained, and not to be.
  private func measure(_ wanted: TaskExperiment.Run, seed: Int) throws -> TaskEvaluation? {
    let folder = options.runs + "/" + wanted.folder(seed: seed)
    let run = try TaskRun(wanted.recipe(seed: seed), resuming: folder)
    let name = "\(wanted.name), seed \(seed)"
    if !run.isDone {
      guard options.announce(name, in: folder) else { return nil }
      var bar = ProgressBar(total: run.recipe.steps + run.recipe.gateSteps, what: "steps of \(name)")
      let done = try run.train(
        into: folder, goesOn: { !Interrupt.isRequested }, tell: { bar.update($0.step) })
      bar.finish()
      guard done else { throw ExitCode(130) }
    }
    guard let evaluation = run.evaluate(goesOn: { !Interrupt.isRequested }) else { throw ExitCode(130) }
    return evaluation
  }
}
