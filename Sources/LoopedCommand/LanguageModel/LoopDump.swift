import LanguageModel
import Tensors
import Tokenization

/// All numbers of a text's way through the loops, for other programs to judge: logits [loops, tokens, vocabulary],
/// states [loops, tokens, hidden] (normed) and, with a gate, exit_logits [loops, tokens], in f32.
enum LoopDump {
  /// - Throws: `ContextLimitError`, `AtomicFile.Failure`.
  static func write(
    _ tokens: [TokenID], executor: LoopExecutor, loops: Int, format: KVLayout.Format, to path: String
  ) throws {
    let c = executor.model.configuration
    let logits = Tensor(uninitialized: [loops, tokens.count, c.vocabularySize])
    let states = Tensor(uninitialized: [loops, tokens.count, c.hiddenSize])
    var gates: [Float] = []
    let cache = KVCache(c, loops: loops, format: format)
    try executor.prefill(tokens, into: cache, loops: loops, chunk: tokens.count) { loop, positions, rows in
      (states.pointer + loop * tokens.count * c.hiddenSize).update(
        from: rows, count: positions.count * c.hiddenSize)
      if executor.model.gate != nil { gates += executor.exitLogits(rows, rows: positions.count) }
      // A few rows at a time: the readout's own path, not that of long prompts.
      for start in stride(from: 0, to: positions.count, by: LoopExecutor.decodeRows) {
        executor.logits(
          rows + start * c.hiddenSize, rows: min(LoopExecutor.decodeRows, positions.count - start),
          into: logits.pointer + (loop * tokens.count + start) * c.vocabularySize)
      }
    }
    var stored = [
      StoredTensor("logits", shape: logits.shape, logits.values),
      StoredTensor("states", shape: states.shape, states.values),
    ]
    if !gates.isEmpty { stored.append(StoredTensor("exit_logits", shape: [loops, tokens.count], gates)) }
    try AtomicFile.write(SafetensorsFile.parts(stored), to: path)
  }
}
