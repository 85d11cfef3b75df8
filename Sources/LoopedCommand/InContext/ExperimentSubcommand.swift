import ArgumentParser
import Foundation
import InContext
import Reporting
import Tensors

/// `looped icl experiment`
struct ExperimentSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Train and measure the runs of an experiment, and hold a paper's claims against them.",
    discussion: """
      For example: looped icl experiment Experiments/linear.yaml

      Experiments/linear/ gets report.md, the figures and results.json. What is trained already is not trained again, \
      what was stopped goes on; runs of several experiments that train the same are shared.
      """)

  @Argument(help: "An experiment (YAML).") var experiment: String
  @OptionGroup var options: ExperimentOptions

  func run() throws {
    Interrupt.install()
    let experiment = try Experiment(path: self.experiment)
    let folder = try options.folder(of: self.experiment)
    var evaluations: [Evaluation] = []
    if options.reportOnly {
      evaluations = try folder.measurements(Evaluation.self)
    } else {
      for run in experiment.runs {
        let probes = experiment.probes.flatMap { $0.runs.contains(run.name) ? $0 : nil }
        if let evaluation = try measure(run, probes: probes) { evaluations.append(evaluation) }
      }
      try folder.keep(evaluations.map(Self.rounded))
    }
    let report = ExperimentReport(
      experiment: experiment, evaluations: evaluations, command: "looped icl experiment \(self.experiment)")
    try folder.write(report.document)
  }

  /// Trains what is left to train of a run, and measures it. `nil`: not trained, and not to be.
  private func measure(_ wanted: Experiment.Run, probes: Experiment.Probes?) throws -> Evaluation? {
    let folder = options.runs + "/" + wanted.folder
    let checkpoint = TrainingSession.checkpoint(in: folder)
    let exists = FileManager.default.fileExists(atPath: checkpoint)
    let run =
      exists
      ? try TrainingRun.load(checkpoint, settings: wanted.recipe.untrainedSettings)
      : TrainingRun(wanted.recipe)
    guard run.recipe == wanted.recipe else {
      throw CommandError("\(folder) holds a run of another recipe\nhint: remove it, or choose another --runs")
    }
    if !run.isDone {
      guard options.announce(wanted.name, in: folder) else { return nil }
      guard try TrainingSession(run: run, folder: folder, printsLines: false).train() else {
        throw ExitCode(130)
      }
    }
    let evaluator = Evaluator(run)
    var bar = ProgressBar(total: evaluator.work, what: "measurements of \(wanted.name)")
    let evaluation = evaluator.evaluate { done in
      bar.update(done)
      return !Interrupt.isRequested
    }
    bar.finish()
    guard var evaluation else { throw ExitCode(130) }
    evaluation.name = wanted.name
    if let probes { evaluation.parts += try probe(run, probes).evaluationParts }
    return evaluation
  }

  private func probe(_ run: TrainingRun, _ probes: Experiment.Probes) throws -> Probing {
    var prober = try Prober(run)
    (prober.steps, prober.batch) = (probes.steps, probes.batch)
    var bar = ProgressBar(total: 2 * probes.steps, what: "steps of probes")
    let probing = try prober.probe { done in
      bar.update(done)
      return !Interrupt.isRequested
    }
    bar.finish()
    guard let probing else { throw ExitCode(130) }
    return probing
  }

  /// Numbers to five digits, for what `looped icl plot` reads.
  private static func rounded(_ evaluation: Evaluation) -> Evaluation {
    var evaluation = evaluation
    for part in evaluation.parts.indices {
      evaluation.parts[part].curves = evaluation.parts[part].curves.map(rounded)
    }
    evaluation.loopCurves = evaluation.loopCurves.map(rounded)
    if let errors = evaluation.loopMap?.errors { evaluation.loopMap?.errors = errors.map(rounded) }
    return evaluation
  }

  private static func rounded(_ curve: Curve) -> Curve {
    var curve = curve
    curve.mean = rounded(curve.mean)
    curve.low = rounded(curve.low)
    curve.high = rounded(curve.high)
    return curve
  }

  private static func rounded(_ values: [Double?]) -> [Double?] {
    values.map { $0.map { Double(String(format: "%.5g", $0)) ?? $0 } }
  }
}
