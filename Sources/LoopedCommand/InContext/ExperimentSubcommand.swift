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
  @Option(help: "The folder of all runs.") var runs = "runs/experiments"
  @Option(
    name: .shortAndLong, help: "The folder of the report. (default: the experiment's name without .yaml)")
  var output: String?
  @Flag(help: "Write the report from the results there are, without training or measuring.") var reportOnly =
    false
  @Flag(help: "Leave out runs that are not trained, and say so, instead of training them.") var trainedOnly =
    false

  func run() throws {
    Interrupt.install()
    let experiment = try Experiment(path: self.experiment)
    let stem =
      self.experiment.hasSuffix(".yaml") ? String(self.experiment.dropLast(5)) : self.experiment + "-report"
    let folder = output ?? stem
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CommandError("cannot make the folder \(folder): \(error.localizedDescription)")
    }
    let results = folder + "/results.json"
    var evaluations: [Evaluation]
    if reportOnly {
      guard let data = FileManager.default.contents(atPath: results),
        let read = try? JSONDecoder().decode([Evaluation].self, from: data)
      else {
        throw CommandError("\(results) holds no measurements\nhint: leave out --report-only to make them")
      }
      evaluations = read
    } else {
      evaluations = []
      for run in experiment.runs {
        let probes = experiment.probes.flatMap { $0.runs.contains(run.name) ? $0 : nil }
        if let evaluation = try measure(run, probes: probes) { evaluations.append(evaluation) }
      }
      try AtomicFile.write([Array(try Self.json(evaluations).utf8)], to: results)
    }
    let report = ExperimentReport(
      experiment: experiment, evaluations: evaluations, command: "looped icl experiment \(self.experiment)")
    for figure in experiment.figures {
      guard let chart = report.chart(figure) else { continue }
      try AtomicFile.write([Array((chart.text + "\n").utf8)], to: "\(folder)/\(figure.name).svg")
    }
    try AtomicFile.write([Array(report.markdown.utf8)], to: folder + "/report.md")
    print(report.summary, terminator: "")
  }

  /// Trains what is left to train of a run, and measures it. `nil`: not trained, and not to be.
  private func measure(_ wanted: Experiment.Run, probes: Experiment.Probes?) throws -> Evaluation? {
    let folder = runs + "/" + wanted.folder
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
      guard !trainedOnly else {
        FileHandle.standardError.write(Data("left out, not trained: \(wanted.name)\n".utf8))
        return nil
      }
      FileHandle.standardError.write(Data("training \(wanted.name) into \(folder)\n".utf8))
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

  /// One run a line, numbers to five digits: what `looped icl plot` reads.
  static func json(_ evaluations: [Evaluation]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try evaluations.map { evaluation in
      var evaluation = evaluation
      for part in evaluation.parts.indices {
        evaluation.parts[part].curves = evaluation.parts[part].curves.map(rounded)
      }
      evaluation.loopCurves = evaluation.loopCurves.map(rounded)
      if let errors = evaluation.loopMap?.errors { evaluation.loopMap?.errors = errors.map(rounded) }
      return String(decoding: try encoder.encode(evaluation), as: UTF8.self)
    }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
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
