import ArgumentParser
import Collectives
import Foundation
import Pretraining
import RecipeFiles
import Reporting
import Tensors

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train looped language models: on text, their exit gate, on chats.",
    discussion: """
      A recipe in Recipes/ says everything about a run; --set changes any of its keys:

        looped pretrain Recipes/Pretraining/king-james-bible.yaml -o runs/kjv
        looped pretrain --resume runs/kjv
        looped pretrain --data book.txt -o runs/book --set training.steps=2000
        looped pretrain --stage gate --start runs/kjv/model --data book.txt -o runs/kjv-gate

      On several machines: mpirun -n 4 looped pretrain …, see Documentation/DistributedTraining.md.

      DIR/model is a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
      """,
    subcommands: [
      PretrainRunSubcommand.self, PretrainEvaluateSubcommand.self, PretrainTokenizerSubcommand.self,
      PretrainUpcycleSubcommand.self, PretrainExperimentSubcommand.self, PretrainKeysSubcommand.self,
    ], defaultSubcommand: PretrainRunSubcommand.self)
}

extension DataError: ReportedError {}
extension ShardError: ReportedError {}
extension MappingError: ReportedError {}

/// `looped pretrain RECIPE`
struct PretrainRunSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Train a recipe, or a text; Ctrl-C loses nothing.",
    discussion: """
      The folder gets recipe.yaml, checkpoint.safetensors, log.jsonl, evaluation.jsonl, samples.txt, TensorBoard's \
      events, data/ and model/. With --resume the run goes on from its checkpoint, bit by bit as if it had never \
      stopped.
      """)

  @Argument(help: "A recipe (YAML), or with --resume the folder of a run.") var recipe: String?
  @Option(help: "A text to train on; with --stage chat, conversations (JSON lines).") var data: String?
  @Option(help: "model (stage I), gate (stage II) or chat (fine-tuning).") var stage: Stage?
  @Option(help: "The folder of the model to start from.") var start: String?
  @Option(help: "KEY=VALUE over the recipe; may be repeated. `looped pretrain keys` lists them.") var set:
    [String] = []
  @Option(name: .shortAndLong, help: "The folder of the run. (default: runs/NAME)") var output: String?
  @Flag(help: "Go on from the checkpoint of a folder.") var resume = false
  @Flag(help: "Overwrite a folder that holds a run.") var force = false

  enum Stage: String, ExpressibleByArgument, CaseIterable { case model, gate, chat }

  func validate() throws {
    if recipe == nil, data == nil { throw ValidationError("a recipe or --data FILE is needed") }
    if resume, recipe == nil { throw ValidationError("--resume needs the folder of a run") }
  }

  /// Options as settings, which --set may still change.
  private var settings: [String] {
    var settings: [String] = []
    if let stage { settings.append("training.stage=\(stage.rawValue)") }
    if let start { settings.append("model.start=\(start)") }
    if let data { settings.append("data.\(stage == .chat ? "chats" : "text")=\(data)") }
    return settings + set
  }

  func run() throws {
    Interrupt.install()
    try Ranks.run(train)
  }

  private func train(_ communicator: any Communicator) throws {
    let isFirst = communicator.isFirst
    func say(_ text: String) { if isFirst { FileHandle.standardError.write(Data((text + "\n").utf8)) } }
    let run: PretrainingRun
    if resume, let folder = recipe {
      run = try PretrainingRun.resume(folder, settings: settings, communicator: communicator)
    } else {
      let recipe: PretrainingRecipe
      if let path = self.recipe {
        recipe = try PretrainingRecipe(path: path, settings: settings)
      } else {
        let name = (data! as NSString).lastPathComponent
        recipe = try PretrainingRecipe(yaml: [], file: "--data", settings: ["name=\(name)"] + settings)
      }
      let folder = output ?? "runs/" + recipe.fileName
      if isFirst, FileManager.default.fileExists(atPath: PretrainingRun.checkpoint(in: folder)) {
        guard force else {
          throw CommandError(
            "\(folder) holds a run already\nhint: --resume \(folder) goes on with it, --force starts anew")
        }
        // Its data are of another text, perhaps.
        try? FileManager.default.removeItem(atPath: folder + "/data")
      }
      say("reading the text ...")
      run = try PretrainingRun(recipe, folder: folder, communicator: communicator)
    }
    let recipe = run.recipe
    say(
      "\(recipe.name): \(run.model.parameterCount) parameters, \(run.data.training.count) tokens in "
        + "\(run.data.training.documents) documents, \(recipe.steps) steps of \(run.tokensPerStep), into \(run.folder)"
        + (communicator.size > 1 ? ", on \(communicator.size) ranks" : "")
    )
    let display = PretrainingDisplay(run)
    defer { display.clear() }
    guard try run.train(goesOn: { !Interrupt.isRequested }, tell: display.show) else {
      display.clear()
      say("stopped at step \(run.trainer.step)\nhint: looped pretrain --resume \(run.folder)")
      throw ExitCode(130)
    }
    display.clear()
    say("the model is in \(run.folder)/model")
  }
}

/// Log lines on standard output, a line of progress on a terminal.
final class PretrainingDisplay {
  private let run: PretrainingRun
  private let isTerminal = Terminal.isTerminal(STDERR_FILENO)
  private let clock = ContinuousClock()
  private var shown: ContinuousClock.Instant

  init(_ run: PretrainingRun) {
    self.run = run
    shown = clock.now
  }

  func show(_ event: PretrainingRun.Event) {
    switch event {
    case .logged(let entry):
      clear()
      print(entry.line)
    case .evaluated(let evaluation, let sample):
      clear()
      print("held out: \(evaluation.entry.line)")
      if !sample.isEmpty { print("  " + sample.replacingOccurrences(of: "\n", with: "\n  ")) }
    case .progressed(let step, let speed):
      guard isTerminal, clock.now - shown > .milliseconds(200) else { return }
      shown = clock.now
      let left = Int(Double(run.recipe.steps - step) / max(speed, 1e-9))
      let text = String(
        format: "step %d of %d  loss %.4f  %.0f tokens/s  %d:%02d:%02d left", step, run.recipe.steps,
        run.smoothedLoss, speed * Double(run.tokensPerStep), left / 3600, left / 60 % 60, left % 60)
      FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }
    fflush(nil)
  }

  private func print(_ line: String) {
    // mpirun reads no more once it is interrupted: a run that is to stop does not wait for that.
    var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
    while poll(&output, 1, 100) <= 0 { if Interrupt.isRequested { return } }
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  func clear() {
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}

/// `looped pretrain keys`
struct PretrainKeysSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "List the keys of recipes and their defaults.")

  func run() throws {
    let defaults = PretrainingRecipe()
    var table = TextTable(header: ["key", "default", "what it is"])
    for field in PretrainingRecipe.fields { table.add([field.key, field.get(defaults), field.help]) }
    print(table.text)
  }
}
