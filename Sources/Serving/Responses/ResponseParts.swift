import Foundation
import LanguageModel
import Tokenization

/// Tokens read and written.
struct Usage: Encodable {
  struct PromptDetails: Encodable {
    var cachedTokens: Int
    private enum CodingKeys: String, CodingKey { case cachedTokens = "cached_tokens" }
  }

  var promptTokens: Int
  var completionTokens: Int
  var totalTokens: Int
  var promptDetails: PromptDetails

  private enum CodingKeys: String, CodingKey {
    case promptTokens = "prompt_tokens"
    case completionTokens = "completion_tokens"
    case totalTokens = "total_tokens"
    case promptDetails = "prompt_tokens_details"
  }

  /// - Parameter perPrompt: choices of one prompt, which is counted once.
  init(_ choices: [ChoiceState], perPrompt: Int) {
    let firsts = stride(from: 0, to: choices.count, by: max(perPrompt, 1)).map { choices[$0] }
    promptTokens = firsts.reduce(0) { $0 + $1.prompt.count }
    completionTokens = choices.reduce(0) { $0 + $1.tokens.count }
    totalTokens = promptTokens + completionTokens
    promptDetails = PromptDetails(
      cachedTokens: firsts.reduce(0) { $0 + ($1.result?.statistics.generation.cachedTokens ?? 0) })
  }
}

/// How long it took, in llama.cpp's words.
struct Timings: Encodable {
  var cacheCount, promptCount: Int
  var promptMilliseconds, promptPerSecond: Double
  var predictedCount: Int
  var predictedMilliseconds, predictedPerSecond: Double
  /// Before the prompt began to be read.
  var waitingMilliseconds: Double

  private enum CodingKeys: String, CodingKey {
    case cacheCount = "cache_n"
    case promptCount = "prompt_n"
    case promptMilliseconds = "prompt_ms"
    case promptPerSecond = "prompt_per_second"
    case predictedCount = "predicted_n"
    case predictedMilliseconds = "predicted_ms"
    case predictedPerSecond = "predicted_per_second"
    case waitingMilliseconds = "waiting_ms"
  }

  init(_ statistics: InferenceStatistics) {
    let s = statistics.generation
    cacheCount = s.cachedTokens
    promptCount = s.promptTokens - s.cachedTokens
    promptMilliseconds = s.promptSeconds * 1000
    promptPerSecond = s.promptTokensPerSecond
    predictedCount = s.generatedTokens
    predictedMilliseconds = s.generationSeconds * 1000
    predictedPerSecond = s.tokensPerSecond
    waitingMilliseconds = statistics.waitingSeconds * 1000
  }
}

/// The field `looped` of a response: what the loops did.
struct LoopedReport: Encodable {
  /// The most loops of a token.
  var loops: Int
  var exitPolicy: String
  var sharing: String
  /// Loops of a generated token, in the mean; `nil` before the end.
  var averageExit: Double?
  var passesPerToken: Double?
  /// With `trace`.
  var tokens: [TracedToken]?

  private enum CodingKeys: String, CodingKey {
    case loops, tokens
    case exitPolicy = "exit_policy"
    case sharing = "kv_sharing"
    case averageExit = "average_exit"
    case passesPerToken = "passes_per_token"
  }

  init(_ request: InferenceRequest, _ model: ServedModel) {
    loops = request.settings.exit.limit(model.configuration)
    exitPolicy = request.settings.exit.word
    sharing = request.sharing.rawValue
  }

  /// - Parameter results: of finished answers.
  mutating func add(_ results: [InferenceResult]) {
    let all = results.map(\.statistics.generation)
    let tokens = all.reduce(0) { $0 + $1.generatedTokens }
    let decoded = all.reduce(0) { $0 + max($1.generatedTokens - 1, 0) }
    averageExit = tokens > 0 ? Double(all.reduce(0) { $0 + $1.loops }) / Double(tokens) : 0
    passesPerToken = decoded > 0 ? Double(all.reduce(0) { $0 + $1.passes }) / Double(decoded) : 0
  }
}

/// A token with what every loop thought.
struct TracedToken: Encodable {
  struct Prediction: Encodable {
    var id: TokenID
    var text: String
    var probability: Float
  }

  var id: TokenID
  /// What became certain of the answer's text with this token: all of them together are the answer, but for what is
  /// held back until its end.
  var text: String
  /// The token alone.
  var piece: String
  /// The loop after which it was chosen, from 1.
  var exit: Int
  /// Exit probabilities of the loops done; empty without a gate.
  var probabilities: [Float]
  /// [loop]: the most probable tokens, the first one first.
  var predictions: [[Prediction]]

  init(_ token: GeneratedToken, _ model: ServedModel) {
    id = token.id
    text = token.text
    piece = model.piece(token.id)
    exit = token.loops
    probabilities = token.exitProbabilities
    predictions = token.predictions.map {
      $0.map {
        Prediction(id: $0.token, text: model.piece($0.token), probability: exp($0.logProbability))
      }
    }
  }
}

/// Log-probabilities as chats tell them.
struct ChatLogProbabilities: Encodable {
  struct Alternative: Encodable {
    var token: String
    var logprob: Float
    var bytes: [UInt8]
  }
  struct Token: Encodable {
    var token: String
    var logprob: Float
    var bytes: [UInt8]
    var alternatives: [Alternative]
    private enum CodingKeys: String, CodingKey {
      case token, logprob, bytes
      case alternatives = "top_logprobs"
    }
  }

  var content: [Token]

  init(_ tokens: [GeneratedToken], _ model: ServedModel) {
    content = tokens.map { token in
      Token(
        token: model.piece(token.id), logprob: finite(token.logProbability ?? 0),
        bytes: model.tokenizer.bytes(of: token.id),
        alternatives: token.alternatives.map {
          Alternative(
            token: model.piece($0.token), logprob: finite($0.logProbability),
            bytes: model.tokenizer.bytes(of: $0.token))
        })
    }
  }
}

/// Log-probabilities as completions tell them.
struct CompletionLogProbabilities: Encodable {
  var tokens: [String] = []
  var tokenLogProbabilities: [Float?] = []
  var top: [[String: Float]?] = []
  /// Where each token begins, in characters.
  var offsets: [Int] = []

  private enum CodingKeys: String, CodingKey {
    case tokens
    case tokenLogProbabilities = "token_logprobs"
    case top = "top_logprobs"
    case offsets = "text_offset"
  }

  mutating func add(
    _ token: TokenID, _ logProbability: Float?, _ alternatives: [Sampler.Alternative], at offset: inout Int,
    _ model: ServedModel
  ) {
    let piece = model.piece(token)
    tokens.append(piece)
    tokenLogProbabilities.append(logProbability.map(finite))
    offsets.append(offset)
    offset += piece.unicodeScalars.count
    guard let logProbability else {
      top.append(nil)
      return
    }
    // Different tokens may look alike; the more probable one stands for them.
    var map = [piece: finite(logProbability)]
    for alternative in alternatives {
      map[model.piece(alternative.token), default: -.greatestFiniteMagnitude] = max(
        map[model.piece(alternative.token)] ?? -.greatestFiniteMagnitude, finite(alternative.logProbability))
    }
    top.append(map)
  }
}

/// JSON has no infinity; OpenAI's stand-in for it.
private func finite(_ value: Float) -> Float { value.isFinite ? value : -9999 }
