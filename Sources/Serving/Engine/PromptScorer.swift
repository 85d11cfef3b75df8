import LanguageModel
import Tensors
import Tokenization

/// Scores the tokens of a prompt by those before them, chunk by chunk, so that answers go on between the chunks.
///
/// As `Perplexity` does: all loops run over all positions, and the exit policy says whose prediction counts.
final class PromptScorer {
  let generation: Generation
  let ticket: Int
  /// Keys and values of all tokens but the last: what the answer goes on from.
  let cache: KVCache
  private let executor: LoopExecutor
  private var scores: [PromptScores.Score] = []
  private let limit: Int

  /// Positions that are read at once while nobody waits, and read out at once.
  private static let (chunk, readoutRows) = (256, 64)
  /// Positions that are read at once while answers wait for it: they go through all loops before the next pass.
  private static let sharedChunk = 32

  init(_ executor: LoopExecutor, _ generation: Generation, ticket: Int) {
    self.executor = executor
    self.generation = generation
    self.ticket = ticket
    let configuration = executor.model.configuration
    limit = generation.request.settings.exit.limit(configuration)
    cache = KVCache(configuration, loops: limit, format: .float32)
  }

  var result: PromptScores { PromptScores(scores: scores) }

  /// Reads the next chunk.
  /// - Parameter isShared: whether answers wait meanwhile.
  /// - Returns: whether all is read.
  /// - Throws: `ContextLimitError`.
  func advance(isShared: Bool) throws -> Bool {
    let prompt = generation.request.prompt
    let first = cache.count
    let end = min(first + (isShared ? Self.sharedChunk : Self.chunk), prompt.count - 1)
    guard first < end else { return true }
    var selection = ExitSelection(
      generation.request.settings.exit, configuration: executor.model.configuration, positions: end - first)
    try executor.prefill(prompt[first..<end], into: cache, loops: limit, chunk: Self.chunk) { _, _, states in
      let gates =
        executor.model.gate == nil ? nil : executor.exitLogits(states, rows: end - first)
      selection.finishLoop(states, gates: gates)
    }
    readOut(selection.chosen, targets: prompt[first + 1..<end + 1], loops: selection.loops)
    return end == prompt.count - 1
  }

  private func readOut(_ states: Tensor, targets: ArraySlice<TokenID>, loops: [Int]) {
    let configuration = executor.model.configuration
    let rows = min(Self.readoutRows, targets.count)
    let logits = Tensor(uninitialized: [rows, configuration.vocabularySize])
    for start in stride(from: 0, to: targets.count, by: rows) {
      let count = min(rows, targets.count - start)
      executor.logits(
        states.pointer + start * configuration.hiddenSize, rows: count, into: logits.pointer)
      for row in 0..<count {
        let line = logits.pointer + row * configuration.vocabularySize
        let target = targets[targets.startIndex + start + row]
        let score = Sampler.score(
          target, in: line, count: configuration.vocabularySize,
          alternatives: generation.scoresPrompt ?? 0)
        scores.append(
          PromptScores.Score(
            logProbability: score.logProbability, alternatives: score.alternatives,
            loops: loops[start + row]))
      }
    }
  }
}
