import Foundation
import LanguageModel
import Tensors
import Testing

@Suite struct SamplerTests {
  private func pick(_ logits: [Float], _ settings: SamplingSettings, index: Int = 0, history: [Int32] = [])
    -> Int32
  {
    var sampler = Sampler(settings, vocabularySize: logits.count)
    return sampler.pick(logits, index: index, history: history)
  }

  /// How often each token is chosen at `count` places.
  private func counts(_ logits: [Float], _ settings: SamplingSettings, count: Int = 20_000) -> [Int] {
    var sampler = Sampler(settings, vocabularySize: logits.count)
    var counts = [Int](repeating: 0, count: logits.count)
    for index in 0..<count { counts[Int(sampler.pick(logits, index: index, history: []))] += 1 }
    return counts
  }

  @Test func greedyTakesTheFirstOfTheLargest() {
    #expect(pick([1, 3, 3, 2], .greedy) == 1)
    #expect(pick([.nan, -1, .nan, 0, -.infinity], .greedy) == 3)
    #expect(pick([-.infinity, -.infinity], .greedy) == 0)
  }

  /// Pearson's χ² against the softmax: 7 degrees of freedom, 29.9 is exceeded once in ten thousand.
  @Test(arguments: [0.5, 1, 2] as [Float]) func drawsHaveTheDistribution(_ temperature: Float) {
    let logits: [Float] = [0, 1, -1, 2, 0.5, 1.5, -2, 1]
    let count = 20_000
    for seed in [1, 2, 3] as [UInt64] {
      let got = counts(logits, SamplingSettings(temperature: temperature, seed: seed), count: count)
      let weights = logits.map { exp(Double($0 / temperature)) }
      let chi = zip(got, weights).reduce(0.0) { sum, pair in
        let wanted = Double(count) * pair.1 / weights.reduce(0, +)
        return sum + (Double(pair.0) - wanted) * (Double(pair.0) - wanted) / wanted
      }
      #expect(chi < 29.9, "χ² \(chi)")
    }
  }

  /// What is drawn at one place says nothing about the next: pairs of neighbours are as often equal as they should be.
  @Test func placesAreIndependent() {
    var sampler = Sampler(SamplingSettings(temperature: 1, seed: 8), vocabularySize: 4)
    let draws = (0..<20_000).map { sampler.pick([0, 0, 0, 0], index: $0, history: []) }
    let equal = zip(draws, draws.dropFirst()).count { $0 == $1 }
    // 5000 ± 4 deviations of √(20000 · 1/4 · 3/4).
    #expect(abs(equal - 5000) < 245)
  }

  @Test func seedAndPlaceDecide() {
    let logits = (0..<50).map { Float($0 % 7) }
    func draws(_ seed: UInt64) -> [Int32] {
      (0..<100).map { pick(logits, SamplingSettings(temperature: 1, seed: seed), index: $0) }
    }
    #expect(draws(1) == draws(1))
    #expect(draws(1) != draws(2))
    // Fixed for ever: saved seeds must go on meaning what they meant.
    #expect(Array(draws(1).prefix(6)) == Self.known)
  }

  static let known: [Int32] = [27, 20, 12, 34, 48, 20]

  /// Noise belongs to a token, not to its rank: a draft with other logits draws with the same noise.
  @Test func noiseIsSharedBetweenDraftAndVerification() {
    let settings = SamplingSettings(temperature: 1, seed: 3)
    var agreements = 0
    for index in 0..<2000 {
      let logits = (0..<20).map { Float(sin(Double($0 * 7 + index))) }
      let nearly = logits.map { $0 + 0.01 * Float(cos(Double($0) * 30)) }
      if pick(logits, settings, index: index) == pick(nearly, settings, index: index) { agreements += 1 }
    }
    // Independent draws would agree about one time in fifteen.
    #expect(agreements > 1900)
  }

  @Test func topKLeavesTheLargest() {
    let logits: [Float] = [0, 4, 4, 3, 4, -1]
    #expect(
      counts(logits, SamplingSettings(temperature: 1, topK: 2)).enumerated().allSatisfy {
        [1, 2].contains($0) == ($1 > 0)
      })
    #expect(counts(logits, SamplingSettings(temperature: 1, topK: 1))[1] == 20_000)
    #expect(
      counts(logits, SamplingSettings(temperature: 1, topK: 99))
        == counts(logits, SamplingSettings(temperature: 1)))
  }

  @Test func topPLeavesTheNucleus() {
    // Probabilities 1/2, 1/4, 1/8, 1/16, 1/16.
    let logits = [0.5, 0.25, 0.125, 0.0625, 0.0625].map { Float(log($0)) }
    func chosen(_ p: Float, topK: Int = 0) -> Set<Int> {
      let counts = counts(logits, SamplingSettings(temperature: 1, topK: topK, topP: p))
      return Set(counts.indices.filter { counts[$0] > 0 })
    }
    #expect(chosen(0.4) == [0])
    #expect(chosen(0.51) == [0, 1])
    #expect(chosen(0.74) == [0, 1])
    #expect(chosen(0.8) == [0, 1, 2])
    #expect(chosen(0.999) == [0, 1, 2, 3, 4])
    // Of what top-k left: 2/3 and 1/3.
    #expect(chosen(0.6, topK: 2) == [0])
    // Flat: everything matters, also beyond the first few.
    let flat = counts([Float](repeating: 0, count: 100), SamplingSettings(temperature: 1, topP: 0.5))
    #expect(flat.count { $0 > 0 } == 50)
    // A long tail that the short list of likely tokens does not cover.
    let tail = [Float(0)] + [Float](repeating: -12.1, count: 60_000)
    #expect(pick(tail, SamplingSettings(temperature: 1, topP: 0.2)) == 0)
    let deep = (0..<60).map { pick(tail, SamplingSettings(temperature: 1, topP: 0.99), index: $0) }
    #expect(deep.contains { $0 != 0 })
  }

  @Test func minPLeavesWhatIsLikelyEnough() {
    let logits = [0.5, 0.25, 0.125, 0.0625, 0.0625].map { Float(log($0)) }
    let counts = counts(logits, SamplingSettings(temperature: 1, minP: 0.26))
    #expect(counts.map { $0 > 0 } == [true, true, false, false, false])
  }

  @Test func biasAndPenalties() {
    #expect(pick([1, 2, 3], SamplingSettings(logitBias: [2: -.infinity])) == 1)
    #expect(pick([1, 2, 3], SamplingSettings(logitBias: [0: 5])) == 0)
    // 3 / 2 < 2; a negative logit becomes smaller.
    #expect(pick([1, 2, 3], SamplingSettings(repetitionPenalty: 2), history: [2]) == 1)
    #expect(pick([-1, -1.5], SamplingSettings(repetitionPenalty: 2), history: [0]) == 1)
    #expect(pick([1, 2, 3], SamplingSettings(presencePenalty: 1.5), history: [2, 2, 2]) == 1)
    #expect(pick([1, 2, 3], SamplingSettings(presencePenalty: 0.5), history: [2, 2, 2]) == 2)
    #expect(pick([1, 2, 3], SamplingSettings(frequencyPenalty: 0.5), history: [2, 2, 2]) == 1)
    #expect(
      pick([1, 2, 3], SamplingSettings(presencePenalty: 9, penaltyWindow: 2), history: [2, 0, 0]) == 2)
    #expect(
      pick([1, 2, 3], SamplingSettings(presencePenalty: 9, penaltyWindow: nil), history: [2, 0, 0]) == 1)
  }

  @Test func logProbabilitiesAreTheModels() {
    var sampler = Sampler(
      SamplingSettings(temperature: 3, logitBias: [0: 100], logProbabilities: 2), vocabularySize: 4)
    let logits: [Float] = [0, 1, 2, 3]
    let choice = sampler.choose(logits, index: 0, history: [])
    let sum = log(logits.reduce(0) { $0 + exp($1) })
    #expect(choice.token == 0)
    #expect(abs(choice.logProbability! - (0 - sum)) < 1e-6)
    #expect(choice.alternatives.map(\.token) == [3, 2])
    #expect(abs(choice.alternatives[0].logProbability - (3 - sum)) < 1e-6)
  }

  /// The list of the largest against a sort.
  @Test func alternativesAreSorted() {
    var random = RandomStream(seed: 1)
    let logits = (0..<1000).map { _ in Float(Int(random.next() % 50)) }
    let sorted = (0..<Int32(1000)).sorted { (logits[Int($0)], $1) > (logits[Int($1)], $0) }
    for wanted in [0, 1, 7, 256, 257, 1000] {
      var sampler = Sampler(SamplingSettings(logProbabilities: wanted), vocabularySize: 1000)
      let got = sampler.choose(logits, index: 0, history: []).alternatives.map(\.token)
      #expect(got == Array(sorted.prefix(wanted)))
    }
  }

  @Test func settingsAreChecked() {
    for settings in [
      SamplingSettings(temperature: -1), SamplingSettings(temperature: .nan), SamplingSettings(topK: -1),
      SamplingSettings(topP: 0), SamplingSettings(topP: 1.1), SamplingSettings(minP: 2),
      SamplingSettings(repetitionPenalty: 0), SamplingSettings(presencePenalty: .nan),
      SamplingSettings(frequencyPenalty: .infinity), SamplingSettings(penaltyWindow: -1),
      SamplingSettings(logitBias: [4: 1]), SamplingSettings(logitBias: [-1: 1]),
      SamplingSettings(logitBias: [0: .nan]), SamplingSettings(logProbabilities: 5),
      SamplingSettings(logitBias: [0: -.infinity, 1: -.infinity, 2: -.infinity, 3: -.infinity]),
    ] {
      #expect(throws: SettingError.self) { try settings.check(vocabularySize: 4) }
    }
  }
}
