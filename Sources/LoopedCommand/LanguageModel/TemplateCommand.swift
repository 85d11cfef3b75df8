import ArgumentParser
import Foundation
import Tokenization

struct TemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "template", abstract: "Show what a chat template makes of a conversation.",
    discussion: """
      Reads messages as JSON from standard input: an array of {"role": …, "content": …}, or an object of all variables.

        echo '[{"role": "user", "content": "Hi"}]' | looped template --model tokenizer_config.json

      With --lines every line is an object {"template": …, "variables": {…}}, answered by {"text": …} or {"error": …}.
      """)

  @Option(
    name: .shortAndLong,
    help: "A Jinja file, a tokenizer_config.json, or a folder that has either; ChatML if left out.")
  var model: String?
  @Flag(help: "Leave out the beginning of the answer.")
  var noGenerationPrompt = false
  @Flag(help: "Render a template per line of the input.")
  var lines = false
  @Option(help: "The moment that strftime_now tells, in seconds since 1970; now if left out.")
  var time: Double?

  func run() throws {
    let now = time.map { Date(timeIntervalSince1970: $0) } ?? Date()
    if lines { return try runLines(now) }
    let (template, variables) = try load()
    let input = FileHandle.standardInput.readDataToEndOfFile()
    let value = try TemplateValue(json: Array(input), file: "standard input")
    var all: [String: TemplateValue] = ["tools": .none, "documents": .none]
    all.merge(variables) { $1 }
    all["add_generation_prompt"] = .bool(!noGenerationPrompt)
    switch value {
    case .array: all["messages"] = value
    case .object(let members): for member in members { all[member.key] = member.value }
    default:
      throw CommandError("messages are expected", hint: "write [{\"role\": \"user\", \"content\": \"…\"}]")
    }
    print(try template.render(all, now: now), terminator: "")
  }

  private func load() throws -> (ChatTemplate, [String: TemplateValue]) {
    guard let model else { return (.chatML, [:]) }
    var paths = [model]
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: model, isDirectory: &isFolder) else {
      throw CommandError("no file \(model)")
    }
    if isFolder.boolValue {
      paths = ["chat_template.jinja", "tokenizer_config.json"]
        .map { URL(fileURLWithPath: model).appendingPathComponent($0).path }
        .filter { FileManager.default.fileExists(atPath: $0) }
    }
    var source: String?
    var variables: [String: TemplateValue] = [:]
    for path in paths {
      if path.hasSuffix(".json") {
        let configuration = try TokenizerConfiguration(contentsOf: path)
        variables = configuration.variables
        source = source ?? configuration.chatTemplate
      } else {
        source = String(decoding: try readBytes(path, limit: 4 << 20), as: UTF8.self)
      }
    }
    guard let source else {
      throw CommandError("\(model) has no chat template", hint: "leave out --model for ChatML")
    }
    return (try ChatTemplate(source), variables)
  }

  private func runLines(_ now: Date) throws {
    var reader = try LineReader(path: "-")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    while let line = try reader.next() {
      guard
        case .object(let members) = try TemplateValue(json: line, file: "standard input:\(reader.number)"),
        case .string(let source)? = members.first(where: { $0.key == "template" })?.value,
        case .object(let variables)? = members.first(where: { $0.key == "variables" })?.value
      else { throw CommandError("standard input:\(reader.number): a template and variables are expected") }
      var answer: [String: String] = [:]
      do {
        answer["text"] = try ChatTemplate(source).render(
          Dictionary(variables.map { ($0.key, $0.value) }) { $1 }, now: now)
      } catch let error as TemplateError {
        answer["error"] = error.description
      }
      print(String(decoding: try encoder.encode(answer), as: UTF8.self))
      if !reader.hasLine { fflush(nil) }
    }
    if Interrupt.isRequested { throw ExitCode(130) }
  }
}
