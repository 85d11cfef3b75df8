import LanguageModel
import Tokenization

/// The body of `POST /v1/chat/completions`.
struct ChatRequest: Decodable, Sendable {
  struct Message: Decodable, Sendable {
    var role: String
    var content: MessageContent?
    var name: String?

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      role = try container.decode(String.self, forKey: .role)
      content = try container.decodeIfPresent(MessageContent.self, forKey: .content)
      name = try container.decodeIfPresent(String.self, forKey: .name)
      guard container.contains(.content) else {
        throw DecodingError.keyNotFound(
          CodingKeys.content, .init(codingPath: decoder.codingPath, debugDescription: ""))
      }
    }

    private enum CodingKeys: String, CodingKey { case role, content, name }
  }

  private struct Ignored: Decodable {}

  var messages: [Message]
  var logProbabilities: Bool?
  var topLogProbabilities: Int?
  var fields: GenerationFields

  private enum CodingKeys: String, CodingKey {
    case messages, logprobs, tools, functions
    case topLogProbabilities = "top_logprobs"
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    messages = try container.decode([Message].self, forKey: .messages)
    logProbabilities = try container.decodeIfPresent(Bool.self, forKey: .logprobs)
    topLogProbabilities = try container.decodeIfPresent(Int.self, forKey: .topLogProbabilities)
    for key in [CodingKeys.tools, .functions] {
      if let tools = try container.decodeIfPresent([Ignored].self, forKey: key), !tools.isEmpty {
        throw DecodingError.dataCorrupted(
          .init(codingPath: [key], debugDescription: "\(key.rawValue) is not supported: leave it out"))
      }
    }
    fields = try GenerationFields(from: decoder)
  }

  /// - Throws: `ServingError`.
  func conversation() throws -> [ChatMessage] { try Self.conversation(messages) }

  /// - Throws: `ServingError`.
  static func conversation(_ messages: [Message]) throws -> [ChatMessage] {
    guard !messages.isEmpty else {
      throw ServingError.invalid("messages is empty", parameter: "messages")
    }
    return try messages.enumerated().map { place, message in
      guard ["system", "developer", "user", "assistant", "tool"].contains(message.role) else {
        throw ServingError.invalid(
          "messages[\(place)].role must be system, developer, user, assistant or tool",
          parameter: "messages[\(place)].role")
      }
      // Templates know the older name.
      return ChatMessage(
        role: message.role == "developer" ? "system" : message.role, content: message.content?.text ?? "")
    }
  }

  /// How many alternatives every token is told with; `nil` without log-probabilities.
  /// - Throws: `ServingError`.
  func alternatives() throws -> Int? {
    guard let top = topLogProbabilities else { return logProbabilities == true ? 0 : nil }
    guard logProbabilities == true else {
      throw ServingError.invalid("top_logprobs needs logprobs", parameter: "top_logprobs")
    }
    guard (0...20).contains(top) else {
      throw ServingError.invalid("top_logprobs \(top): it must be from 0 to 20", parameter: "top_logprobs")
    }
    return top
  }
}
