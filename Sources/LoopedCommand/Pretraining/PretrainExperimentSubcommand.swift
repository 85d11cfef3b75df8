import ArgumentParser
import Foundation
import Pretraining
import Reporting
import Tensors

/// `looped pretrain experiment`
struct PretrainExperimentSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract:
      "Train looped and other networks on a synthetic task or a text, and hold a paper's claims against them.",
    discussion: """
      For example: looped pretrain experiment Experiments/LoopedLanguageModels/mano.yaml

      Experiments/LoopedLanguageModels/mano/ gets report.md, the figures and results.json. What is trained already is \
      not trained again, what was stopped goes on; runs of several experiments that train the same are shared. The keys \
      of recipes on text are listed by `looped pretrain keys`.
      """)

  @Argument(help: "An experiment (YAML).") var experiment: String?
  @OptionGroup var options: ExperimentOptions
  @Flag(help: "List the keys of recipes of tasks and their defaults.") var keys = false

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
    switch try ExperimentKind(experiment: path) {
    case .tasks: try run(TaskExperiment<TaskRecipe>(path: path), path) { try measure($0, named: $1, in: $2) }
    case .text:
      try run(TaskExperiment<PretrainingRecipe>(path: path), path) { try measure($0, named: $1, in: $2) }
    }
  }

  /// - Parameter measure: trains what is left to train of a recipe in a folder, and measures it. `nil`: not trained, and
  ///   not to be.
  private func run<Recipe: MeasuredRecipe>(
    _ experiment: TaskExperiment<Recipe>, _ path: String,
    measure: (_ recipe: Recipe, _ name: String, _ folder: String) throws -> TaskEvaluation?
  ) throws {
    let folder = try options.folder(of: path)
    var evaluations: [TaskEvaluation] = []
    if options.reportOnly {
      evaluations = try folder.measurements(TaskEvaluation.self, isWhole: \.isWhole)
    } else {
      // Seed by seed, so that what is there early is a whole comparison.
      for seed in experiment.seeds {
        for run in experiment.runs {
          if let evaluation = try measure(
            run.recipe(seed: seed), "\(run.name), seed \(seed)", options.runs + "/" + run.folder(seed: seed))
          {
            // As they are kept, so that a report made from what is kept is the same.
            evaluations.append(evaluation.rounded)
          }
        }
        try folder.keep(evaluations)
      }
    }
    let report = TaskExperimentReport(
      experiment: experiment, evaluations: evaluations, command: "looped pretrain experiment \(path)")
    try folder.write(report.document)
  }

  private func measure(_ recipe: TaskRecipe, named name: String, in folder: String) throws -> TaskEvaluation?
  {
    let run = try TaskRun(recipe, resuming: folder)
    if !run.isDone {
      guard options.announce(name, in: folder) else { return nil }
      var bar = ProgressBar(total: recipe.steps + recipe.gateSteps, what: "steps of \(name)")
      let done = try run.train(
        into: folder, goesOn: { !Interrupt.isRequested }, tell: { bar.update($0.step) })
      bar.finish()
      guard done else { throw ExitCode(130) }
    }
    return try whole(run.evaluate(goesOn: { !Interrupt.isRequested }))
  }

  private func measure(
    _ recipe: PretrainingRecipe, named name: String, in folder: String
  ) throws -> TaskEvaluation? {
    let run = try PretrainingRun.opened(recipe, folder: folder)
    if !run.isDone {
      guard options.announce(name, in: folder) else { return nil }
      var bar = ProgressBar(total: recipe.steps, what: "steps of \(name)")
      let done = try run.train(
        goesOn: { !Interrupt.isRequested },
        tell: { if case .progressed(let step, _) = $0 { bar.update(step) } })
      bar.finish()
      guard done else { throw ExitCode(130) }
    }
    return try whole(run.measure(goesOn: { !Interrupt.isRequested }))
  }

  private func whole(_ evaluation: TaskEvaluation?) throws -> TaskEvaluation {
    guard let evaluation else { throw ExitCode(130) }
    return evaluation
  }
}
