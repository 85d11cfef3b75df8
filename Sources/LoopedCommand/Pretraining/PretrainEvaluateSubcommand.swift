import ArgumentParser
import Foundation
import Pretraining
import Reporting

/// `looped pretrain evaluate`
struct PretrainEvaluateSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a run on its held-out documents: loss per loop, and early exits.",
    discussion: """
        looped pretrain evaluate runs/kjv --loops 8
      """)

  @Argument(help: "The folder of a run.") var folder: String
  @Option(help: "Loops to make; more than trained extrapolates.") var loops: Int?
  @Option(help: "KEY=VALUE over the recipe, for example evaluation.sequences=0 for all.") var set: [String] =
    []
  @Flag(help: "One JSON object.") var json = false

  func validate() throws {
    if let loops, !(1...64).contains(loops) { throw ValidationError("--loops is from 1 to 64") }
  }

  func run() throws {
    Interrupt.install()
    let run = try PretrainingRun.resume(folder, settings: set)
    guard let found = try run.evaluate(loops: loops, goesOn: { !Interrupt.isRequested }) else {
      if Interrupt.isRequested { throw ExitCode(130) }
      throw CommandError(
        "\(folder) has no held-out documents\nhint: data.held-out-every in the recipe keeps some back")
    }
    if json {
      print(found.entry.json)
      return
    }
    let statistics = found.statistics
    print(
      "\(run.recipe.name), step \(found.step): \(statistics.tokens) held-out tokens, mean exit "
        + String(format: "%.3f", statistics.meanExit))
    var table = TextTable(header: ["loop", "nats per token", "exits"])
    for (loop, loss) in statistics.losses.enumerated() {
      table.add([
        "\(loop + 1)", String(format: "%.4f", loss), String(format: "%.1f %%", 100 * statistics.exits[loop]),
      ])
    }
    print(table.text)
    guard !found.exits.isEmpty else { return }
    var early = TextTable(header: ["exit threshold", "mean loops", "nats per token"])
    for exit in found.exits {
      early.add([
        "\(exit.threshold)", String(format: "%.3f", exit.meanLoops), String(format: "%.4f", exit.loss),
      ])
    }
    print(early.text)
  }
}

/// `looped pretrain tokenizer`
struct PretrainTokenizerSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Learn a byte-level vocabulary from texts and write its tokenizer.json.",
    discussion: """
        looped pretrain tokenizer book.txt --vocabulary 4096 -o tokenizer.json
      """)

  @Argument(help: "Text files (UTF-8).") var texts: [String]
  @Option(help: "Tokens: three special ones, 256 bytes, and merges.") var vocabulary = 2048
  @Option(name: .shortAndLong, help: "The file to write.") var output = "tokenizer.json"

  func validate() throws {
    if texts.isEmpty { throw ValidationError("a text is needed") }
    guard (TrainedVocabulary.smallest...1_000_000).contains(vocabulary) else {
      throw ValidationError("--vocabulary is from \(TrainedVocabulary.smallest) to 1000000")
    }
  }

  func run() throws {
    var trainer = VocabularyTrainer()
    for path in texts { for text in try TextDocuments.read(path) { trainer.add(text) } }
    let learned = trainer.train(size: vocabulary)
    try learned.write(to: output)
    print("\(output): \(learned.count) tokens")
  }
}
