import Tensors
import Tokenization

extension LoopExecutor {
  /// The most probable continuation, at a fixed number of loops, token by token: the plain loop that every other way of
  /// decoding is held equal to.
  /// - Throws: `ContextLimitError`.
  public func greedy(
    _ prompt: [TokenID], cache: KVCache, loops: Int, count: Int
  ) throws -> [TokenID] {
    var tokens: [TokenID] = []
    var pending = prompt
    let logits = Tensor(uninitialized: [model.configuration.vocabularySize])
    let state = Tensor(uninitialized: [model.configuration.hiddenSize])
    while tokens.count < count {
      try prefill(pending, into: cache, loops: loops) { loop, rows, states in
        if loop == loops - 1 {
          state.pointer.update(from: states + (rows.count - 1) * state.count, count: state.count)
        }
      }
      self.logits(state.pointer, rows: 1, into: logits.pointer)
      var best = 0
      for i in 1..<logits.count where logits.pointer[i] > logits.pointer[best] { best = i }
      tokens.append(TokenID(best))
      pending = [TokenID(best)]
    }
    return tokens
  }

  /// Appends tokens to the sequence: chunk by chunk, and each chunk through all loops.
  /// - Parameter observe: called after every loop of every chunk with the loop, the chunk's positions in the sequence
  ///   and its normed states, [positions, hidden].
  /// - Throws: `ContextLimitError` before anything is computed, and what `observe` throws.
  public func prefill(
    _ tokens: [TokenID], into cache: KVCache, loops: Int, chunk: Int = 512,
    observe: (_ loop: Int, _ positions: Range<Int>, _ states: UnsafeMutablePointer<Float>) throws -> Void = {
      _, _, _ in
    }
  ) throws {
    try cache.reserve(cache.count + tokens.count)
    for start in stride(from: 0, to: tokens.count, by: chunk) {
      let part = tokens[start..<min(start + chunk, tokens.count)]
      let states = Tensor(uninitialized: [part.count, model.configuration.hiddenSize])
      embed(part, into: states.pointer)
      let positions = cache.count..<cache.count + part.count
      for loop in 0..<loops {
        run(
          positions.map { LoopRow(cache: cache, cell: $0, position: $0, loop: loop) }, states: states.pointer)
        try observe(loop, positions, states.pointer)
      }
      cache.commit(positions.upperBound)
    }
  }
}
