import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a looped model thinks after every loop.",
    discussion: """
      Per token and loop: the most probable next tokens, the probability of leaving, how far the state moved, and \
      whether the prediction is already the last loop's.

        looped inspect -m Ouro-1.4B -p "The capital of France is"
        looped inspect -m Ouro-1.4B -p "2 + 2 =" --html lens.html
        looped inspect -m Ouro-1.4B -p "2 + 2 =" --trace-to loops.html
        looped inspect -m Ouro-1.4B --tokens 5,17,3 --dump states.safetensors
        looped inspect -m Ouro-1.4B --files
      """)

  @OptionGroup var model: ModelOptions

  @Option(name: .shortAndLong, help: "The text; - reads standard input.")
  var prompt: String?

  @Option(help: ArgumentHelp("Token ids instead of a text, separated by commas.", valueName: "ids"))
  var tokens: String?

  @Option(name: [.customLong("top")], help: "How many predictions to show.")
  var top = 3

  @Option(help: ArgumentHelp("Writes a page for the browser.", valueName: "file"))
  var html: String?

  @Option(
    help: ArgumentHelp(
      "Writes the trace, which is played loop by loop: .jsonl for machines, .html for people.",
      valueName: "file"))
  var traceTo: String?

  @Option(
    help: ArgumentHelp(
      "Writes logits [loops, tokens, vocabulary], exit_logits and states as safetensors.", valueName: "file"))
  var dump: String?

  @Flag(help: "Only what is in the model's files: the configuration, and every array with its type and size.")
  var files = false

  @Flag(help: "One JSON object on standard output.")
  var json = false

  func validate() throws {
    if files {
      if prompt != nil || tokens != nil || html != nil || traceTo != nil || dump != nil {
        throw ValidationError("--files runs nothing: it goes with --model and --json alone")
      }
    } else if (prompt == nil) == (tokens == nil) {
      throw ValidationError("give either --prompt or --tokens")
    }
    if top < 1 || top > 100 { throw ValidationError("--top \(top): it must be from 1 to 100") }
  }

  func run() throws {
    if files {
      let report = FilesReport(summary: try ModelSummary(model.path))
      print(json ? try report.json + "\n" : report.text, terminator: "")
      return
    }
    let pool = model.pool
    let loaded = try model.load(pool: pool)
    let ids = try input(loaded)
    let trace = try TraceOutput(toTerminal: false, path: traceTo)
    let executor = LoopExecutor(loaded.model, pool: pool)
    let loops = loaded.model.configuration.loops
    if let dump {
      try LoopDump.write(ids, executor: executor, loops: loops, format: .float32, to: dump)
    }
    let inspection = try LoopInspection(executor, ids, loops: loops, top: top)
    if let trace {
      // `--loops` is in the model's configuration, too: the files know how many it was trained with.
      let trained = try model.loops == nil ? loops : ModelSummary(model.path).loops
      let name = URL(fileURLWithPath: try model.path).lastPathComponent
      try trace.write(
        inspection.trace(
          of: loaded.model, loaded.tokenizer, name: name, trainedLoops: trained, pool: pool))
    }
    let report = InspectionReport(inspection: inspection, tokenizer: loaded.tokenizer)
    if let html { try AtomicFile.write([Array(report.page.utf8)], to: html) }
    if json { print(try report.json) } else { print(report.text, terminator: "") }
  }

  private func input(_ loaded: LoadedModel) throws -> [TokenID] {
    if let tokens {
      let limit = loaded.model.configuration.vocabularySize
      let ids = try tokens.split(separator: ",").map { word in
        guard let id = TokenID(word.trimmingCharacters(in: .whitespaces)), id >= 0, id < limit else {
          throw CommandError("--tokens: '\(word)' is no token; ids are 0 to \(limit - 1)")
        }
        return id
      }
      guard !ids.isEmpty else { throw CommandError("--tokens names no token") }
      return ids
    }
    let ids = loaded.tokenizer.encode(try PromptText.read(prompt ?? ""))
    guard !ids.isEmpty else { throw CommandError("the text has no tokens") }
    return ids
  }
}

/// The text of a prompt option: itself, or standard input for `-`.
enum PromptText {
  static func read(_ option: String) throws -> String {
    guard option == "-" else { return option }
    let data = FileHandle.standardInput.readDataToEndOfFile()
    // Bytes that are no UTF-8 become the replacement character, as everywhere in this field.
    return String(decoding: data, as: UTF8.self)
  }
}
