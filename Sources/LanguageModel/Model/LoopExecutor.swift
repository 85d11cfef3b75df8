import CKernels
import Foundation
import Tensors

/// Runs rows through the shared block.
///
/// A pass takes any mix of sequences, positions and loops, because all loops share the weights, and reads every weight
/// once. In every layer all rows first write their keys and values, then all attend: rows of one sequence that are at
/// the same loop see each other as far as their cells and paths allow.
///
/// **Batch invariance.** In passes of at most `decodeRows` rows, what a row computes does not depend on the rows beside
/// it, bit for bit. Longer passes (prompts) use matrix products whose sums are ordered otherwise: equal within rounding.
///
/// Memory: scratch for the longest pass so far; a pass that is no longer allocates nothing. Not thread-safe; the work
/// inside a pass is spread over the pool.
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
  public func embed(_ tokens: some Collection<Int32>, into states: UnsafeMutablePointer<Float>) {
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
    scratch.prepare(rows, c)
    for (number, layer) in model.layers.enumerated() {
      normalize(states, layer.attentionNorm, into: scratch.normed, rows: count)
      WeightMatrix.multiply(
        scratch.normed, batch: count,
        by: [(layer.query, scratch.queries), (layer.key, scratch.keys), (layer.value, scratch.values)],
        pool: pool)
      scratch.rotate(rows: count, c)
      store(rows, layer: number)
      attend(rows, layer: number)
      layer.output.multiply(scratch.attended, batch: count, into: scratch.branch, pool: pool)
      add(scratch.branch, layer.attentionOutputNorm, to: states, rows: count)
      normalize(states, layer.mlpNorm, into: scratch.normed, rows: count)
      WeightMatrix.multiply(
        scratch.normed, batch: count, by: [(layer.gate, scratch.gate), (layer.up, scratch.up)], pool: pool)
      activate(rows: count)
      layer.down.multiply(scratch.gate, batch: count, into: scratch.branch, pool: pool)
      add(scratch.branch, layer.mlpOutputNorm, to: states, rows: count)
    }
    normalize(states, model.finalNorm, into: scratch.normed, rows: count)
    states.update(from: scratch.normed, count: count * c.hiddenSize)
    passes += 1
    rowsRun += count
  }

  /// The gate's value of every row before the sigmoid: the log-odds of leaving after the loop that made the states.
  /// - Precondition: the model has a gate.
  public func exitLogits(_ states: UnsafePointer<Float>, rows: Int) -> [Float] {
    guard let gate = model.gate else { preconditionFailure("the model has no exit gate") }
    let hidden = model.configuration.hiddenSize
    return (0..<rows).map { Float(ck_dot(gate.weight, states + $0 * hidden, hidden)) + gate.bias }
  }

  /// The readout, [rows, vocabulary].
  public func logits(_ states: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>) {
    model.readout.multiply(states, batch: rows, into: logits, pool: pool)
  }

  private func normalize(
    _ x: UnsafePointer<Float>, _ gain: [Float], into y: UnsafeMutablePointer<Float>, rows: Int
  ) {
    let hidden = model.configuration.hiddenSize
    ck_rms_norm_forward(x, gain, y, scratch.scales, rows, hidden, model.configuration.normEpsilon)
  }

  /// states += norm(branch), or branch where there is no norm.
  private func add(
    _ branch: UnsafeMutablePointer<Float>, _ norm: [Float]?, to states: UnsafeMutablePointer<Float>, rows: Int
  ) {
    let count = rows * model.configuration.hiddenSize
    if let norm {
      normalize(branch, norm, into: scratch.normed, rows: rows)
      ck_add(states, scratch.normed, states, count)
    } else {
      ck_add(states, branch, states, count)
    }
  }

  /// gate = silu(gate) · up.
  private func activate(rows: Int) {
    let (gate, up) = (scratch.gate, scratch.up)
    for i in 0..<rows * model.configuration.intermediateSize {
      gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
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

  /// Every row over the cells it sees.
  private func attend(_ rows: [LoopRow], layer: Int) {
    let c = model.configuration
    let (size, group) = (c.headSize, c.heads / c.keyValueHeads)
    pool.run(rows.count * c.keyValueHeads) { item, worker in
      let (number, shared) = (item / c.keyValueHeads, item % c.keyValueHeads)
      let row = rows[number]
      let slot = row.cache.slot(loop: row.loop, layer: layer)
      for head in shared * group..<(shared + 1) * group {
        let q = scratch.queries + number * c.heads * size + head * size
        let out = scratch.attended + number * c.heads * size + head * size
        attendHead(q, out, slot, head: shared, runs: scratch.runs[number], scores: scratch.scores[worker])
      }
    }
  }

  private func attendHead(
    _ q: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ slot: KVSlot, head: Int,
    runs: [Range<Int>],
    scores: UnsafeMutablePointer<Float>
  ) {
    let size = slot.layout.headSize
    let scale = 1 / Float(size).squareRoot()
    var n = 0
    for cell in runs.joined() {
      let k =
        slot.keys(block: cell / KVLayout.cellsPerBlock)
        + slot.layout.offset(cell % KVLayout.cellsPerBlock, head: head)
      scores[n] = Float(ck_dot(q, k, size)) * scale
      n += 1
    }
    ck_softmax(scores, scores, 1, n)
    out.update(repeating: 0, count: size)
    n = 0
    for cell in runs.joined() {
      let v =
        slot.values(block: cell / KVLayout.cellsPerBlock)
        + slot.layout.offset(cell % KVLayout.cellsPerBlock, head: head)
      ck_axpy(scores[n], v, out, size)
      n += 1
    }
  }
}
