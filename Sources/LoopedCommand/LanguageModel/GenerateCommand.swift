import ArgumentParser
import Foundation
import LanguageModel
import Tensors
import Tokenization

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a text, or answer a question.",
    discussion: """
      The text goes to standard output as it comes, the statistics to standard error.

        looped generate -p "Why is the sky blue?"
        looped generate -m Ouro-1.4B-Thinking -p "What is 17 * 23?" --temp 1 --top-p 0.7 -n 2000
        looped generate -m Ouro-1.4B -p "Once upon" --ignore-chat-template --exit-threshold 0.8
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var loop: LoopOptions
  @OptionGroup var answer: AnswerOptions

  @Option(name: .shortAndLong, help: "The prompt; - reads standard input.")
  var prompt: String

  @Option(help: "What the system message of the chat template says.")
  var systemPrompt: String?

  @Flag(help: "The prompt as it is, without the model's chat template.")
  var ignoreChatTemplate = false

  @Option(help: ArgumentHelp("Keeps what the prompt left in a file, and begins from it.", valueName: "file"))
  var promptCacheFile: String?

  @Option(
    help: ArgumentHelp(
      "Also reports the log-probability of every token, and of so many others.", valueName: "n"))
  var logprobs: Int?

  @Flag(help: "One JSON object on standard output when the answer is complete.")
  var json = false

  func run() throws {
    let pool = model.pool
    let (loaded, loadSeconds) = try model.timedLoad(pool: pool)
    let conversation = try Conversation(loaded, model: model, loop: loop, pool: pool)
    let tokens = try promptTokens(loaded)
    if let promptCacheFile { try conversation.restore(promptCacheFile) }
    let settings = try answer.settings(
      loaded, sampling: try sampling.settings(loaded.generation, logProbabilities: logprobs),
      exit: loop.policy(loaded.model.configuration, loops: model.loops), skippedLoops: loop.skippedLoops)
    Interrupt.install()
    let result = try conversation.answer(tokens, settings: settings, drafts: answer.drafts) { text in
      if !json { try Output.write(text) }
    }
    if let promptCacheFile { try conversation.save(promptCacheFile, prompt: tokens) }
    let report = GenerationReport(result, loaded: loaded, pool: pool, loadSeconds: loadSeconds)
    if json {
      print(try report.json)
    } else {
      try Output.write("\n")
      FileHandle.standardError.write(Data(report.footer.utf8))
    }
  }

  private func promptTokens(_ loaded: LoadedModel) throws -> [TokenID] {
    let text = try PromptText.read(prompt)
    guard !ignoreChatTemplate, let template = try loaded.chatTemplate() else {
      if systemPrompt != nil {
        throw CommandError("--system-prompt needs a chat template, and the model has none or it is ignored")
      }
      return loaded.tokenizer.encode(text, addSpecialTokens: true)
    }
    let messages =
      (systemPrompt.map { [ChatMessage(role: "system", content: $0)] } ?? [])
      + [ChatMessage(role: "user", content: text)]
    return try loaded.encode(template, messages)
  }
}

/// How an answer ends.
struct AnswerOptions: ParsableArguments {
  @Option(
    name: [.customShort("n"), .customLong("max-tokens"), .customLong("n-predict")],
    help: ArgumentHelp("The longest answer, in tokens.", valueName: "tokens"))
  var maximumTokens = 256

  @Option(help: ArgumentHelp("The answer ends before this text; may be given again.", valueName: "text"))
  var stop: [String] = []

  @Option(help: ArgumentHelp("One more token that ends an answer; may be given again.", valueName: "token"))
  var extraEosToken: [String] = []

  @Flag(
    inversion: .prefixedNo,
    help: "Drafts the next tokens from early loops and checks them in the same pass: the same text, sooner.")
  var wavefront = false

  var drafts: DraftSettings { wavefront ? .adaptive : .off }

  /// - Throws: `CommandError` for an end token that the tokenizer does not have.
  func settings(
    _ loaded: LoadedModel, sampling: SamplingSettings, exit: ExitPolicy, skippedLoops: SkippedLoops
  ) throws -> GenerationSettings {
    var ends = Set(loaded.generation.endTokens)
    for name in extraEosToken {
      guard let id = loaded.tokenizer.id(of: name) else {
        throw CommandError("--extra-eos-token \(name): the tokenizer has no such token")
      }
      ends.insert(id)
    }
    return GenerationSettings(
      sampling: sampling, exit: exit, skippedLoops: skippedLoops, maximumTokens: maximumTokens,
      stopStrings: stop, endTokens: ends)
  }
}
