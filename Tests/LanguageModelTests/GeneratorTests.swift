import Foundation
import LanguageModel
import Tensors
import Testing

@Suite struct GeneratorTests {
  /// A token's text is a letter, or two.
  static func bytes(_ token: Int32) -> [UInt8] {
    Array("\(Character(Unicode.Scalar(UInt8(token % 26) + 97)))".utf8)
  }

  private func generate(
    _ settings: GenerationSettings, model: LanguageModel = TinyModels.ouro(),
    prompt: [Int32] = TinyModels.tokens(6),
    contextLimit: Int? = nil
  ) throws -> (tokens: [GeneratedToken], generator: Generator) {
    let generator = try Generator(
      LoopExecutor(model), cache: KVCache(model.configuration, format: .float32, contextLimit: contextLimit),
      prompt: prompt, settings: settings, bytes: Self.bytes)
    var tokens: [GeneratedToken] = []
    while let token = try generator.next() { tokens.append(token) }
    return (tokens, generator)
  }

  /// Greedy decoding against the reference, which computes everything anew for every token.
  @Test func greedyEqualsTheReference() throws {
    for model in [TinyModels.ouro(), TinyModels.llama()] {
      let (tokens, generator) = try generate(GenerationSettings(maximumTokens: 8), model: model)
      #expect(tokens.count == 8 && generator.finishReason == .maximumTokens)
      var sequence = TinyModels.tokens(6)
      let reference = ReferenceForward(model)
      for token in tokens {
        let result = reference.run(sequence, loops: model.configuration.loops)
        let logits = result.logits.last!.last!
        #expect(Int(token.id) == logits.indices.max { logits[$0] < logits[$1] })
        if model.gate != nil {
          let p = ExitDistribution(gates: result.gates.map { Float($0.last!) }).probabilities
          #expect(largestDifference(token.exitProbabilities, p) < 1e-4)
        } else {
          #expect(token.exitProbabilities.isEmpty)
        }
        sequence.append(token.id)
      }
    }
  }

  @Test func samplingRepeats() throws {
    var settings = GenerationSettings(
      sampling: SamplingSettings(temperature: 1, topP: 0.9, seed: 5), maximumTokens: 20)
    let first = try generate(settings).tokens
    #expect(try generate(settings).tokens == first)
    settings.sampling.seed = 6
    #expect(try generate(settings).tokens.map(\.id) != first.map(\.id))
  }

  @Test func statisticsCount() throws {
    let (tokens, generator) = try generate(
      GenerationSettings(exit: .threshold(0.5), maximumTokens: 12))
    let s = generator.statistics
    #expect(s.promptTokens == 6 && s.cachedTokens == 0 && s.generatedTokens == 12)
    #expect(s.loops == tokens.map(\.loops).reduce(0, +))
    // The first token is read out of the prompt.
    #expect(s.passes == s.loops - tokens[0].loops && s.rows == s.passes)
    #expect(s.passes < 3 * 11)
    #expect(
      s.promptSeconds > 0 && s.generationSeconds > 0 && s.tokensPerSecond > 0 && s.promptTokensPerSecond > 0)
    #expect(s.cacheBytes == generator.cache.byteCount && s.cacheBytes > 0)
    #expect(generator.cache.count == 6 + 11)
  }

  @Test func endsAtEndTokensStopStringsAndLimits() throws {
    let all = try generate(GenerationSettings(maximumTokens: 12)).tokens
    let text = all.map(\.text).joined()
    #expect(text.count == 12)
    // An end token is given, without text.
    let end = all[3].id
    let place = all.firstIndex { $0.id == end }!
    let ended = try generate(GenerationSettings(maximumTokens: 12, endTokens: [end]))
    #expect(ended.tokens.map(\.id) == all.prefix(place + 1).map(\.id))
    #expect(ended.tokens.last!.text.isEmpty && ended.generator.finishReason == .endToken(end))
    // A stop string over three tokens; what comes before it is given.
    let stop = String(text.dropFirst(4).prefix(3))
    let stopped = try generate(GenerationSettings(maximumTokens: 12, stopStrings: ["nothing", stop]))
    #expect(stopped.generator.finishReason == .stopString(stop))
    #expect(
      stopped.tokens.map(\.text).joined() + stopped.generator.rest
        == String(text.prefix(upTo: text.range(of: stop)!.lowerBound)))
    // The context: the last token needs no cell.
    let full = try generate(GenerationSettings(maximumTokens: 12), contextLimit: 9)
    #expect(full.generator.finishReason == .contextLimit)
    #expect(full.tokens.map(\.id) == all.prefix(4).map(\.id))
    #expect(try generate(GenerationSettings(maximumTokens: 0)).tokens.isEmpty)
  }

  @Test func cancelling() throws {
    let model = TinyModels.ouro()
    let sign = CancellationSign()
    let generator = try Generator(
      LoopExecutor(model), cache: KVCache(model.configuration), prompt: [1, 2],
      settings: GenerationSettings(maximumTokens: 100), cancellation: sign, bytes: Self.bytes)
    _ = try generator.next()
    sign.cancel()
    #expect(try generator.next() == nil)
    #expect(generator.finishReason == .cancelled && generator.tokens.count == 1)
    // While the prompt is read.
    let cache = KVCache(model.configuration)
    let decoder = SequenceDecoder(LoopExecutor(model), cache: cache)
    var asked = 0
    #expect(throws: CancellationError.self) {
      try decoder.read(TinyModels.tokens(64), chunk: 16) {
        asked += 1
        return asked > 5
      }
    }
    // One chunk of three loops was finished.
    #expect(cache.count == 16)
  }

  /// A conversation in two turns over one cache is one sequence.
  @Test func turnsContinue() throws {
    let model = TinyModels.ouro()
    let executor = LoopExecutor(model)
    let cache = KVCache(model.configuration, format: .float32)
    let first = try Generator(
      executor, cache: cache, prompt: [1, 2, 3], settings: GenerationSettings(maximumTokens: 4),
      bytes: Self.bytes)
    while try first.next() != nil {}
    let turn: [Int32] = [9, 8]
    let second = try Generator(
      executor, cache: cache, prompt: first.unread + turn, settings: GenerationSettings(maximumTokens: 4),
      bytes: Self.bytes)
    while try second.next() != nil {}
    #expect(second.statistics.cachedTokens == 6 && second.statistics.promptTokens == 9)
    let whole = try generate(
      GenerationSettings(maximumTokens: 4), prompt: [1, 2, 3] + first.tokens + turn)
    #expect(whole.tokens.map(\.id) == second.tokens)
  }

  @Test func promptsAndSettingsAreChecked() {
    #expect(throws: PromptError(.empty)) { try generate(GenerationSettings(), prompt: []) }
    #expect(throws: PromptError(.unknownToken(96, vocabulary: 96))) {
      try generate(GenerationSettings(), prompt: [0, 96])
    }
    #expect(throws: PromptError(.unknownToken(-1, vocabulary: 96))) {
      try generate(GenerationSettings(), prompt: [-1])
    }
    #expect(throws: ContextLimitError(limit: 5, needed: 6)) {
      try generate(GenerationSettings(), contextLimit: 5)
    }
    for settings in [
      GenerationSettings(maximumTokens: -1), GenerationSettings(prefillChunk: 0),
      GenerationSettings(sampling: SamplingSettings(topP: 0)), GenerationSettings(exit: .fixed(9)),
      GenerationSettings(exit: .fixed(0)),
    ] {
      #expect(throws: SettingError.self) { try generate(settings) }
    }
  }
}

@Suite struct TextAssemblerTests {
  private func assemble(_ pieces: [[UInt8]], stops: [String] = []) -> (parts: [String], stop: String?) {
    var assembler = TextAssembler(stops: stops)
    var parts: [String] = []
    for piece in pieces where assembler.stop == nil { parts.append(assembler.add(piece)) }
    parts.append(assembler.finish())
    return (parts, assembler.stop)
  }

  private func assemble(_ pieces: [String], stops: [String]) -> (parts: [String], stop: String?) {
    assemble(pieces.map { Array($0.utf8) }, stops: stops)
  }

  @Test func holdsBackWhatMayBeAStop() {
    #expect(assemble(["ab", "cd", "ef"], stops: ["cdx"]).parts == ["ab", "", "cdef", ""])
    #expect(assemble(["ab", "cd", "ef"], stops: ["bcde"]).parts == ["a", "", "", ""])
    #expect(assemble(["ab", "cd", "ef"], stops: ["bcde"]).stop == "bcde")
    #expect(assemble(["aab"], stops: ["aab"]).parts == ["", ""])
    // The end of one beginning may begin it again.
    #expect(assemble(["a", "a", "a", "b"], stops: ["aab"]).parts == ["", "", "a", "", ""])
    // The first wins, the longest of those that begin there.
    #expect(assemble(["xabcy"], stops: ["bc", "abc", "ab"]).stop == "abc")
    #expect(assemble(["xabcy"], stops: [""]).parts == ["xabcy", ""])
  }

  @Test func joinsCharacters() {
    let bytes = Array("a😀é中".utf8).map { [$0] }
    #expect(assemble(bytes).parts == ["a", "", "", "", "😀", "", "é", "", "", "中", ""])
    // An unfinished character at the end, and bytes that are none.
    #expect(assemble([[0xf0, 0x9f]]).parts == ["", "\u{fffd}"])
    #expect(assemble([[0xff], [0x61]]).parts.joined() == "\u{fffd}a")
    #expect(assemble([[0x80, 0x80, 0x80, 0x80], [0x61]]).parts.joined().last == "a")
  }
}
