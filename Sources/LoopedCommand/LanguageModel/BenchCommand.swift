import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure how fast a model reads and writes on this machine.",
    discussion: """
      pp512 is a prompt of 512 tokens, tg128 the generation of 128, as in llama-bench. GB/s are the weights that \
      decoding reads, beside what the machine's memory gives. Random weights of a published shape serve where the \
      checkpoint is not at hand.

        looped bench -m Ouro-1.4B --loops 1,2,4
        looped bench --random 1.4b --weights int8 -p 512 -n 16 -r 3
        looped bench -m Ouro-1.4B --wavefront --prompt "Once upon a time"
        looped bench --random 1.4b --wavefront --agreement 0.87,0.93,0.94
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument { case md, csv, json, jsonl }

  @Option(name: .shortAndLong, help: "A Hugging Face directory or a GGUF file.")
  var model: String?

  @Option(help: "Random weights of this shape instead: 1.4b and 2.6b (Ouro), 135m (SmolLM2).")
  var random: RandomShape?

  @Option(
    help: "Weights in memory: f32, f16, bf16, int8, int4 or int4-affine. Without it as in the file, or bf16.")
  var weights: WeightMatrix.Format?

  @Option(help: ArgumentHelp("Loops, also several, separated by commas.", valueName: "n,…"))
  var loops: String?

  @Option(
    name: [.customShort("p"), .customLong("prompt-tokens")], help: "Tokens of the prompt; 0 leaves it out.")
  var promptTokens = 512

  @Option(
    name: [.customShort("n"), .customLong("generation-tokens")], help: "Tokens to generate; 0 leaves it out.")
  var generationTokens = 128

  @Option(name: [.customShort("r"), .customLong("num-trials")], help: "How often each is measured.")
  var trials = 5

  @Option(name: [.customShort("d"), .customLong("depth")], help: "Tokens that are in the cache before.")
  var depth = 0

  @Option(help: ArgumentHelp("Bits of keys and values: 32, 16 or 8.", valueName: "bits"))
  var kvBits = 16

  @Option(name: .shortAndLong, help: "md, csv, json or jsonl.")
  var output: Format = .md

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Threads, as many as processors without it.", valueName: "n"))
  var threads: Int?

  @Flag(
    help:
      "Plain decoding and the wavefront in turns, on the same prompt: speed, acceptance, passes per token.")
  var wavefront = false

  @Option(help: "With --wavefront: the text to continue; - reads standard input.")
  var prompt: String?

  @Option(
    help: ArgumentHelp(
      "With --wavefront: makes drafts right as often as this after loop 1, 2, …, to see the speed at an agreement that "
        + "random weights do not have.", valueName: "p,…"))
  var agreement: String?

  func validate() throws {
    if !wavefront && (prompt != nil || agreement != nil) {
      throw ValidationError("--prompt and --agreement belong to --wavefront")
    }
    if wavefront && generationTokens < 2 { throw ValidationError("--wavefront needs two tokens or more: -n") }
    if agreement != nil && agreementValues == nil {
      throw ValidationError("--agreement \(agreement!): give numbers from 0 to 1, separated by commas")
    }
    if model != nil && random != nil { throw ValidationError("give either --model or --random") }
    if promptTokens < 0 || generationTokens < 0 || depth < 0 || trials < 1 {
      throw ValidationError("tokens and depth are 0 or more, trials 1 or more")
    }
    if ![8, 16, 32].contains(kvBits) { throw ValidationError("--kv-bits \(kvBits): it must be 32, 16 or 8") }
    _ = try loopCounts(1)
  }

  var cacheFormat: KVLayout.Format { kvBits == 32 ? .float32 : kvBits == 16 ? .float16 : .int8 }

  func loopCounts(_ own: Int) throws -> [Int] {
    guard let loops else { return [own] }
    return try loops.split(separator: ",").map { word in
      guard let count = Int(word), (1...8).contains(count) else {
        throw ValidationError("--loops \(loops): give numbers from 1 to 8, separated by commas")
      }
      return count
    }
  }

  func run() throws {
    let pool = threads.map(WorkerPool.init(threads:)) ?? .shared
    let clock = ContinuousClock()
    var name = random.map { "random \($0.rawValue)" } ?? ""
    var model: LanguageModel?
    var loaded: LoadedModel?
    let load = try clock.measure {
      if let random {
        model = LanguageModel.random(random.configuration, format: weights ?? .bfloat16, pool: pool)
      } else {
        let path = try NamedModel.path(self.model)
        name = (path as NSString).lastPathComponent
        loaded = try ModelFiles.load(path, loops: nil, weights: weights, pool: pool) { _, _ in }
        model = loaded?.model
      }
    }
    guard let model else { return }
    if wavefront {
      return try measureWavefront(model, loaded: loaded, name: name, pool: pool)
    }
    var benchmark = DecodeBenchmark(
      model: model, pool: pool, depth: depth,
      format: cacheFormat)
    var rows: [BenchRow] = []
    let memory = MemoryRate()
    let memoryRate = (0..<9).map { _ in memory.measure(pool: pool) }.max() ?? 0
    for count in try loopCounts(model.configuration.loops) {
      if promptTokens > 0 {
        rows.append(
          BenchRow(
            test: "pp\(promptTokens)", loops: count, tokens: promptTokens,
            seconds: try benchmark.prefill(promptTokens, loops: count, trials: trials)))
      }
      if generationTokens > 0 {
        rows.append(
          BenchRow(
            test: "tg\(generationTokens)", loops: count, tokens: generationTokens,
            seconds: try benchmark.generate(generationTokens, loops: count, trials: trials),
            bytesPerToken: count * model.bytesPerPass + model.readout.byteCount))
      }
    }
    let report = BenchReport(
      model: name, weights: model.layers[0].query.format.rawValue, bytes: model.byteCount,
      threads: pool.threads,
      load: random == nil ? load / .seconds(1) : nil, memoryRate: memoryRate, depth: depth, rows: rows)
    print(report.text(output), terminator: "")
  }
}

/// Times passes with tokens that mean nothing: speed does not depend on them.
struct DecodeBenchmark {
  let model: LanguageModel
  let pool: WorkerPool
  let depth: Int
  let format: KVLayout.Format
  private let executor: LoopExecutor

  init(model: LanguageModel, pool: WorkerPool, depth: Int, format: KVLayout.Format) {
    self.model = model
    self.pool = pool
    self.depth = depth
    self.format = format
    executor = LoopExecutor(model, pool: pool)
  }

  private func tokens(_ count: Int) -> [TokenID] {
    (0..<count).map { TokenID(($0 * 7919 + 13) % model.configuration.vocabularySize) }
  }

  private func filled(loops: Int) throws -> KVCache {
    let cache = KVCache(model.configuration, loops: loops, format: format)
    if depth > 0 { try executor.prefill(tokens(depth), into: cache, loops: loops) }
    return cache
  }

  /// Seconds of every trial, after one that is not counted.
  mutating func prefill(_ count: Int, loops: Int, trials: Int) throws -> [Double] {
    let cache = try filled(loops: loops)
    return try (0...trials).map { _ in
      defer { cache.truncate(to: depth) }
      return try ContinuousClock().measure { try executor.prefill(tokens(count), into: cache, loops: loops) }
        / .seconds(1)
    }.suffix(trials)
  }

  /// Seconds of every trial: each token one row, all loops, and a readout.
  mutating func generate(_ count: Int, loops: Int, trials: Int) throws -> [Double] {
    let cache = try filled(loops: loops)
    let logits = Tensor(uninitialized: [model.configuration.vocabularySize])
    func once(_ count: Int) throws -> Double {
      defer { cache.truncate(to: depth) }
      return try ContinuousClock().measure {
        for token in tokens(count) {
          try executor.prefill([token], into: cache, loops: loops) { loop, _, states in
            if loop == loops - 1 { executor.logits(states, rows: 1, into: logits.pointer) }
          }
        }
      } / .seconds(1)
    }
    _ = try once(min(count, 2))
    return try (0..<trials).map { _ in try once(count) }
  }
}
