import Foundation
import LanguageModel
import Tensors
import Testing
import Tokenization

/// What makes drafts of sampled text exact: choices are pure, and distributed as they should be.
@Suite struct ChoiceTests {
  private func logits(_ count: Int, seed: UInt64) -> [Float] {
    var random = RandomStream(seed: seed)
    return random.normal([count], deviation: 1.5).values
  }

  @Test(arguments: [
    SamplingSettings(temperature: 1, seed: 1), SamplingSettings(temperature: 0.6, topK: 12, seed: 2),
    SamplingSettings(temperature: 1.4, topP: 0.85, seed: 3),
    SamplingSettings(temperature: 1, minP: 0.1, seed: 4),
  ]) func drawsFollowTheSoftmax(settings: SamplingSettings) throws {
    let logits = logits(24, seed: settings.seed)
    var probabilities = logits.map { exp(Double($0) / Double(settings.temperature)) }
    let order = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
    var (kept, sum) = (0, 0.0)
    let total = probabilities.reduce(0, +)
    for place in order where settings.topK == 0 || kept < settings.topK {
      if sum >= Double(settings.topP) * total { break }
      if probabilities[place] < Double(settings.minP) * probabilities[order[0]] { break }
      sum += probabilities[place]
      kept += 1
    }
    for place in order[kept...] { probabilities[place] = 0 }
    var sampler = Sampler(settings, vocabularySize: logits.count)
    var counts = [Int](repeating: 0, count: logits.count)
    let draws = 20_000
    for index in 0..<draws { counts[Int(sampler.pick(logits, index: index, history: []))] += 1 }
    var chiSquared = 0.0
    for (count, p) in zip(counts, probabilities) {
      let expected = Double(draws) * p / sum
      if expected == 0 {
        #expect(count == 0)
      } else {
        chiSquared += pow(Double(count) - expected, 2) / expected
      }
    }
    // Wilson and Hilferty's approximation of the quantile at 1 - 10⁻⁵.
    let freedom = Double(kept - 1)
    let limit = freedom * pow(1 - 2 / (9 * freedom) + 4.265 * (2 / (9 * freedom)).squareRoot(), 3)
    #expect(chiSquared < limit, "\(chiSquared) of at most \(limit)")
  }

  @Test(arguments: WavefrontTests.samplings) func choicesArePureAndRanksBeginWithThem(
    settings: SamplingSettings
  ) {
    let history = TinyModels.tokens(30)
    var (a, b) = (Sampler(settings, vocabularySize: 96), Sampler(settings, vocabularySize: 96))
    // One asks in order, the other backwards and with other questions in between.
    let wanted = (0..<60).map { a.pick(logits(96, seed: UInt64($0)), index: $0, history: history) }
    for index in (0..<60).reversed() {
      _ = b.pick(logits(96, seed: 999), index: index + 7, history: [1])
      let logits = logits(96, seed: UInt64(index))
      #expect(b.choose(logits, index: index, history: history).token == wanted[index])
      for count in [1, 2, 5] {
        let ranking = b.rank(logits, index: index, history: history, count: count)
        let ranked = ranking.tokens
        #expect(ranking.margin >= 0)
        #expect(ranked[0] == wanted[index])
        #expect(Set(ranked).count == ranked.count && ranked.count <= count)
      }
    }
  }

  /// The shortest way to say it: every token's noise, and the largest sum.
  private func slowPick(_ logits: [Float], seed: UInt64, index: Int) -> TokenID {
    let key = RandomStream(seed: seed, stream: 0x7361_6d70).state.key
    let scores = logits.enumerated().map { token, logit in
      let word = RandomStream.block(key: key, counter: UInt64(index) << 32 | UInt64(token)).0
      return Double(logit) - log(-log((Double(word >> 12) + 0.5) * 0x1p-52))
    }
    return TokenID(scores.indices.max { scores[$0] < scores[$1] } ?? 0)
  }

  /// Tokens that are passed over could not have won: neither among many that are far behind, nor among equals.
  @Test func passingOverChangesNothing() {
    var far = [Float](repeating: -12.1, count: 20_000)
    far[700] = 0
    for logits in [far, logits(20_000, seed: 3), [Float](repeating: 2, count: 300)] {
      for seed in [1, 9] as [UInt64] {
        var sampler = Sampler(SamplingSettings(temperature: 1, seed: seed), vocabularySize: logits.count)
        for index in 0..<8 {
          #expect(
            sampler.pick(logits, index: index, history: []) == slowPick(logits, seed: seed, index: index))
        }
      }
    }
  }
}
