import Foundation
import LanguageModel
import Tensors
import Tokenization

/// What an answer cost, in the words of mlx-lm's footer, and as JSON.
struct GenerationReport {
  let result: Conversation.Answer
  let loaded: LoadedModel
  let pool: WorkerPool
  /// From the command's request for the model until it could compute.
  let loadSeconds: Double

  init(_ result: Conversation.Answer, loaded: LoadedModel, pool: WorkerPool, loadSeconds: Double) {
    self.result = result
    self.loaded = loaded
    self.pool = pool
    self.loadSeconds = loadSeconds
  }

  var footer: String {
    let s = result.statistics
    var lines = [
      "==========",
      "Prompt: \(s.promptTokens) tokens"
        + (s.cachedTokens > 0 ? " (\(s.cachedTokens) from the cache)" : "")
        + String(format: ", %.3f tokens-per-sec", s.promptTokensPerSecond),
      "Generation: \(s.generatedTokens) tokens" + String(format: ", %.3f tokens-per-sec", s.tokensPerSecond),
      String(
        format: "Peak memory: %.3f GB; loaded in %.3f s", Double(ProcessMemory.peak) / 1e9, loadSeconds),
    ]
    if loaded.model.configuration.loops > 1 || s.meanLoops > 1 {
      lines.append(
        String(
          format: "Loops: %.2f per token, %.2f passes per token, %.1f MB of keys and values", s.meanLoops,
          s.passesPerToken, Double(s.cacheBytes) / 1e6))
    }
    if let acceptance = result.acceptance { lines.append("Wavefront: \(acceptance)") }
    return lines.joined(separator: "\n") + "\n"
  }

  var json: String {
    get throws {
      try jsonText(Document(self), [.sortedKeys, .withoutEscapingSlashes])
    }
  }

  private struct Document: Encodable {
    struct Alternative: Encodable {
      let id: Int32
      let logprob: Float
    }
    struct Token: Encodable {
      let id: Int32
      let text: String
      let loops: Int
      let exitProbabilities: [Float]
      let logprob: Float?
      let alternatives: [Alternative]?
    }
    let text: String
    let finishReason: String
    let tokens: [Token]
    let promptTokens, cachedTokens, passes: Int
    let promptTokensPerSecond, tokensPerSecond, meanLoops, passesPerToken, loadSeconds: Double
    let cacheBytes, peakMemoryBytes: Int

    init(_ report: GenerationReport) {
      let s = report.result.statistics
      text = report.result.text
      finishReason =
        switch report.result.finishReason {
        case .endToken, .stopString: "stop"
        case .maximumTokens, .contextLimit: "length"
        case .cancelled: "cancelled"
        }
      tokens = report.result.tokens.map { token in
        Token(
          id: token.id, text: report.loaded.tokenizer.decode([token.id], skipSpecialTokens: false),
          loops: token.loops, exitProbabilities: token.exitProbabilities, logprob: token.logProbability,
          alternatives: token.logProbability == nil
            ? nil : token.alternatives.map { Alternative(id: $0.token, logprob: $0.logProbability) })
      }
      (promptTokens, cachedTokens, passes) = (s.promptTokens, s.cachedTokens, s.passes)
      (promptTokensPerSecond, tokensPerSecond) = (s.promptTokensPerSecond, s.tokensPerSecond)
      (meanLoops, passesPerToken) = (s.meanLoops, s.passesPerToken)
      loadSeconds = report.loadSeconds
      (cacheBytes, peakMemoryBytes) = (s.cacheBytes, ProcessMemory.peak)
    }
  }
}
