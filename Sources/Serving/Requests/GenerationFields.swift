import LanguageModel
import Tokenization

/// What completions and chats have in common.
struct GenerationFields: Decodable, Sendable {
  struct StreamOptions: Decodable, Sendable {
    var includeUsage: Bool?
    private enum CodingKeys: String, CodingKey { case includeUsage = "include_usage" }
  }

  struct ResponseFormat: Decodable, Sendable { var type: String }

  var model: String?
  var stream: Bool?
  var streamOptions: StreamOptions?
  var maximumTokens: Int?
  var maximumCompletionTokens: Int?
  var temperature: Double?
  var topP: Double?
  var topK: Int?
  var minP: Double?
  var seed: Int?
  var stop: OneOrMany?
  var frequencyPenalty: Double?
  var presencePenalty: Double?
  var repetitionPenalty: Double?
  var repeatPenalty: Double?
  var logitBias: [String: Double]?
  var n: Int?
  var responseFormat: ResponseFormat?
  var ignoresEnd: Bool?
  var usesPrefixes: Bool?
  var looped: LoopedFields?

  private enum CodingKeys: String, CodingKey {
    case model, stream, temperature, seed, stop, n, looped
    case streamOptions = "stream_options"
    case maximumTokens = "max_tokens"
    case maximumCompletionTokens = "max_completion_tokens"
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
    case repetitionPenalty = "repetition_penalty"
    case repeatPenalty = "repeat_penalty"
    case logitBias = "logit_bias"
    case responseFormat = "response_format"
    case ignoresEnd = "ignore_eos"
    case usesPrefixes = "cache_prompt"
  }

  /// - Throws: `ServingError` for numbers outside of their ranges.
  func sampling(_ model: ServedModel, logProbabilities: Int?) throws -> SamplingSettings {
    func number(_ value: Double?, _ name: String, _ range: ClosedRange<Double>) throws -> Float? {
      guard let value else { return nil }
      guard range.contains(value) else {
        throw ServingError.invalid(
          "\(name) \(value): it must be from \(range.lowerBound) to \(range.upperBound)", parameter: name)
      }
      return Float(value)
    }
    let defaults = model.loaded.generation
    let repetition =
      try number(repetitionPenalty, "repetition_penalty", 0.01...100)
      ?? number(repeatPenalty, "repeat_penalty", 0.01...100)
    let settings = SamplingSettings(
      temperature: try number(temperature, "temperature", 0...100) ?? defaults.temperature ?? 1,
      topK: max(topK ?? defaults.topK ?? 0, 0), topP: try number(topP, "top_p", 0...1) ?? defaults.topP ?? 1,
      minP: try number(minP, "min_p", 0...1) ?? defaults.minP ?? 0,
      repetitionPenalty: repetition ?? defaults.repetitionPenalty ?? 1,
      presencePenalty: try number(presencePenalty, "presence_penalty", -100...100) ?? 0,
      frequencyPenalty: try number(frequencyPenalty, "frequency_penalty", -100...100) ?? 0,
      logitBias: try bias(model),
      seed: seed.map { UInt64(bitPattern: Int64($0)) } ?? .random(in: 0...UInt64(UInt32.max)),
      logProbabilities: logProbabilities)
    do { try settings.check(vocabularySize: model.configuration.vocabularySize) } catch {
      throw ServingError(inference: error)
    }
    return settings
  }

  private func bias(_ model: ServedModel) throws -> [TokenID: Float] {
    var bias: [TokenID: Float] = [:]
    for (key, value) in logitBias ?? [:] {
      guard let token = TokenID(key), token >= 0, Int(token) < model.configuration.vocabularySize else {
        throw ServingError.invalid(
          "logit_bias names \"\(key.prefix(40))\", which is no token's number", parameter: "logit_bias")
      }
      guard (-1e6...1e6).contains(value) else {
        throw ServingError.invalid("logit_bias of token \(token) is too large", parameter: "logit_bias")
      }
      // OpenAI's smallest bias forbids a token.
      bias[token] = value <= -100 ? -.infinity : Float(value)
    }
    return bias
  }

  /// Ends of the answer besides its length.
  /// - Throws: `ServingError`.
  func stops() throws -> [String] {
    let stops = stop?.values ?? []
    guard stops.count <= 16, stops.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 1024 }) else {
      throw ServingError.invalid(
        "stop may hold up to 16 strings of 1 to 1024 bytes", parameter: "stop")
    }
    return stops
  }

  /// The answer's most tokens.
  /// - Throws: `ServingError` 400 if prompt and answer do not fit into the context.
  func answerLength(prompt: Int, default usual: Int, limit: Int, parameter: String) throws -> Int {
    let asked = maximumCompletionTokens ?? maximumTokens
    if let asked, asked < 0 {
      // llama.cpp: as many as fit.
      guard asked == -1 else {
        throw ServingError.invalid("max_tokens \(asked): it must be 0 or more", parameter: "max_tokens")
      }
    }
    let room = limit - prompt
    guard room >= (asked == 0 ? 0 : 1) else {
      throw ServingError.invalid(
        "the prompt has \(prompt) tokens and the context holds \(limit): shorten it",
        parameter: parameter, code: "context_length_exceeded")
    }
    guard let asked, asked >= 0 else { return asked == nil ? min(usual, room) : room }
    guard asked <= room else {
      throw ServingError.invalid(
        "the prompt has \(prompt) tokens, max_tokens is \(asked), and the context holds \(limit) of both together",
        parameter: "max_tokens", code: "context_length_exceeded")
    }
    return asked
  }

  /// - Throws: `ServingError` for what is asked for and not there.
  func checkSupported(_ settings: ServerSettings) throws {
    if let responseFormat, responseFormat.type != "text" {
      throw ServingError.invalid(
        "response_format \(responseFormat.type.prefix(40)) is not supported; text is",
        parameter: "response_format")
    }
    if let n, !(1...settings.maximumChoices).contains(n) {
      throw ServingError.invalid(
        "n \(n): it must be from 1 to \(settings.maximumChoices)", parameter: "n")
    }
    if streamOptions != nil, stream != true {
      throw ServingError.invalid("stream_options needs stream", parameter: "stream_options")
    }
  }
}
