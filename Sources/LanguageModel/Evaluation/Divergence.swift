import Foundation
import Tensors
import Tokenization

/// How far one way of running a model is from another: over positions of the same text, the Kullback-Leibler divergence
/// of the predictions, KL(reference ‖ other) = Σ p log(p / q) in nats, and how often the most probable tokens agree.
public struct Divergence: Equatable, Sendable {
  public private(set) var positions = 0
  public private(set) var largest = 0.0
  private var sum = 0.0
  private var agreeing = 0

  public init() {}

  public var mean: Double { positions > 0 ? sum / Double(positions) : .nan }
  /// The part of the positions whose most probable tokens are the same.
  public var agreement: Double { positions > 0 ? Double(agreeing) / Double(positions) : .nan }

  /// Adds a position.
  /// - Parameters: - reference, other: logits, [count].
  public mutating func add(
    reference: UnsafePointer<Float>, other: UnsafePointer<Float>, count: Int
  ) {
    let (p, q) = (Sampler.logSum(reference, count: count), Sampler.logSum(other, count: count))
    var divergence = 0.0
    for i in 0..<count where reference[i] > -.infinity {
      let logP = Double(reference[i] - p)
      divergence += Foundation.exp(logP) * (logP - Double(other[i] - q))
    }
    positions += 1
    // Rounding can leave a little less than nothing.
    sum += max(divergence, 0)
    largest = max(largest, divergence)
    if Sampler.top(reference, count: count) == Sampler.top(other, count: count) { agreeing += 1 }
  }

  /// One way of decoding.
  public struct Way {
    public var executor: LoopExecutor
    /// Empty.
    public var cache: KVCache
    public var exit: ExitPolicy
    public var skippedLoops: SkippedLoops

    public init(
      _ executor: LoopExecutor, cache: KVCache, exit: ExitPolicy = .fixed(),
      skippedLoops: SkippedLoops = .copy
    ) {
      self.executor = executor
      self.cache = cache
      self.exit = exit
      self.skippedLoops = skippedLoops
    }
  }

  /// Two ways of decoding the same text, token by token as an answer is decoded, so that shared or rounded keys and
  /// values, copies for skipped loops and early exits all show; also two models (weights in two formats).
  ///
  /// The first `prompt` tokens are read as a prompt; the prediction behind it and behind every later token but the last
  /// is compared.
  /// - Throws: `PromptError`, `SettingError`, `ContextLimitError`.
  /// - Precondition: both models have the same vocabulary.
  public static func decoding(
    _ tokens: [TokenID], prompt: Int, reference: Way, other: Way
  ) throws -> Divergence {
    let count = reference.executor.model.configuration.vocabularySize
    precondition(other.executor.model.configuration.vocabularySize == count, "vocabularies differ")
    guard prompt >= 1, prompt <= tokens.count else {
      throw SettingError(name: "prompt length", value: "\(prompt)", range: "from 1 to \(tokens.count)")
    }
    try PromptError.check(tokens, reference.executor.model.configuration)
    let ways = [reference, other]
    for way in ways { try way.exit.check(way.executor.model.configuration) }
    let decoders = ways.map {
      SequenceDecoder($0.executor, cache: $0.cache, skippedLoops: $0.skippedLoops)
    }
    let logits = ways.map { _ in Tensor(uninitialized: [count]) }
    var result = Divergence()
    for (decoder, way) in zip(decoders, ways) { try decoder.read(tokens[..<prompt], policy: way.exit) }
    for place in prompt...max(prompt, tokens.count - 1) {
      for (decoder, logits) in zip(decoders, logits) { decoder.readOut(into: logits.pointer) }
      result.add(reference: logits[0].pointer, other: logits[1].pointer, count: count)
      guard place < tokens.count - 1 else { break }
      for (decoder, way) in zip(decoders, ways) { try decoder.append(tokens[place], policy: way.exit) }
    }
    return result
  }

  /// Two models on the same text, read as windows: what other weights change.
  /// - Returns: one divergence for every loop.
  /// - Throws: `PromptError`.
  public static func reading(
    _ tokens: [TokenID], window: Int = 512, loops: Int? = nil, reference: LoopExecutor, other: LoopExecutor
  ) throws -> [Divergence] {
    let c = reference.model.configuration
    precondition(other.model.configuration.vocabularySize == c.vocabularySize, "vocabularies differ")
    try PromptError.check(tokens, c)
    let loops = loops ?? c.loops
    var result = [Divergence](repeating: Divergence(), count: loops)
    let rows = 32
    let logits = [0, 1].map { _ in Tensor(uninitialized: [rows, c.vocabularySize]) }
    for start in Swift.stride(from: 0, to: tokens.count, by: window) {
      let part = tokens[start..<min(start + window, tokens.count)]
      let states = try [reference, other].map { executor in
        var states: [Tensor] = []
        let cache = KVCache(
          executor.model.configuration, loops: loops, format: .float32, contextLimit: part.count)
        try executor.prefill(part, into: cache, loops: loops, chunk: part.count) { _, positions, values in
          let copy = Tensor(uninitialized: [positions.count, executor.model.configuration.hiddenSize])
          copy.pointer.update(from: values, count: copy.count)
          states.append(copy)
        }
        return states
      }
      for loop in 0..<loops {
        for first in Swift.stride(from: 0, to: part.count, by: rows) {
          let count = min(rows, part.count - first)
          for (which, executor) in [reference, other].enumerated() {
            executor.logits(
              states[which][loop].pointer + first * executor.model.configuration.hiddenSize, rows: count,
              into: logits[which].pointer)
          }
          for row in 0..<count {
            result[loop].add(
              reference: logits[0].pointer + row * c.vocabularySize,
              other: logits[1].pointer + row * c.vocabularySize, count: c.vocabularySize)
          }
        }
      }
    }
    return result
  }
}
