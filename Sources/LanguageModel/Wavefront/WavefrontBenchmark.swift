import Tensors
import Tokenization

/// Measures plain decoding and the wavefront beside each other, on the same prompt.
///
/// On a trained model drafts agree as they do. Random weights agree by chance alone; to see what the speed would be at
/// an agreement, drafts can be *forced*: the plain run's tokens are known by then, and every early readout is replaced
/// by the right token or a wrong one, as often as is asked. What is computed stays the same, verification too, so that
/// the time is real; the agreement is not, and the report says so.
public struct WavefrontBenchmark {
  /// One way of decoding.
  public struct Measurement: Codable, Equatable, Sendable {
    public var tokens: Int
    public var passes: Int
    public var rows: Int
    public var flushes: Int
    public var readouts: Int
    /// Behind the first token; the fastest of the repetitions.
    public var seconds: Double
    public var passesPerToken: Double
    public var rowsPerPass: Double
    public var tokensPerSecond: Double
    /// [loop - 1]: how often the readout after this loop named the token that was chosen in the end; `nil` where it
    /// was not asked.
    public var acceptance: [Double?]
  }

  public struct Report: Codable, Equatable, Sendable {
    public var plain: Measurement
    public var wavefront: Measurement
    /// The agreement that was forced; `nil` if the model's own was measured.
    public var forcedAgreement: [Double]?
    /// Tokens per second, wavefront by plain.
    public var speedup: Double
  }

  public let executor: LoopExecutor
  public var prompt: [TokenID]
  public var settings: GenerationSettings
  public var cacheFormat: KVLayout.Format
  /// The two ways alternate so often.
  public var repetitions: Int

  public init(
    _ executor: LoopExecutor, prompt: [TokenID], settings: GenerationSettings,
    cacheFormat: KVLayout.Format = .float16, repetitions: Int = 1
  ) {
    self.executor = executor
    self.prompt = prompt
    self.settings = settings
    self.cacheFormat = cacheFormat
    self.repetitions = repetitions
  }

  /// - Parameter agreement: forces drafts: the part of tokens that the readout after loop 1, 2, … names rightly; never
  ///   falling, one number for every loop but the last.
  /// - Throws: what `InferenceEngine.submit` does, `SettingError` for an agreement that means nothing, and
  ///   `WavefrontMismatchError` should the two answers differ.
  public func run(_ drafts: DraftSettings, agreement: [Double]? = nil) throws -> Report {
    if let agreement { try check(agreement) }
    var (plain, wavefront): (Measurement?, Measurement?)
    for _ in 0..<max(repetitions, 1) {
      let (tokens, first) = try measure(.off) { _, _, ranked in ranked }
      let (others, second) = try measure(drafts) { index, loop, ranked in
        guard let agreement, index < tokens.count else { return ranked }
        return force(tokens[index], index: index, loop: loop, ranked, agreement)
      }
      if let place = zip(tokens, others).enumerated().first(where: { $1.0 != $1.1 })?.offset {
        throw WavefrontMismatchError(index: place, plain: tokens[place], wavefront: others[place])
      }
      if first.seconds < plain?.seconds ?? .infinity { plain = first }
      if second.seconds < wavefront?.seconds ?? .infinity { wavefront = second }
    }
    guard let plain, let wavefront else { preconditionFailure("at least one repetition") }
    return Report(
      plain: plain, wavefront: wavefront, forcedAgreement: agreement,
      speedup: wavefront.tokensPerSecond / plain.tokensPerSecond)
  }

  /// The passes per token of a chain of drafts, without limits on rows: a token starts one pass behind the loop at
  /// which its predecessor's predictions settle on it, Σ_t t · (a_t - a_{t-1}) with a_T = 1.
  public static func expectedPasses(agreement: [Double]) -> Double {
    var (sum, last) = (0.0, 0.0)
    for (loop, value) in (agreement + [1]).enumerated() {
      sum += Double(loop + 1) * (value - last)
      last = value
    }
    return sum
  }

  private func check(_ agreement: [Double]) throws {
    let limit = settings.exit.limit(executor.model.configuration)
    guard agreement.count == limit - 1, zip(agreement, agreement.dropFirst()).allSatisfy({ $0 <= $1 }),
      agreement.allSatisfy({ (0...1).contains($0) })
    else {
      throw SettingError(
        name: "agreement", value: "\(agreement)",
        range: "\(limit - 1) numbers from 0 to 1 that never fall, one for every loop but the last")
    }
  }

  /// A token settles at the first loop whose agreement is above a number that belongs to its place.
  private func force(
    _ right: TokenID, index: Int, loop: Int, _ ranked: [TokenID], _ agreement: [Double]
  ) -> [TokenID] {
    let word = RandomStream.block(key: 0x6472_6166, counter: UInt64(index)).0
    let settles = Double(word >> 11) * 0x1p-53 < agreement[loop - 1]
    let wrong = (right + 1) % TokenID(executor.model.configuration.vocabularySize)
    // Branches must not bring back what was to be wrong.
    return [settles ? right : wrong] + ranked.dropFirst().filter { $0 != right && $0 != wrong }
  }

  private func measure(
    _ drafts: DraftSettings, oracle: @escaping (Int, Int, [TokenID]) -> [TokenID]
  ) throws -> ([TokenID], Measurement) {
    let engine = InferenceEngine(executor)
    engine.draftOracle = { oracle($1, $2, $3) }
    _ = try engine.submit(
      InferenceRequest(prompt: prompt, settings: settings, cacheFormat: cacheFormat, drafts: drafts))
    var tokens: [TokenID] = []
    var statistics = InferenceStatistics()
    engine.run { event in
      switch event {
      case .token(_, let token, _): tokens.append(token.id)
      case .finished(_, let result): statistics = result.statistics
      }
    }
    let usual = statistics.generation
    return (
      tokens,
      Measurement(
        tokens: tokens.count, passes: usual.passes, rows: usual.rows, flushes: statistics.flushes,
        readouts: statistics.readouts, seconds: usual.generationSeconds, passesPerToken: usual.passesPerToken,
        rowsPerPass: statistics.rowsPerPass, tokensPerSecond: usual.tokensPerSecond,
        acceptance: statistics.acceptance)
    )
  }
}

/// The wavefront's answer differs from plain decoding: a defect of this program.
public struct WavefrontMismatchError: Error, Equatable, CustomStringConvertible {
  public let index: Int
  public let plain: TokenID
  public let wavefront: TokenID

  public var description: String {
    "the wavefront's token \(index) is \(wavefront) where plain decoding chose \(plain): this is a defect; decode "
      + "without drafts, and report it with the model and the prompt"
  }
}
