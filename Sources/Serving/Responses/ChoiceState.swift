import LanguageModel
import Tokenization

/// One answer as far as it has come.
struct ChoiceState: Sendable {
  let prompt: [TokenID]
  var text = ""
  var tokens: [GeneratedToken] = []
  var scores: PromptScores?
  /// Its end.
  var result: InferenceResult?

  /// Takes what became known.
  /// - Returns: the text that is new.
  /// - Throws: the `ServingError` that ended it.
  mutating func take(_ event: GenerationEvent) throws -> String {
    switch event {
    case .scored(let scores):
      self.scores = scores
      return ""
    case .token(let token):
      tokens.append(token)
      text += token.text
      return token.text
    case .finished(let result):
      self.result = result
      text += result.rest
      return result.rest
    case .failed(let error): throw error
    }
  }
}
