import Foundation
import LanguageModel
import Tokenization

/// `text_completion`, whole and in chunks.
struct CompletionFormat: AnswerFormat {
  var job: AnswerJob
  /// The prompts that come back before their answers; empty without `echo`.
  var echoes: [String]

  private struct Choice: Encodable {
    var index: Int
    var text: String
    @Nullable var logprobs: CompletionLogProbabilities? = nil
    @Nullable var finishReason: String? = nil
    var looped: LoopedReport?
    private enum CodingKeys: String, CodingKey {
      case index, text, logprobs, looped
      case finishReason = "finish_reason"
    }
  }

  private static let object = "text_completion"

  private func echo(_ index: Int) -> String {
    echoes.isEmpty ? "" : echoes[index / max(job.perPrompt, 1)]
  }

  func whole(_ choices: [ChoiceState]) -> Data {
    let encoded = choices.enumerated().map { index, choice in
      var offset = 0
      var logprobs = promptLogProbabilities(choice, at: &offset)
      for token in choice.tokens {
        logprobs.add(token.id, token.logProbability ?? 0, token.alternatives, at: &offset, job.model)
      }
      return Choice(
        index: index, text: echo(index) + choice.text, logprobs: job.tellsLogProbabilities ? logprobs : nil,
        finishReason: choice.result?.reason.word ?? "stop", looped: report(choice, index))
    }
    return wholeResponse(Self.object, encoded, choices)
  }

  private func promptLogProbabilities(
    _ choice: ChoiceState, at offset: inout Int
  ) -> CompletionLogProbabilities {
    var result = CompletionLogProbabilities()
    guard let scores = choice.scores else { return result }
    for (place, token) in choice.prompt.enumerated() {
      let score = place > 0 ? scores.scores[place - 1] : nil
      result.add(token, score?.logProbability, score?.alternatives ?? [], at: &offset, job.model)
    }
    return result
  }

  func first(_ index: Int) -> Data? {
    // Scores of the prompt come with its text.
    guard !echoes.isEmpty, job.scoresPrompt == nil else { return nil }
    return chunk(Self.object, Choice(index: index, text: echo(index)))
  }

  func scored(_ index: Int, _ choice: ChoiceState) -> Data? {
    var offset = 0
    return chunk(
      Self.object,
      Choice(index: index, text: echo(index), logprobs: promptLogProbabilities(choice, at: &offset)))
  }

  func token(_ index: Int, _ token: GeneratedToken, text: String, of choice: ChoiceState) -> Data? {
    guard !text.isEmpty || job.tellsLogProbabilities || job.traces else { return nil }
    var logprobs: CompletionLogProbabilities?
    if job.tellsLogProbabilities {
      var offset =
        echo(index).unicodeScalars.count + choice.text.unicodeScalars.count - text.unicodeScalars.count
      logprobs = CompletionLogProbabilities()
      logprobs?.add(token.id, token.logProbability ?? 0, token.alternatives, at: &offset, job.model)
    }
    return chunk(
      Self.object, Choice(index: index, text: text, logprobs: logprobs), looped: job.report(index, token))
  }

  func end(_ index: Int, _ result: InferenceResult, text: String, of choice: ChoiceState) -> [Data] {
    [
      chunk(
        Self.object, Choice(index: index, text: text, finishReason: result.reason.word),
        looped: endReport(index, result), timings: Timings(result.statistics))
    ]
  }

  func usage(_ choices: [ChoiceState]) -> Data { usageChunk(Self.object, Choice.self, choices) }
}
