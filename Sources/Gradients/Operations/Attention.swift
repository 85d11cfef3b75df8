import CKernels
import Foundation
import Tensors

/// Causal self-attention of every head, without the matrix of scores ever in memory.
///
/// - Parameters:
///   - qkv: [batch, tokens, 3 · width]: of every token the queries, keys and values of all heads, as one linear layer
///     makes them.
///   - heads: divides width.
///   - scale: of the scores; 1 / √(width / heads) if not given.
/// - Returns: [batch, tokens, width].
///
/// Complexity: 2 · tokens² · width operations per sequence forward, 5 backward; keeps qkv, the result, and one number
/// per token and head.
public func causalAttention(_ qkv: Variable, heads: Int, scale: Float? = nil) -> Variable {
  precondition(
    qkv.shape.count == 3 && qkv.shape[2] % (3 * heads) == 0, "attention of \(heads) heads on \(qkv.shape)")
  let (batch, tokens, width) = (qkv.shape[0], qkv.shape[1], qkv.shape[2] / 3)
  let size = width / heads
  let scale = scale ?? 1 / Float(size).squareRoot()
  let value = qkv.value
  let y = Tensor(uninitialized: [batch, tokens, width])
  let logSums = Tensor(uninitialized: [batch, heads, tokens])
  let scratchSize = ck_attention_scratch(tokens, size)
  let pool = WorkerPool.shared
  let scratch = Tensor(uninitialized: [pool.threads, scratchSize])
  let (input, output, sums, memory) = (value.pointer, y.pointer, logSums.pointer, scratch.pointer)
  pool.run(batch * heads) { item, worker in
    let (sequence, head) = (item / heads, item % heads)
    let q = input + sequence * tokens * 3 * width + head * size
    ck_attention_forward(
      q, q + width, q + 2 * width, 3 * width, output + sequence * tokens * width + head * size, width,
      sums + item * tokens, tokens, size, scale, memory + worker * scratchSize)
  }
  let slot = qkv.slot
  return Tape.result(y, of: [qkv]) { gradient in
    let dqkv = Tensor(uninitialized: value.shape)
    let scratch = Tensor(uninitialized: [pool.threads, scratchSize])
    let (input, output, sums, memory) = (value.pointer, y.pointer, logSums.pointer, scratch.pointer)
    let (dy, dx) = (gradient.pointer, dqkv.pointer)
    pool.run(batch * heads) { item, worker in
      let (sequence, head) = (item / heads, item % heads)
      let (start, out) = (
        sequence * tokens * 3 * width + head * size, sequence * tokens * width + head * size
      )
      let (q, dq) = (input + start, dx + start)
      ck_attention_backward(
        q, q + width, q + 2 * width, 3 * width, output + out, dy + out, width, sums + item * tokens, dq,
        dq + width,
        dq + 2 * width, tokens, size, scale, memory + worker * scratchSize)
    }
    slot?.accumulate(dqkv)
  }
}

/// Cosines and sines of the rotary embedding: θ_i = position / base^(2i / headSize).
public struct RotaryTable {
  /// [positions, headSize / 2] each.
  public let cosines: Tensor
  public let sines: Tensor
  public let headSize: Int

  /// - Precondition: `headSize` is even.
  public init(positions: Int, headSize: Int, base: Double = 10_000) {
    precondition(headSize % 2 == 0, "a rotary embedding needs an even head size, not \(headSize)")
    self.headSize = headSize
    cosines = Tensor(uninitialized: [positions, headSize / 2])
    sines = Tensor(uninitialized: [positions, headSize / 2])
    for position in 0..<positions {
      for i in 0..<headSize / 2 {
        let angle = Double(position) / pow(base, Double(2 * i) / Double(headSize))
        cosines[position, i] = Float(cos(angle))
        sines[position, i] = Float(sin(angle))
      }
    }
  }

  public var positions: Int { cosines.shape[0] }
}

/// Turns the queries and keys in `qkv` by their positions (values stay): coordinates i and i + headSize/2 of a head
/// are a pair. Source: Su et al., arXiv 2104.09864.
///
/// - Parameters:
///   - qkv: [batch, tokens, (heads + 2 · keyValueHeads) · headSize]. - table: of at least `tokens` positions.
///   - keyValueHeads: as many as `heads` if not given.
public func rotary(
  _ qkv: Variable, table: RotaryTable, heads: Int, keyValueHeads: Int? = nil
) -> Variable {
  let (size, shared) = (table.headSize, keyValueHeads ?? heads)
  precondition(
    qkv.shape.count == 3 && qkv.shape[2] == (heads + 2 * shared) * size && qkv.shape[1] <= table.positions,
    "rotary embedding of \(heads) heads of \(size), \(table.positions) positions, on \(qkv.shape)")
  let (batch, tokens, width) = (qkv.shape[0], qkv.shape[1], qkv.shape[2])
  let (cosines, sines) = (table.cosines, table.sines)
  func turn(_ x: Tensor, _ sign: Float) {
    let (pointer, cosines, sines) = (x.pointer, cosines.pointer, sines.pointer)
    WorkerPool.shared.run(batch) { sequence, _ in
      // Queries and keys stand side by side: together they are one run of heads.
      ck_rotary(
        pointer + sequence * tokens * width, width, cosines, sines, sign, tokens, heads + shared, size)
    }
  }
  let y = qkv.value.copy()
  turn(y, 1)
  let slot = qkv.slot
  return Tape.result(
    y, of: [qkv],
    overwriting: { gradient, dx in
      dx.assign(from: gradient)
      turn(dx, -1)
      slot?.accumulate(dx)
    })
}
