import CKernels
import Tensors

/// y = (x - mean) / √(variance + ε) · gain + bias over the innermost dimension.
///
/// - Parameters:
///   - x: [..., columns]. - gain: [columns]. - bias: [columns].
public func layerNorm(_ x: Variable, gain: Variable, bias: Variable, epsilon: Float = 1e-5) -> Variable {
  let (value, rows, columns) = (x.value, x.value.rows, x.value.columns)
  precondition(gain.value.count == columns && bias.value.count == columns, "a norm of \(columns) columns")
  let y = Tensor(uninitialized: value.shape)
  // Of every row, what the backward pass needs: the mean, then 1 / deviation.
  let statistics = Tensor(uninitialized: [2, rows])
  let (input, output, mean, scale) = (value.pointer, y.pointer, statistics.pointer, statistics.pointer + rows)
  let gainValue = gain.value
  let (gains, offsets) = (gainValue.pointer, bias.value.pointer)
  WorkerPool.shared.run(rows, grain: Elementwise.rowGrain(columns: columns)) { range, _ in
    let (row, start) = (range.lowerBound, range.lowerBound * columns)
    ck_layer_norm_forward(
      input + start, gains, offsets, output + start, mean + row, scale + row, range.count, columns, epsilon)
  }
  let (slot, gainSlot, biasSlot) = (x.slot, gain.slot, bias.slot)
  return Tape.result(y, of: [x, gain, bias]) { gradient in
    let mean = statistics.pointer
    accumulateNorm(gradient, value, slot: slot, sums: [(gainSlot, columns), (biasSlot, columns)]) {
      range, dx, adds, sums in
      let (row, start) = (range.lowerBound, range.lowerBound * columns)
      ck_layer_norm_backward(
        gradient.pointer + start, value.pointer + start, gainValue.pointer, mean + row, mean + rows + row,
        dx + start, adds, sums, sums + columns, range.count, columns)
    }
  }
}

/// y = x / √(mean of x² + ε) · gain over the innermost dimension.
/// Source: Zhang and Sennrich, arXiv 1910.07467.
public func rmsNorm(_ x: Variable, gain: Variable, epsilon: Float = 1e-6) -> Variable {
  let (value, rows, columns) = (x.value, x.value.rows, x.value.columns)
  precondition(gain.value.count == columns, "a norm of \(columns) columns")
  let y = Tensor(uninitialized: value.shape)
  let scales = Tensor(uninitialized: [rows])
  let gainValue = gain.value
  let (input, output, scale, gains) = (value.pointer, y.pointer, scales.pointer, gainValue.pointer)
  WorkerPool.shared.run(rows, grain: Elementwise.rowGrain(columns: columns)) { range, _ in
    let (row, start) = (range.lowerBound, range.lowerBound * columns)
    ck_rms_norm_forward(input + start, gains, output + start, scale + row, range.count, columns, epsilon)
  }
  let (slot, gainSlot) = (x.slot, gain.slot)
  return Tape.result(y, of: [x, gain]) { gradient in
    accumulateNorm(gradient, value, slot: slot, sums: [(gainSlot, columns)]) { range, dx, adds, sums in
      let (row, start) = (range.lowerBound, range.lowerBound * columns)
      ck_rms_norm_backward(
        gradient.pointer + start, value.pointer + start, gainValue.pointer, scales.pointer + row, dx + start,
        adds,
        sums, range.count, columns)
    }
  }
}

/// The backward pass of a norm: dx goes straight into the gradient of the residual stream.
private func accumulateNorm(
  _ gradient: Tensor, _ x: Tensor, slot: GradientSlot?, sums: [(GradientSlot?, Int)],
  _ kernel: (Range<Int>, UnsafeMutablePointer<Float>, Bool, UnsafeMutablePointer<Float>) -> Void
) {
  func run(_ dx: Tensor, _ adds: Bool) {
    let pointer = dx.pointer
    Elementwise.sumRows(rows: x.rows, columns: x.columns, into: sums) { range, partial in
      kernel(range, pointer, adds, partial)
    }
  }
  if let slot {
    slot.accumulate(shape: x.shape, run)
  } else {
    run(Tensor(uninitialized: x.shape), false)
  }
}
