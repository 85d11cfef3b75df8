import Foundation
import LanguageModel
import Tensors
import Testing

@Suite struct EvaluationTests {
  /// -log p of the token behind every position, [loop][position], by the reference over a window.
  private func losses(_ result: ReferenceForward.Result, _ tokens: [Int32]) -> [[Double]] {
    result.logits.map { loop in
      zip(loop, tokens.dropFirst()).map { logits, target in
        let top = logits.max()!
        return top + log(logits.reduce(0) { $0 + exp($1 - top) }) - logits[Int(target)]
      }
    }
  }

  @Test func oneWindowEqualsTheReference() throws {
    let model = TinyModels.ouro()
    let tokens = TinyModels.tokens(50)
    let result = ReferenceForward(model).run(tokens.dropLast(), loops: 3)
    let wanted = losses(result, tokens)
    let policies: [ExitPolicy] = [.fixed(2), .threshold(0.5), .threshold(1), .weighted(), .stateChange(4)]
    let perplexity = try Perplexity(LoopExecutor(model), .init(window: 64, policies: policies))
    let got = try perplexity.score(tokens)
    for loop in 0..<3 {
      #expect(got.loops[loop].tokens == 49)
      #expect(abs(got.loops[loop].loss - wanted[loop].reduce(0, +)) < 1e-3)
      #expect(abs(got.loops[loop].perplexity - exp(wanted[loop].reduce(0, +) / 49)) < 1e-2)
      #expect(got.loops[loop].standardError > 0)
    }
    #expect(got.policies.allSatisfy { $0.score.tokens == 49 })
    #expect(got.policies[0].score.loss == got.loops[1].loss && got.policies[0].meanLoops == 2)
    #expect(got.policies[2].score.loss == got.loops[2].loss && got.policies[2].meanLoops == 3)
    let distributions = (0..<49).map { position in
      ExitDistribution(gates: result.gates.map { Float($0[position]) })
    }
    let exits = distributions.map { $0.loops(threshold: 0.5) }
    #expect(got.policies[1].meanLoops == Double(exits.reduce(0, +)) / 49)
    let chosen = exits.enumerated().reduce(0) { $0 + wanted[$1.element - 1][$1.offset] }
    #expect(abs(got.policies[1].score.loss - chosen) < 1e-3)
    let mixed = (0..<49).map { position in
      (0..<96).map { i in
        (0..<3).reduce(0) {
          $0 + Double(distributions[position].probabilities[$1]) * result.logits[$1][position][i]
        }
      }
    }
    let weighted = zip(mixed, tokens.dropFirst()).reduce(0.0) { sum, pair in
      sum + log(pair.0.reduce(0) { $0 + exp($1) }) - pair.0[Int(pair.1)]
    }
    #expect(abs(got.policies[3].score.loss - weighted) < 1e-3)
    #expect(abs(got.exitProbabilities.reduce(0, +) - 1) < 1e-5)
    #expect(
      abs(got.exitProbabilities[0] - distributions.reduce(0) { $0 + Double($1.probabilities[0]) } / 49) < 1e-5
    )
  }

  /// Sliding windows: every token once, with the context that its window gives it.
  @Test func windowsSlide() throws {
    let model = TinyModels.ouro()
    let tokens = TinyModels.tokens(45)
    let reference = ReferenceForward(model)
    func wanted(_ window: Int, _ stride: Int, _ minimum: Int) -> (count: Int, loss: Double) {
      var (count, loss, scored, start) = (0, 0.0, 1, 0)
      while start + 1 < 45 {
        let part = Array(tokens[start..<min(start + window, 45)])
        let all = losses(reference.run(part.dropLast(), loops: 1), part)[0]
        for target in max(scored, start + minimum)..<max(start + part.count, max(scored, start + minimum)) {
          count += 1
          loss += all[target - start - 1]
        }
        scored = max(scored, start + part.count)
        if start + part.count == 45 { break }
        start += stride
      }
      return (count, loss)
    }
    for (window, stride, minimum) in [
      (20, 20, 1), (20, 7, 1), (20, 20, 11), (20, 10, 10), (2, 1, 1), (45, 45, 44),
    ] {
      let got = try Perplexity(
        LoopExecutor(model), .init(window: window, stride: stride, minimumContext: minimum, loops: 1)
      ).score(tokens)
      let (count, loss) = wanted(window, stride, minimum)
      #expect(got.loops.count == 1 && got.loops[0].tokens == count, "\(window) \(stride) \(minimum)")
      #expect(abs(got.loops[0].loss - loss) < 1e-3, "\(window) \(stride) \(minimum)")
    }
    // Every token but the first is scored when windows overlap or touch without a minimum of context.
    #expect(wanted(20, 7, 1).count == 44)
  }

  @Test func windowsAreChecked() {
    let executor = LoopExecutor(TinyModels.ouro())
    for settings in [
      Perplexity.Settings(window: 1), .init(window: 513), .init(window: 20, stride: 21),
      .init(window: 20, stride: 0),
      .init(window: 20, minimumContext: 0), .init(window: 20, minimumContext: 20), .init(loops: 0),
      .init(loops: 2, policies: [.fixed(3)]),
    ] {
      #expect(throws: SettingError.self) { try Perplexity(executor, settings) }
    }
  }

  @Test func divergenceByTheDefinition() {
    var divergence = Divergence()
    let (p, q): ([Float], [Float]) = ([log(0.5), log(0.25), log(0.25)], [log(0.25), log(0.5), log(0.25)])
    divergence.add(reference: p, other: q, count: 3)
    #expect(abs(divergence.mean - (0.5 * log(2) - 0.25 * log(2))) < 1e-6)
    #expect(divergence.agreement == 0)
    divergence.add(reference: p, other: p, count: 3)
    #expect(divergence.positions == 2 && divergence.agreement == 0.5)
    #expect(abs(divergence.largest - 0.25 * log(2)) < 1e-6)
  }

  /// Rounded weights: nothing to themselves, little in bf16, more in four bits.
  @Test func weightFormatsDiverge() throws {
    let tokens = TinyModels.tokens(60)
    let reference = LoopExecutor(TinyModels.ouro())
    func divergence(_ format: WeightMatrix.Format) throws -> [Divergence] {
      try Divergence.reading(
        tokens, window: 25, reference: reference, other: LoopExecutor(TinyModels.ouro(format: format)))
    }
    #expect(try divergence(.float32).allSatisfy { $0.largest == 0 && $0.positions == 60 })
    let (half, four) = (try divergence(.bfloat16), try divergence(.int4))
    for loop in 0..<3 { #expect(half[loop].mean < 1e-2 && half[loop].mean < four[loop].mean) }
  }

  @Test func inspectionShowsEveryLoop() throws {
    let model = TinyModels.ouro()
    let tokens = TinyModels.tokens(12)
    let result = ReferenceForward(model).run(tokens, loops: 3)
    let inspection = try LoopInspection(LoopExecutor(model), tokens, top: 3)
    #expect(inspection.tokens == tokens && inspection.cells.count == 12)
    let wanted = losses(result, tokens)
    for position in 0..<12 {
      #expect(inspection.cells[position].count == 3)
      let gates = result.gates.map { Float($0[position]) }
      let p = ExitDistribution(gates: gates).probabilities
      #expect(largestDifference(inspection.exitProbabilities[position], p) < 1e-4)
      for (loop, cell) in inspection.cells[position].enumerated() {
        let logits = result.logits[loop][position]
        let sorted = logits.indices.sorted { logits[$0] > logits[$1] }.prefix(3).map(Int32.init)
        #expect(cell.top.map(\.token) == sorted)
        let sum = log(logits.reduce(0) { $0 + exp($1) })
        #expect(abs(Double(cell.entropy) - logits.reduce(0) { $0 - exp($1 - sum) * ($1 - sum) }) < 1e-3)
        #expect(abs(cell.gate! - 1 / (1 + exp(-gates[loop]))) < 1e-4)
        if position < 11 {
          #expect(abs(Double(cell.nextLogProbability!) + wanted[loop][position]) < 1e-3)
        } else {
          #expect(cell.nextLogProbability == nil)
        }
        if loop > 0 {
          let (a, b) = (result.states[loop][position], result.states[loop - 1][position])
          let change = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
          #expect(abs(Double(cell.stateChange) - change / a.reduce(0) { $0 + $1 * $1 }.squareRoot()) < 1e-4)
        }
      }
    }
  }
}
