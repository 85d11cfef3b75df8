import LanguageModel
import Tensors
import Testing
import Tokenization

@Suite struct WavefrontTests {
  static let policies: [ExitPolicy] = [
    .fixed(), .fixed(2), .fixed(6), .threshold(0.5), .threshold(0.7, minimumLoops: 2), .threshold(0),
    .threshold(1),
    .weighted(), .stateChange(1.2), .stateChange(0.3),
  ]
  static let drafts: [DraftSettings] = [
    .off, DraftSettings(mode: .fixed), DraftSettings(mode: .fixed, firstLoop: 2),
    DraftSettings(mode: .fixed, branches: 3), DraftSettings(mode: .fixed, branches: 2, lookup: 5),
    DraftSettings(mode: .fixed, branches: 3, maximumRows: 4), .adaptive,
  ]
  static let samplings: [SamplingSettings] = [
    .greedy, SamplingSettings(temperature: 1, seed: 3),
    SamplingSettings(temperature: 0.7, topK: 20, topP: 0.9, seed: 4),
    SamplingSettings(temperature: 1.3, minP: 0.05, repetitionPenalty: 1.2, seed: 5, logProbabilities: 2),
    SamplingSettings(presencePenalty: 0.8, frequencyPenalty: 0.4, logitBias: [3: -.infinity, 5: 2]),
  ]

  /// Token for token, bit for bit.
  @Test(arguments: [Float(1), 0.3, 0.05]) func equalsPlainDecoding(change: Float) throws {
    let model = AgreeableModels.model(change: change)
    for (i, policy) in Self.policies.enumerated() {
      // Every policy with two ways of sampling, others for other models.
      for j in [i, i + 2].map({ ($0 + Int(change * 10)) % Self.samplings.count }) {
        let sampling = Self.samplings[j]
        var request = InferenceRequest(
          prompt: TinyModels.tokens(1 + (i * 7 + j * 5) % 40, seed: UInt64(i)),
          settings: GenerationSettings(
            sampling: sampling, exit: policy, skippedLoops: j % 2 == 0 ? .copy : .compute, maximumTokens: 14),
          keepsLogits: true
        )
        let wanted = try AgreeableModels.plain(model, request)
        for drafts in Self.drafts {
          request.drafts = drafts
          let got = try AgreeableModels.answers(model, [request]).answers[0]
          #expect(got == wanted, "\(policy) \(sampling) \(drafts)")
        }
      }
    }
  }

  /// The kernels of every format keep the law that rows do not see each other.
  @Test(arguments: WeightMatrix.Format.allCases) func everyFormatOfWeights(format: WeightMatrix.Format) throws
  {
    let model = AgreeableModels.model(change: 0.2, format: format)
    for cacheFormat in KVLayout.Format.allCases {
      var request = InferenceRequest(
        prompt: TinyModels.tokens(21), settings: GenerationSettings(maximumTokens: 30),
        cacheFormat: cacheFormat,
        keepsLogits: true)
      let wanted = try AgreeableModels.plain(model, request)
      for rows in [3, 16] {
        request.drafts = DraftSettings(mode: .fixed, branches: 3, lookup: 4, maximumRows: rows)
        #expect(try AgreeableModels.answers(model, [request]).answers[0] == wanted, "\(cacheFormat) \(rows)")
      }
    }
  }
}
