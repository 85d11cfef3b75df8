import LanguageModel
import Tensors
import Testing
import Tokenization

/// How many passes drafts save.
@Suite struct DraftTests {
  /// Where loops agree, passes are fewer than loops.
  @Test func agreementSavesPasses() throws {
    let model = AgreeableModels.model(change: 0.02)
    var request = InferenceRequest(
      prompt: TinyModels.tokens(9), settings: GenerationSettings(maximumTokens: 40), drafts: .off)
    let plain = try AgreeableModels.answers(model, [request]).statistics[0]
    #expect(plain.passesPerToken == 4)
    request.drafts = DraftSettings(mode: .fixed)
    let wave = try AgreeableModels.answers(model, [request]).statistics[0]
    #expect(wave.generation.passes < 39 * 2)
    #expect(wave.acceptance[0]! > 0.8)
    #expect(wave.acceptance[3] == nil)
  }

  /// Measured passes are the law's: the loops at which predictions settle, summed.
  @Test(arguments: [[0, 0, 0], [1, 1, 1], [0.5, 0.75, 0.9], [0, 1, 1], [0.3, 0.3, 0.3]])
  func passesAreTheLoopsAtWhichPredictionsSettle(agreement: [Double]) throws {
    let model = AgreeableModels.model(change: 1)
    let tokens = 120
    let benchmark = WavefrontBenchmark(
      LoopExecutor(model, pool: AgreeableModels.pool), prompt: TinyModels.tokens(5),
      settings: GenerationSettings(maximumTokens: tokens))
    let report = try benchmark.run(DraftSettings(mode: .fixed), agreement: agreement)
    #expect(report.forcedAgreement == agreement)
    #expect(report.plain.passes == (tokens - 1) * 4)
    let passes = (0..<3).reduce(into: Double(tokens) * 4) { sum, loop in
      sum -= Double(tokens) * (report.wavefront.acceptance[loop] ?? 0)
    }
    // A forced prediction that is right stays right, so that the loop at which it settles is 4 less the right ones.
    #expect(abs(Double(report.wavefront.passes) - passes) <= 8)
    #expect(
      abs(WavefrontBenchmark.expectedPasses(agreement: agreement) - report.wavefront.passesPerToken) < 0.35)
  }

  @Test func agreementThatMeansNothingIsRefused() {
    let benchmark = WavefrontBenchmark(
      LoopExecutor(TinyModels.ouro(loops: 3)), prompt: [1], settings: GenerationSettings(maximumTokens: 2))
    for agreement in [[0.5], [0.5, 0.4], [0.5, 1.5], [-0.1, 0.5], [.nan, 0.5]] {
      #expect(throws: SettingError.self) { try benchmark.run(.adaptive, agreement: agreement) }
    }
  }

  /// A text that repeats itself is drafted from where it stood before: several tokens in one pass.
  @Test func lookUpDraftsRepetitions() throws {
    // Greedy answers of random models run into circles.
    let model = AgreeableModels.model(change: 0.3)
    var request = InferenceRequest(
      prompt: TinyModels.tokens(4), settings: GenerationSettings(maximumTokens: 150),
      drafts: DraftSettings(mode: .fixed, firstLoop: 4))
    let plain = try AgreeableModels.answers(model, [request])
    request.drafts.lookup = 8
    let looked = try AgreeableModels.answers(model, [request])
    #expect(looked.answers[0].tokens == plain.answers[0].tokens)
    #expect(looked.statistics[0].lookupsAgreed > 0)
    #expect(looked.statistics[0].generation.passes < plain.statistics[0].generation.passes)
  }
}
