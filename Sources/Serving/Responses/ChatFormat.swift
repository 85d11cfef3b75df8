import Foundation
import LanguageModel
import Tokenization

/// `chat.completion` and `chat.completion.chunk`.
struct ChatFormat: AnswerFormat {
  var job: AnswerJob

  private struct Message: Encodable {
    var role = "assistant"
    var content: String
    @Nullable var refusal: String? = nil
  }

  private struct Choice: Encodable {
    var index: Int
    var message: Message
    @Nullable var logprobs: ChatLogProbabilities? = nil
    var finishReason: String
    var looped: LoopedReport?
    private enum CodingKeys: String, CodingKey {
      case index, message, logprobs, looped
      case finishReason = "finish_reason"
    }
  }

  private struct Delta: Encodable {
    var role: String?
    var content: String?
  }

  private struct ChunkChoice: Encodable {
    var index: Int
    var delta: Delta
    @Nullable var logprobs: ChatLogProbabilities? = nil
    @Nullable var finishReason: String? = nil
    private enum CodingKeys: String, CodingKey {
      case index, delta, logprobs
      case finishReason = "finish_reason"
    }
  }

  private static let object = "chat.completion.chunk"

  func whole(_ choices: [ChoiceState]) -> Data {
    let encoded = choices.enumerated().map { index, choice in
      Choice(
        index: index, message: Message(content: choice.text),
        logprobs: job.tellsLogProbabilities ? ChatLogProbabilities(choice.tokens, job.model) : nil,
        finishReason: choice.result?.reason.word ?? "stop", looped: report(choice, index))
    }
    return wholeResponse("chat.completion", encoded, choices)
  }

  func first(_ index: Int) -> Data? {
    chunk(Self.object, ChunkChoice(index: index, delta: Delta(role: "assistant", content: "")))
  }

  func scored(_ index: Int, _ choice: ChoiceState) -> Data? { nil }

  func token(_ index: Int, _ token: GeneratedToken, text: String, of choice: ChoiceState) -> Data? {
    guard !text.isEmpty || job.tellsLogProbabilities || job.traces else { return nil }
    return chunk(
      Self.object,
      ChunkChoice(
        index: index, delta: Delta(content: text),
        logprobs: job.tellsLogProbabilities ? ChatLogProbabilities([token], job.model) : nil),
      looped: job.report(index, token))
  }

  func end(_ index: Int, _ result: InferenceResult, text: String, of choice: ChoiceState) -> [Data] {
    let last =
      text.isEmpty ? [] : [chunk(Self.object, ChunkChoice(index: index, delta: Delta(content: text)))]
    return last + [
      chunk(
        Self.object, ChunkChoice(index: index, delta: Delta(), finishReason: result.reason.word),
        looped: endReport(index, result), timings: Timings(result.statistics))
    ]
  }

  func usage(_ choices: [ChoiceState]) -> Data { usageChunk(Self.object, ChunkChoice.self, choices) }
}
