import Foundation
import Hummingbird
import LanguageModel
import Tokenization

/// The tokenizer over HTTP: vLLM's names, which lm-eval uses, and llama.cpp's.
extension ModelServer {
  private struct TokenizeRequest: Decodable, Sendable {
    var prompt: String?
    var content: String?
    var messages: [ChatRequest.Message]?
    var addsSpecialTokens: Bool?
    var addsSpecial: Bool?
    var tellsPieces: Bool?
    var withPieces: Bool?
    private enum CodingKeys: String, CodingKey {
      case prompt, content, messages
      case addsSpecialTokens = "add_special_tokens"
      case addsSpecial = "add_special"
      case tellsPieces = "return_token_strs"
      case withPieces = "with_pieces"
    }
  }

  private struct TokenizeResponse: Encodable {
    var count: Int
    var maximum: Int
    var tokens: [TokenID]
    var pieces: [String]?
    private enum CodingKeys: String, CodingKey {
      case count, tokens
      case maximum = "max_model_len"
      case pieces = "token_strs"
    }
  }

  private struct DetokenizeRequest: Decodable, Sendable { var tokens: [TokenID] }

  private struct DetokenizeResponse: Encodable {
    var prompt: String
    var content: String
  }

  private struct TemplateRequest: Decodable, Sendable {
    var messages: [ChatRequest.Message]
    var addsPrompt: Bool?
    private enum CodingKeys: String, CodingKey {
      case messages
      case addsPrompt = "add_generation_prompt"
    }
  }

  func addTokenizerRoutes(to router: Router<ServingContext>) {
    router.post("/tokenize") { [self] request, _ in
      var request = request
      let model = try model()
      let body = try await decode(TokenizeRequest.self, from: &request)
      guard let text = try body.prompt ?? body.content ?? body.messages.map({ try render($0, model) }) else {
        throw ServingError.invalid("prompt is missing", parameter: "prompt")
      }
      // vLLM adds special tokens unless told not to; llama.cpp only if told to.
      let adds =
        body.addsSpecialTokens ?? body.addsSpecial ?? (body.content == nil && body.messages == nil)
      let tokens = model.tokenizer.encode(text, addSpecialTokens: adds)
      let tells = body.tellsPieces ?? body.withPieces ?? false
      return json(
        TokenizeResponse(
          count: tokens.count, maximum: model.contextLimit, tokens: tokens,
          pieces: tells ? tokens.map(model.piece) : nil))
    }
    router.post("/detokenize") { [self] request, _ in
      var request = request
      let model = try model()
      let tokens = try await decode(DetokenizeRequest.self, from: &request).tokens
      let size = model.configuration.vocabularySize
      if let wrong = tokens.first(where: { $0 < 0 || Int($0) >= size }) {
        throw ServingError.invalid(
          "there is no token \(wrong); the vocabulary ends at \(size - 1)", parameter: "tokens")
      }
      let text = model.tokenizer.decode(tokens)
      return json(DetokenizeResponse(prompt: text, content: text))
    }
    router.post("/apply-template") { [self] request, _ in
      var request = request
      let model = try model()
      let body = try await decode(TemplateRequest.self, from: &request)
      return json(["prompt": try render(body.messages, model, addsPrompt: body.addsPrompt ?? true)])
    }
    router.get("/tokenizer_info") { [self] _, _ in json(TokenizerInfo(try model())) }
  }

  private func render(
    _ messages: [ChatRequest.Message], _ model: ServedModel, addsPrompt: Bool = true
  ) throws -> String {
    let conversation = try ChatRequest.conversation(messages)
    do { return try model.render(conversation, addsPrompt: addsPrompt) } catch {
      throw ServingError(inference: error)
    }
  }
}

/// `GET /tokenizer_info`: what a client needs to know to render templates itself.
private struct TokenizerInfo: Encodable {
  var tokenizerClass = "LoopedTokenizer"
  var vocabularySize: Int
  var maximum: Int
  var template: String
  var endToken: String?
  var beginningToken: String?
  var paddingToken: String?

  private enum CodingKeys: String, CodingKey {
    case tokenizerClass = "tokenizer_class"
    case vocabularySize = "vocab_size"
    case maximum = "model_max_length"
    case template = "chat_template"
    case endToken = "eos_token"
    case beginningToken = "bos_token"
    case paddingToken = "pad_token"
  }

  init(_ model: ServedModel) {
    vocabularySize = model.tokenizer.vocabularySize
    maximum = model.contextLimit
    template = (model.template ?? .chatML).source
    let generation = model.loaded.generation
    func named(_ key: String, _ token: TokenID?) -> String? {
      if case .string(let text)? = model.loaded.templateVariables[key] { return text }
      return token.flatMap { model.tokenizer.piece($0) }
    }
    endToken = named("eos_token", generation.endTokens.first ?? model.tokenizer.endOfText)
    beginningToken = named("bos_token", generation.beginningToken)
    paddingToken = named("pad_token", generation.paddingToken)
  }
}
