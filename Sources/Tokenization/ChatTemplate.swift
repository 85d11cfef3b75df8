import Foundation

/// One turn of a conversation.
public struct ChatMessage: Equatable, Sendable {
  /// Who speaks: "system", "user", "assistant", "tool" …
  public var role: String
  public var content: String
  /// Further members that templates may ask for, such as `tool_calls`.
  public var members: [TemplateValue.Member]

  public init(role: String, content: String, members: [TemplateValue.Member] = []) {
    self.role = role
    self.content = content
    self.members = members
  }

  var value: TemplateValue {
    .object([.init("role", .string(role)), .init("content", .string(content))] + members)
  }
}

/// Turns a conversation into the text that a model was trained on.
///
/// Templates are written in the part of Jinja that public models use: for, if, set, macro, call, filter, raw and generation
/// tags, with the filters, tests and methods that errors list. Equal to `jinja2` with `trim_blocks` and `lstrip_blocks`, as
/// everybody runs them (Conformance/test_tokenizer.py). Every template ends: work, depth and output are limited.
public struct ChatTemplate: Sendable {
  /// The source.
  public let source: String
  private let statements: [Statement]

  /// The most bytes of a source.
  static let largestSource = 4 << 20

  /// - Throws: `TemplateError`, which names the line, for what is malformed or not supported.
  public init(_ source: String) throws {
    guard source.utf8.count <= Self.largestSource else {
      throw TemplateError(line: 1, message: "the template has more than \(Self.largestSource >> 20) MiB")
    }
    self.source = source
    statements = try TemplateParser.parse(source)
  }

  /// ChatML, the form of Ouro, SmolLM2 and Qwen, without a system message of its own.
  public static let chatML = try! ChatTemplate(
    """
    {% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
    {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """)

  /// The text of a conversation.
  ///
  /// Templates find `messages`, `add_generation_prompt`, `tools` and `documents` (none, unless given) and what `variables`
  /// has, such as `bos_token`, `eos_token` or `enable_thinking`.
  /// - Parameters:
  ///   - addGenerationPrompt: whether the text ends where the model's answer begins.
  ///   - now: what `strftime_now` tells.
  /// - Throws: `TemplateError`, also when the template refuses the messages (`isRaisedByTemplate`).
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: TemplateValue] = [:],
    now: Date = Date()
  ) throws -> String {
    var all: [String: TemplateValue] = ["tools": .none, "documents": .none]
    all.merge(variables) { $1 }
    all["messages"] = .array(messages.map(\.value))
    all["add_generation_prompt"] = .bool(addGenerationPrompt)
    return try render(all, now: now)
  }

  /// The text of a template that finds `variables` and nothing else.
  /// - Throws: `TemplateError`.
  public func render(_ variables: [String: TemplateValue], now: Date = Date()) throws -> String {
    let scope = Scope(nil)
    for (name, value) in variables { scope[name] = Value(value) }
    let interpreter = TemplateInterpreter(now: now)
    _ = try interpreter.run(statements, scope)
    return interpreter.output
  }
}
