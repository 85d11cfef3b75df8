import CKernels
import Tensors
import Tokenization

/// Runs rows through the shared block.
///
/// A pass takes any mix of sequences, positions and loops, because all loops share the weights, and reads every weight
/// once. In every layer all rows first write their keys and values, then all attend: rows of one sequence that are at
/// the same loop see each other as far as their cells and paths allow.
///
/// **Batch invariance.** In passes of at most `decodeRows` rows, what a row computes does not depend on the rows beside
/// it, bit for bit. Longer passes (prompts) use matrix products whose sums are ordered otherwise: equal within rounding.
///
/// Memory: scratch for the longest pass so far. Not thread-safe; the work inside a pass is spread over the pool.
public final class LoopExecutor {
  /// The most rows of a pass whose results do not depend on each other.
  public static let decodeRows = 16

  public let model: LanguageModel
  public let pool: WorkerPool
  /// Passes over the block so far.
  public private(set) var passes = 0
  /// Rows of those passes.
  public private(set) var rowsRun = 0
  let scratch: ExecutorScratch

  public init(_ model: LanguageModel, pool: WorkerPool = .shared) {
    self.model = model
    self.pool = pool
    scratch = ExecutorScratch(model.configuration, threads: pool.threads)
  }

  /// The states before the first loop, [tokens, hidden].
  /// - Precondition: every token is in the vocabulary.
  public func embed(_ tokens: some Collection<TokenID>, into states: UnsafeMutablePointer<Float>) {
    let hidden = model.configuration.hiddenSize
    for (row, token) in tokens.enumerated() {
      precondition(token >= 0 && token < model.configuration.vocabularySize, "token \(token)")
      model.embedding.dequantize(rows: Int(token)..<Int(token) + 1, into: states + row * hidden)
    }
  }

  /// One pass: each row through all layers and the final norm.
  /// - Parameter states: [rows, hidden]; the state after the loop before (the embedding at loop 0) on entry, the
  ///   normed state after this loop on return.
  public func run(_ rows: [LoopRow], states: UnsafeMutablePointer<Float>) {
    guard !rows.isEmpty else { return }
    let c = model.configuration
    let count = rows.count
    let s = scratch
    s.prepare(rows, c)
    prepareAttention(rows)
    overRows(count) { normalize($0, states, model.layers[0].attentionNorm, into: s.normed) }
    for (number, layer) in model.layers.enumerated() {
      WeightMatrix.multiply(
        s.normed, batch: count, by: [(layer.query, s.queries), (layer.key, s.keys), (layer.value, s.values)],
        pool: pool)
      overRows(count) { s.rotate(rows: $0, c) }
      store(rows, layer: number)
      attend(rows, layer: number)
      layer.output.multiply(s.attended, batch: count, into: s.branch, pool: pool)
      overRows(count) {
        add($0, s.branch, layer.attentionOutputNorm, to: states)
        normalize($0, states, layer.mlpNorm, into: s.normed)
      }
      WeightMatrix.multiply(s.normed, batch: count, by: [(layer.gate, s.gate), (layer.up, s.up)], pool: pool)
      activate(count)
      layer.down.multiply(s.gate, batch: count, into: s.branch, pool: pool)
      let next = number + 1 < model.layers.count ? model.layers[number + 1].attentionNorm : model.finalNorm
      overRows(count) {
        add($0, s.branch, layer.mlpOutputNorm, to: states)
        normalize($0, states, next, into: s.normed)
      }
    }
    states.update(from: s.normed, count: count * c.hiddenSize)
    passes += 1
    rowsRun += count
  }

  /// The gate's value of every row before the sigmoid: the log-odds of leaving after the loop that made the states.
  /// - Precondition: the model has a gate.
  public func exitLogits(_ states: UnsafePointer<Float>, rows: Int) -> [Float] {
    (0..<rows).map { exitLogit(states + $0 * model.configuration.hiddenSize) }
  }

  /// `exitLogits` of one row.
  public func exitLogit(_ state: UnsafePointer<Float>) -> Float {
    guard let gate = model.gate else { preconditionFailure("the model has no exit gate") }
    return Float(ck_dot(gate.weight, state, model.configuration.hiddenSize) + Double(gate.bias))
  }

  /// The readout, [rows, vocabulary].
  public func logits(_ states: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>) {
    model.readout.multiply(states, batch: rows, into: logits, pool: pool)
  }

  /// Calls `body` with parts of the rows: all of them for a decoding pass, whose rows are too few to spread.
  private func overRows(_ count: Int, _ body: (Range<Int>) -> Void) {
    if count <= Self.decodeRows {
      body(0..<count)
    } else {
      pool.run(count, grain: 8) { range, _ in body(range) }
    }
  }

  private func normalize(
    _ rows: Range<Int>, _ x: UnsafePointer<Float>, _ gain: [Float], into y: UnsafeMutablePointer<Float>
  ) {
    let hidden = model.configuration.hiddenSize
    let offset = rows.lowerBound * hidden
    ck_rms_norm_forward(
      x + offset, gain, y + offset, scratch.scales + rows.lowerBound, rows.count, hidden,
      model.configuration.normEpsilon)
  }

  /// states += norm(branch), or branch where there is no norm. The norm is made in `normed`, which is free then.
  private func add(
    _ rows: Range<Int>, _ branch: UnsafeMutablePointer<Float>, _ norm: [Float]?,
    to states: UnsafeMutablePointer<Float>
  ) {
    let (offset, count) = (
      rows.lowerBound * model.configuration.hiddenSize, rows.count * model.configuration.hiddenSize
    )
    if let norm {
      normalize(rows, branch, norm, into: scratch.normed)
      ck_add(states + offset, scratch.normed + offset, states + offset, count)
    } else {
      ck_add(states + offset, branch + offset, states + offset, count)
    }
  }

  /// gate = silu(gate) · up, row by row: a row's last values are computed alike in every pass.
  private func activate(_ count: Int) {
    let width = model.configuration.intermediateSize
    overRows(count) { rows in
      for row in rows { ck_silu_product(scratch.gate + row * width, scratch.up + row * width, width) }
    }
  }

  private func store(_ rows: [LoopRow], layer: Int) {
    let width = model.configuration.keyValueHeads * model.configuration.headSize
    for (number, row) in rows.enumerated() {
      row.cache.store(
        loop: row.loop, layer: layer, cell: row.cell, keys: scratch.keys + number * width,
        values: scratch.values + number * width)
    }
  }
}
