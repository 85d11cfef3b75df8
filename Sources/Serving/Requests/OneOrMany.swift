import Tokenization

/// A string, or an array of them.
struct OneOrMany: Decodable, Sendable {
  var values: [String]

  init(from decoder: any Decoder) throws {
    if let value = try? decoder.singleValueContainer().decode(String.self) {
      values = [value]
    } else if let values = try? decoder.singleValueContainer().decode([String].self) {
      self.values = values
    } else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription:
            "\(decoder.codingPath.last?.stringValue ?? "it") must be a string or an array of strings"
        ))
    }
  }
}

/// A prompt of a completion: text, or tokens.
enum Prompt: Sendable {
  case text(String)
  case tokens([TokenID])
}

/// One prompt or several, each as text or tokens.
struct Prompts: Decodable, Sendable {
  var values: [Prompt]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      values = [.text(text)]
    } else if let tokens = try? container.decode([TokenID].self), !tokens.isEmpty {
      values = [.tokens(tokens)]
    } else if let texts = try? container.decode([String].self), !texts.isEmpty {
      values = texts.map(Prompt.text)
    } else if let lists = try? container.decode([[TokenID]].self), !lists.isEmpty {
      values = lists.map(Prompt.tokens)
    } else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription:
            "prompt must be a string, an array of strings, an array of tokens or an array of such"))
    }
  }
}

/// The text of a message: a string, or parts of which only those of text are known.
struct MessageContent: Decodable, Sendable {
  var text: String

  private struct Part: Decodable {
    var type: String
    var text: String?
  }

  init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      self.text = text
      return
    }
    guard let parts = try? decoder.singleValueContainer().decode([Part].self),
      parts.allSatisfy({ $0.type == "text" && $0.text != nil })
    else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "content must be a string or an array of {\"type\": \"text\", \"text\": …}"))
    }
    text = parts.compactMap(\.text).joined()
  }
}
