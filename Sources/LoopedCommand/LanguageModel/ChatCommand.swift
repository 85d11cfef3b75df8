import ArgumentParser
import Foundation
import LanguageModel
import Tensors
import Tokenization

struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Talk with a model.",
    discussion: """
      A line is a message. Ctrl-C stops an answer, and a second time ends the program. Commands:

        /reset               begin anew          /loops N             loops of the next answers
        /system TEXT         the system message  /exit-threshold Q    leave early, by the gate
        /retry               answer again        /save FILE           the conversation as JSON
        /help                this list           /quit

        looped chat -m smollm2
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var loop: LoopOptions
  @OptionGroup var answer: AnswerOptions

  @Option(help: "What the system message says.")
  var systemPrompt: String?

  @Flag(help: "The statistics under every answer.")
  var verbose = false

  func run() throws {
    let pool = model.pool
    let (loaded, loadSeconds) = try model.timedLoad(pool: pool)
    var session = ChatSession(
      conversation: try Conversation(loaded, model: model, loop: loop, pool: pool),
      template: try loaded.chatTemplate() ?? .chatML, system: systemPrompt, loops: model.loops,
      exit: loop.policy(loaded.model.configuration, loops: model.loops))
    Interrupt.install()
    let isTerminal = isatty(STDIN_FILENO) == 1
    while true {
      if isTerminal { try Output.write("> ") }
      guard let line = readLine() else { break }
      Interrupt.clear()
      do {
        switch try session.read(line) {
        case .nothing: continue
        case .quit: return
        case .say(let text): try Output.write(text + "\n")
        case .answer(let prompt):
          let settings = try answer.settings(
            loaded, sampling: try sampling.settings(loaded.generation, logProbabilities: nil),
            exit: session.exit,
            skippedLoops: loop.skippedLoops)
          let result = try session.conversation.answer(
            prompt, settings: settings, drafts: answer.drafts
          ) {
            try Output.write($0)
          }
          session.finish(result.text)
          try Output.write("\n")
          if verbose {
            let report = GenerationReport(result, loaded: loaded, pool: pool, loadSeconds: loadSeconds)
            FileHandle.standardError.write(Data(report.footer.utf8))
          }
        }
      } catch let error as any ReportedError where isTerminal {
        // A mistake at the prompt ends no conversation.
        FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      }
    }
    if isTerminal { try Output.write("\n") }
  }
}

/// The messages so far, and what a line asks for.
struct ChatSession {
  enum Step {
    case nothing, quit
    case say(String)
    case answer(prompt: [TokenID])
  }

  let conversation: Conversation
  let template: ChatTemplate
  var system: String?
  var loops: Int?
  var exit: ExitPolicy
  private(set) var messages: [ChatMessage] = []

  init(conversation: Conversation, template: ChatTemplate, system: String?, loops: Int?, exit: ExitPolicy) {
    self.conversation = conversation
    self.template = template
    self.system = system
    self.loops = loops
    self.exit = exit
  }

  /// - Throws: `CommandError` for a command that is none, and what the template throws.
  mutating func read(_ line: String) throws -> Step {
    guard line.hasPrefix("/") else {
      guard !line.trimmingCharacters(in: .whitespaces).isEmpty else { return .nothing }
      messages.append(ChatMessage(role: "user", content: line))
      return .answer(prompt: try prompt())
    }
    let parts = line.dropFirst().split(separator: " ", maxSplits: 1)
    let rest = parts.count > 1 ? String(parts[1]) : ""
    switch parts.first.map(String.init) ?? "" {
    case "quit", "exit": return .quit
    case "help": return .say("/reset  /system TEXT  /retry  /loops N  /exit-threshold Q  /save FILE  /quit")
    case "reset":
      messages = []
      return .say("(a new conversation)")
    case "system":
      system = rest.isEmpty ? nil : rest
      return .say("(the system message holds from the next answer on)")
    case "retry":
      if messages.last?.role == "assistant" { messages.removeLast() }
      guard messages.last?.role == "user" else { throw CommandError("/retry: nothing was asked yet") }
      return .answer(prompt: try prompt())
    case "loops":
      let most = conversation.loaded.model.configuration.loops
      guard let count = Int(rest), (1...most).contains(count) else {
        throw CommandError(
          "/loops \(rest): it must be from 1 to \(most), the loops the model was loaded with")
      }
      exit.loops = count
      return .say("(\(count) loops)")
    case "exit-threshold":
      guard let threshold = Float(rest), conversation.loaded.model.gate != nil else {
        throw CommandError("/exit-threshold \(rest): give a number from 0 to 1; the model must have a gate")
      }
      exit.rule = .threshold(threshold)
      return .say("(a token leaves when it has left with probability \(threshold))")
    case "save":
      guard !rest.isEmpty else { throw CommandError("/save: where to?") }
      try save(rest)
      return .say("(saved to \(rest))")
    default: throw CommandError("\(line): no such command; /help lists them")
    }
  }

  /// Notes the answer.
  mutating func finish(_ text: String) { messages.append(ChatMessage(role: "assistant", content: text)) }

  private func prompt() throws -> [TokenID] {
    let first = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    return try conversation.loaded.encode(template, first + messages)
  }

  private func save(_ path: String) throws {
    let all = (system.map { [ChatMessage(role: "system", content: $0)] } ?? []) + messages
    let document = ["messages": all.map { ["role": $0.role, "content": $0.content] }]
    let data = try JSONSerialization.data(withJSONObject: document, options: [.prettyPrinted, .sortedKeys])
    try AtomicFile.write([Array(data)], to: path)
  }
}
