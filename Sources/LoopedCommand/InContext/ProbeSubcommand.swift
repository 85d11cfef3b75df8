import ArgumentParser
import Foundation
import InContext
import RecipeFiles
import Reporting
import Tensors

extension NotProbed: ReportedError {}

/// `looped icl probe`
struct ProbeSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract:
      "Train small networks that read XᵀY and the least-squares weights from a network's hidden state.",
    discussion: """
      The network is frozen. Every depth (the embedded prompt, then every loop, or every block of a standard decoder) \
      gets a probe for every number of points. A control is trained on prompts of one function. Memory goes with \
      --batch times the depths.

        looped icl probe runs/small --svg probes.svg
      """)

  @Argument(help: "The folder of a run, a checkpoint, an exported model, or a recipe: its untrained network.")
  var model: String
  @Option(help: "KEY=VALUE over the recipe; may be repeated.") var set: [String] = []
  @Option(help: "Steps of training.") var steps = 1000
  @Option(help: "Prompts per step.") var batch = 128
  @Option(help: "Held-out prompts.") var prompts = 1280
  @Option(help: "Learning rate of the probes.") var rate = 1e-2
  @Option(help: "Loops to look at. (default: the trained)") var loops: Int?
  @Flag(help: "Print JSON instead of tables.") var json = false
  @Option(help: "Write everything measured to FILE, as JSON.") var output: String?
  @Option(help: "Write the charts to FILE.") var svg: String?
  @Option(help: "Write the report to FILE.") var html: String?

  func validate() throws {
    guard (1...1_000_000).contains(steps) else { throw ValidationError("--steps is 1 to 1000000") }
    guard (2...65_536).contains(batch) else { throw ValidationError("--batch is 2 to 65536") }
    guard (1...1_000_000).contains(prompts) else { throw ValidationError("--prompts is 1 to 1000000") }
    guard rate > 0, rate <= 1 else { throw ValidationError("--rate is above 0 and at most 1") }
    guard loops.map({ (1...1000).contains($0) }) ?? true else {
      throw ValidationError("--loops is 1 to 1000")
    }
  }

  func run() throws {
    Interrupt.install()
    let run = try TrainingRun.fromModelOrRecipe(model, settings: set)
    var prober = try Prober(run)
    (prober.steps, prober.batch, prober.prompts, prober.rate) = (steps, batch, prompts, rate)
    if let loops { prober.loops = loops }
    guard prober.bytes < 8 << 30 else {
      throw CommandError("a step takes \(prober.bytes >> 30) GiB\nhint: a smaller --batch or --loops")
    }
    var bar = ProgressBar(total: 2 * steps, what: "steps")
    let probing = try prober.probe { done in
      bar.update(done)
      return !Interrupt.isRequested
    }
    bar.finish()
    guard let probing else { throw ExitCode(130) }
    let report = ProbingReport(probing)
    if let output { try AtomicFile.write([Array(report.json.utf8)], to: output) }
    print(json ? report.json : report.text, terminator: "")
    try report.write(svg: svg, html: html)
  }
}

extension TrainingRun {
  /// The run in a folder, a checkpoint, an exported model; or an untrained one of a recipe.
  static func fromModelOrRecipe(_ path: String, settings: [String]) throws -> TrainingRun {
    if path.hasSuffix(".yaml") || path.hasSuffix(".yml") {
      return TrainingRun(try Recipe(path: path, settings: settings))
    }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    return try load(
      exists && isFolder.boolValue ? TrainingSession.checkpoint(in: path) : path, settings: settings)
  }
}
