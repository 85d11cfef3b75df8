import CKernels
import Tensors

/// Causal self-attention within segments of the rows: several documents stand in one sequence, and none sees another.
///
/// A segment is attended to as if it were a sequence of its own, so a mask is neither stored nor multiplied by, and the
/// work is that of the documents, not that of the sequence.
///
/// - Parameters:
///   - qkv: [batch, tokens, (heads + 2 · keyValueHeads) · size]: of every token the queries of all heads, then the keys,
///     then the values.
///   - keyValueHeads: divides `heads`; each serves `heads / keyValueHeads` heads of queries.
///   - segments: ranges of the flattened rows, batch · tokens; together, in order, all of them.
/// - Returns: [batch, tokens, heads · size].
///
/// Complexity: Σ over segments of 2 · length² · heads · size operations forward, 5 backward; keeps qkv, the result, and
/// one number per token and head.
public func packedAttention(
  _ qkv: Variable, heads: Int, keyValueHeads: Int, segments: [Range<Int>]
) -> Variable {
  let columns = heads + 2 * keyValueHeads
  precondition(
    qkv.shape.count == 3 && qkv.shape[2] % columns == 0 && heads % keyValueHeads == 0,
    "attention of \(heads) heads, \(keyValueHeads) of keys, on \(qkv.shape)")
  let (rows, stride) = (qkv.value.rows, qkv.value.columns)
  precondition(
    segments.first?.lowerBound ?? 0 == 0 && segments.last?.upperBound ?? 0 == rows
      && zip(segments, segments.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound },
    "segments \(segments) do not make up \(rows) rows")
  let size = stride / columns
  let (width, group) = (heads * size, heads / keyValueHeads)
  let scale = 1 / Float(size).squareRoot()
  let value = qkv.value
  let y = Tensor(uninitialized: [qkv.shape[0], qkv.shape[1], width])
  // One number per head and row: a segment's rows stand together.
  let logSums = Tensor(uninitialized: [heads, rows])
  let pool = WorkerPool.shared
  let scratchSize = ck_attention_scratch(segments.reduce(0) { max($0, $1.count) }, size)
  let scratch = Tensor(uninitialized: [pool.threads, scratchSize])
  let (input, output, sums, memory) = (value.pointer, y.pointer, logSums.pointer, scratch.pointer)
  pool.run(segments.count * heads) { item, worker in
    let (segment, head) = (segments[item / heads], item % heads)
    let row = input + segment.lowerBound * stride
    ck_attention_forward(
      row + head * size, row + (heads + head / group) * size,
      row + (heads + keyValueHeads + head / group) * size, stride,
      output + segment.lowerBound * width + head * size, width, sums + head * rows + segment.lowerBound,
      segment.count, size, scale, memory + worker * scratchSize)
  }
  let slot = qkv.slot
  return Tape.result(y, of: [qkv]) { gradient in
    let dqkv = Tensor(uninitialized: value.shape)
    // What the second and later heads of a group add to the keys and values they share.
    let other = group > 1 ? Tensor(uninitialized: value.shape) : nil
    let scratch = Tensor(uninitialized: [pool.threads, scratchSize])
    let (input, output, sums, memory) = (value.pointer, y.pointer, logSums.pointer, scratch.pointer)
    let (dy, dx, share) = (gradient.pointer, dqkv.pointer, other?.pointer)
    pool.run(segments.count * keyValueHeads) { item, worker in
      let (segment, keyHead) = (segments[item / keyValueHeads], item % keyValueHeads)
      let (start, out) = (segment.lowerBound * stride, segment.lowerBound * width)
      let (key, values) = (start + (heads + keyHead) * size, start + (heads + keyValueHeads + keyHead) * size)
      for head in keyHead * group..<(keyHead + 1) * group {
        let isFirst = head == keyHead * group
        let target = isFirst ? dx : share!
        ck_attention_backward(
          input + start + head * size, input + key, input + values, stride, output + out + head * size,
          dy + out + head * size, width, sums + head * rows + segment.lowerBound, dx + start + head * size,
          target + key, target + values, segment.count, size, scale, memory + worker * scratchSize)
        guard !isFirst else { continue }
        for row in 0..<segment.count {
          for place in [key, values] {
            let sum = dx + place + row * stride
            ck_add(sum, target + place + row * stride, sum, size)
          }
        }
      }
    }
    slot?.accumulate(dqkv)
  }
}
