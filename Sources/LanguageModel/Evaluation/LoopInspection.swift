import Foundation
import Tensors
import Tokenization

/// What every loop would say at every position of a text: the logit lens across loops.
public struct LoopInspection: Equatable, Sendable {
  /// One position after one loop.
  public struct Cell: Equatable, Sendable {
    /// The most probable next tokens, largest first.
    public var top: [Sampler.Alternative]
    /// -Σ p log p of the prediction, in nats.
    public var entropy: Float
    /// log p of the token that follows in the text; `nil` behind the last.
    public var nextLogProbability: Float?
    /// ‖h_t - h_{t-1}‖ / ‖h_t‖; before the first loop h is the embedding.
    public var stateChange: Float
    /// The gate's λ; `nil` without a gate.
    public var gate: Float?
  }

  public var tokens: [TokenID]
  /// [position][loop].
  public var cells: [[Cell]]
  /// p_1 … p_T for every position; empty without a gate.
  public var exitProbabilities: [[Float]]

  /// Runs a text through all loops.
  ///
  /// Complexity: a readout for every position and loop. Memory: the states of the text.
  /// - Throws: `PromptError`, `ContextLimitError`, `SettingError`.
  public init(_ executor: LoopExecutor, _ tokens: [TokenID], loops: Int? = nil, top: Int = 5) throws {
    let c = executor.model.configuration
    let loops = loops ?? c.loops
    try PromptError.check(tokens, c)
    try ExitPolicy.fixed(loops).check(c)
    try SamplingSettings(logProbabilities: top).check(vocabularySize: c.vocabularySize)
    let hidden = c.hiddenSize
    let before = Tensor(uninitialized: [tokens.count, hidden])
    executor.embed(tokens, into: before.pointer)
    let logits = Tensor(uninitialized: [c.vocabularySize])
    var cells = [[Cell]](repeating: [], count: tokens.count)
    var gates = [[Float]](repeating: [], count: tokens.count)
    let cache = KVCache(c, loops: loops, format: .float32)
    try executor.prefill(tokens, into: cache, loops: loops) { _, positions, states in
      for (row, position) in positions.enumerated() {
        let (state, old) = (states + row * hidden, before.pointer + position * hidden)
        executor.logits(state, rows: 1, into: logits.pointer)
        let gate = executor.model.gate.map { _ in executor.exitLogit(state) }
        if let gate { gates[position].append(gate) }
        cells[position].append(
          Self.cell(
            logits, top: top, next: position + 1 < tokens.count ? tokens[position + 1] : nil,
            change: distance(state, old, count: hidden)
              / max(length(state, count: hidden), .leastNormalMagnitude),
            gate: gate.map(sigmoid)))
        old.update(from: state, count: hidden)
      }
    }
    self.tokens = tokens
    self.cells = cells
    exitProbabilities =
      executor.model.gate == nil ? [] : gates.map { ExitDistribution(gates: $0).probabilities }
  }

  private static func cell(
    _ logits: Tensor, top: Int, next: TokenID?, change: Float, gate: Float?
  ) -> Cell {
    let sum = Sampler.logSum(logits.pointer, count: logits.count)
    var entropy = 0.0
    for i in 0..<logits.count {
      let log = Double(logits.pointer[i] - sum)
      if log > -700 { entropy -= exp(log) * log }
    }
    return Cell(
      top: Sampler.largest(top, of: logits.pointer, count: logits.count).map {
        Sampler.Alternative(token: $0, logProbability: logits.pointer[Int($0)] - sum)
      }, entropy: Float(entropy), nextLogProbability: next.map { logits.pointer[Int($0)] - sum },
      stateChange: change, gate: gate)
  }
}
