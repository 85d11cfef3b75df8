import ArgumentParser
import Foundation
import InContext
import Reporting
import Tensors

/// `looped icl evaluate`
struct EvaluateSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a run on prompts it has never seen, beside least squares and others.",
    discussion: """
        looped icl evaluate runs/tiny --html report.html
        looped icl evaluate Examples/InContext/linear-looped-small.safetensors --trace-to fit.html
      """)

  @Argument(help: "The folder of a run, a checkpoint, an exported model, or a recipe: its untrained network.")
  var model: String
  @Option(help: "KEY=VALUE over the run's recipe, as evaluation.prompts=256; may be repeated.") var set:
    [String] = []
  @Option(help: "Write everything measured to FILE, as JSON: `looped icl plot` reads it.") var output: String?
  @Flag(help: "Print JSON instead of tables.") var json = false
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?
  @Option(
    help:
      "Write the trace of its loops on one prompt, whose inputs vary in one feature, to FILE: .jsonl for machines, .html for people."
  ) var traceTo: String?

  func run() throws {
    Interrupt.install()
    let evaluator = Evaluator(try TrainingRun.fromModelOrRecipe(model, settings: set))
    try writeTrace(evaluator)
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

  /// As many loops as the loop curve has.
  private func writeTrace(_ evaluator: Evaluator) throws {
    guard let traceTo else { return }
    let run = evaluator.run
    guard let points = LearnerFit.heldOutPoints(of: run) else {
      throw CommandError(
        "--trace-to draws a fit of linear functions, and this run's are of the family "
          + run.recipe.family.rawValue,
        hint: "families with a trace are linear and sparse")
    }
    let output = try TraceOutput(toTerminal: false, path: traceTo)
    try output?.write(LearnerFit(run, points: points, loops: evaluator.loops).trace)
  }
}

/// `looped icl plot`
struct PlotSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw measurements of several runs together.",
    discussion: """
        looped icl evaluate runs/a --output a.json
        looped icl plot a.json b.json --svg both.svg
      """)

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
