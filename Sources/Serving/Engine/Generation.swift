import LanguageModel
import Tokenization

/// One answer that a client asks for: the unit of queueing.
struct Generation: Sendable {
  /// Also where its prompt is scored first.
  var request: InferenceRequest
  /// Whose turn it takes in the queue.
  var client: String
  /// Whether it may begin from, and leave behind, keys and values for others.
  var usesPrefixes: Bool
  /// How many alternatives every token of the prompt is scored with; `nil` for no scores.
  var scoresPrompt: Int?
  /// Gets everything that becomes known; called on the engine's thread.
  var receive: @Sendable (GenerationEvent) -> Void
}

/// What becomes known of an answer, in this order: scores of the prompt, tokens, the end.
enum GenerationEvent: Sendable {
  case scored(PromptScores)
  case token(GeneratedToken)
  case finished(InferenceResult)
  case failed(ServingError)
}

/// What the model thought of a prompt's own tokens.
struct PromptScores: Sendable {
  struct Score: Sendable {
    var logProbability: Float
    var alternatives: [Sampler.Alternative]
    /// Loops after which the prediction was taken.
    var loops: Int
  }

  /// Of every token but the first.
  var scores: [Score]
}
