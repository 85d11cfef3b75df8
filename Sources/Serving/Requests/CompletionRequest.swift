import LanguageModel
import Tokenization

/// The body of `POST /v1/completions`.
struct CompletionRequest: Decodable, Sendable {
  var prompts: Prompts
  var echo: Bool?
  var logProbabilities: Int?
  var bestOf: Int?
  var suffix: String?
  var fields: GenerationFields

  private enum CodingKeys: String, CodingKey {
    case prompt, echo, logprobs, suffix
    case bestOf = "best_of"
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    prompts = try container.decode(Prompts.self, forKey: .prompt)
    echo = try container.decodeIfPresent(Bool.self, forKey: .echo)
    // Some clients say true, as chats do.
    if let isWanted = try? container.decodeIfPresent(Bool.self, forKey: .logprobs) {
      logProbabilities = isWanted ? 0 : nil
    } else {
      logProbabilities = try container.decodeIfPresent(Int.self, forKey: .logprobs)
    }
    bestOf = try container.decodeIfPresent(Int.self, forKey: .bestOf)
    suffix = try container.decodeIfPresent(String.self, forKey: .suffix)
    fields = try GenerationFields(from: decoder)
  }

  /// - Throws: `ServingError`.
  func check() throws {
    if let logProbabilities, !(0...20).contains(logProbabilities) {
      throw ServingError.invalid(
        "logprobs \(logProbabilities): it must be from 0 to 20", parameter: "logprobs")
    }
    if let bestOf, bestOf != fields.n ?? 1 {
      throw ServingError.invalid("best_of is not supported: leave it out", parameter: "best_of")
    }
    if let suffix, !suffix.isEmpty {
      throw ServingError.invalid("suffix is not supported: leave it out", parameter: "suffix")
    }
  }

  /// The tokens of a prompt.
  /// - Throws: `ServingError` for tokens that are not the model's.
  static func tokens(_ prompt: Prompt, _ model: ServedModel) throws -> [TokenID] {
    switch prompt {
    case .text(let text):
      let tokens = model.tokenizer.encode(text, addSpecialTokens: true)
      // An empty text is where texts begin.
      guard tokens.isEmpty else { return tokens }
      let start = model.loaded.generation.beginningToken ?? model.tokenizer.endOfText
      guard let start = start ?? model.loaded.generation.endTokens.first else {
        throw ServingError.invalid("prompt is empty", parameter: "prompt")
      }
      return [start]
    case .tokens(let tokens):
      guard !tokens.isEmpty else { throw ServingError.invalid("prompt is empty", parameter: "prompt") }
      let size = model.configuration.vocabularySize
      if let wrong = tokens.first(where: { $0 < 0 || Int($0) >= size }) {
        throw ServingError.invalid(
          "prompt holds the token \(wrong), and the vocabulary ends at \(size - 1)", parameter: "prompt")
      }
      return tokens
    }
  }
}
