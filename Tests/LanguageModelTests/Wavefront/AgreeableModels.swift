import LanguageModel
import Tensors
import Tokenization

/// Models whose loops agree with each other as much as is wanted, and the plain way to decode with them.
enum AgreeableModels {
  /// A random model whose block changes the state by so much: with little change the later loops read nearly what the
  /// first one read, as in a trained model.
  static func model(
    change: Float, loops: Int = 4, seed: UInt64 = 11, format: WeightMatrix.Format = .float32
  ) -> LanguageModel {
    let random = TinyModels.ouro(loops: loops, seed: seed, format: format, contextLength: 256)
    let layers = random.layers.map { layer in
      var layer = layer
      layer.attentionOutputNorm = layer.attentionOutputNorm?.map { $0 * change }
      layer.mlpOutputNorm = layer.mlpOutputNorm?.map { $0 * change }
      return layer
    }
    do {
      return try LanguageModel(
        configuration: random.configuration, embedding: random.embedding, layers: layers,
        finalNorm: random.finalNorm, readout: random.readout, gate: random.gate)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// An answer.
  struct Answer: Equatable {
    var tokens: [TokenID] = []
    var text = ""
    /// The bits of what every token was chosen from.
    var logits: [[UInt32]] = []
    var loops: [Int] = []
    var exitProbabilities: [[Float]] = []
    var logProbabilities: [Float?] = []
    var reason: FinishReason?
  }

  /// The models are too small to share out.
  static let pool = WorkerPool(threads: 1)

  static func bytes(_ token: TokenID) -> [UInt8] { [UInt8(32 + token % 90)] }

  /// One token's loops after the other's, with the parts that `Generator` is made of.
  /// - Parameter cache: holds the first tokens of the prompt, if given.
  static func plain(
    _ model: LanguageModel, _ request: InferenceRequest, cache given: KVCache? = nil
  ) throws -> Answer {
    let settings = request.settings
    let c = model.configuration
    let cache =
      given
      ?? KVCache(c, loops: settings.exit.limit(c), format: request.cacheFormat, sharing: request.sharing)
    let decoder = SequenceDecoder(
      LoopExecutor(model, pool: pool), cache: cache, skippedLoops: settings.skippedLoops)
    var sampler = Sampler(settings.sampling, vocabularySize: c.vocabularySize)
    var text = TextAssembler(stops: settings.stopStrings)
    let logits = Tensor(uninitialized: [c.vocabularySize])
    var answer = Answer()
    var tracker = try decoder.read(
      request.prompt.dropFirst(cache.count), policy: settings.exit, chunk: settings.prefillChunk)
    while answer.reason == nil {
      decoder.readOut(into: logits.pointer)
      let choice = sampler.choose(
        logits.pointer, index: answer.tokens.count, history: request.prompt + answer.tokens)
      answer.tokens.append(choice.token)
      answer.logits.append(logits.values.map(\.bitPattern))
      answer.loops.append(tracker.loops)
      answer.exitProbabilities.append(tracker.exitProbabilities)
      answer.logProbabilities.append(choice.logProbability)
      if settings.endTokens.contains(choice.token) {
        answer.reason = .endToken(choice.token)
      } else {
        answer.text += text.add(bytes(choice.token))
        if let stop = text.stop {
          answer.reason = .stopString(stop)
        } else if answer.tokens.count == settings.maximumTokens {
          answer.reason = .maximumTokens
        } else if cache.count == c.contextLength {
          answer.reason = .contextLimit
        } else {
          tracker = try decoder.append(choice.token, policy: settings.exit)
        }
      }
    }
    answer.text += text.finish()
    return answer
  }

  /// Answers of an engine in which the requests arrive at the given steps.
  static func answers(
    _ model: LanguageModel, _ requests: [InferenceRequest], arrivals: [Int] = [],
    settings: InferenceEngine.Settings = .init(), step body: (InferenceEngine) -> Void = { _ in }
  ) throws -> (answers: [Answer], statistics: [InferenceStatistics], engine: InferenceEngine) {
    let engine = InferenceEngine(LoopExecutor(model, pool: pool), settings: settings, tokenBytes: bytes)
    var answers = [Answer](repeating: Answer(), count: requests.count)
    var statistics = [InferenceStatistics](repeating: InferenceStatistics(), count: requests.count)
    var places: [RequestID: Int] = [:]
    var step = 0
    while places.count < requests.count || !engine.isIdle {
      for (place, request) in requests.enumerated()
      where (place < arrivals.count ? arrivals[place] : 0) == step {
        places[try engine.submit(request)] = place
      }
      for event in engine.step() {
        switch event {
        case .token(let id, let token, let logits):
          let place = places[id]!
          answers[place].tokens.append(token.id)
          answers[place].text += token.text
          answers[place].loops.append(token.loops)
          answers[place].exitProbabilities.append(token.exitProbabilities)
          answers[place].logProbabilities.append(token.logProbability)
          answers[place].logits.append((logits ?? []).map(\.bitPattern))
        case .finished(let id, let result):
          answers[places[id]!].reason = result.reason
          answers[places[id]!].text += result.rest
          statistics[places[id]!] = result.statistics
        }
      }
      body(engine)
      step += 1
    }
    return (answers, statistics, engine)
  }
}
