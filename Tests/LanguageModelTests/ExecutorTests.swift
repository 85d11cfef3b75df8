import LanguageModel
import Tensors
import Testing

@Suite struct ExecutorTests {
  /// Every loop's states, [loop][position · hidden], of `tokens` in chunks.
  private func states(_ model: LanguageModel, _ tokens: [Int32], chunk: Int) throws -> [[Float]] {
    let loops = model.configuration.loops
    let executor = LoopExecutor(model)
    let cache = KVCache(model.configuration)
    var result = [[Float]](repeating: [], count: loops)
    try executor.prefill(tokens, into: cache, loops: loops, chunk: chunk) { loop, positions, states in
      result[loop] += UnsafeBufferPointer(
        start: states, count: positions.count * model.configuration.hiddenSize)
    }
    return result
  }

  @Test(arguments: TinyModels.all) func equalsTheReference(_ model: LanguageModel) throws {
    let tokens = TinyModels.tokens(20)
    let c = model.configuration
    let wanted = ReferenceForward(model).run(tokens, loops: c.loops)
    let executor = LoopExecutor(model)
    for chunk in [1, 3, 20] {
      let got = try states(model, tokens, chunk: chunk)
      for loop in 0..<c.loops {
        let logits = Tensor(uninitialized: [tokens.count, c.vocabularySize])
        executor.logits(got[loop], rows: tokens.count, into: logits.pointer)
        for position in tokens.indices {
          for i in 0..<c.hiddenSize {
            #expect(
              abs(Double(got[loop][position * c.hiddenSize + i]) - wanted.states[loop][position][i]) < 1e-4)
          }
          for i in 0..<c.vocabularySize {
            #expect(abs(Double(logits[position, i]) - wanted.logits[loop][position][i]) < 1e-4)
          }
        }
        if model.gate != nil {
          let gates = executor.exitLogits(got[loop], rows: tokens.count)
          for (a, b) in zip(gates, wanted.gates[loop]) { #expect(abs(Double(a) - b) < 1e-4) }
        }
      }
    }
  }

  @Test func greedyContinues() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let prompt = TinyModels.tokens(5)
    let got = try executor.greedy(prompt, cache: KVCache(model.configuration), loops: 3, count: 6)
    var tokens = prompt
    for token in got {
      let logits = ReferenceForward(model).run(tokens, loops: 3).logits[2].last!
      #expect(Int(token) == logits.indices.max { logits[$0] < logits[$1] })
      tokens.append(token)
    }
  }
}
