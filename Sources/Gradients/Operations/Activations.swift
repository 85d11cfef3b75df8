import CKernels
import Tensors

/// GELU in the tanh form of GPT-2: x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³))).
/// Source: Hendrycks and Gimpel, arXiv 1606.08415. After a linear layer, `linearGELU` does the same in fewer passes.
public func gelu(_ x: Variable) -> Variable {
  let value = x.value
  let y = Tensor(uninitialized: value.shape)
  let (input, output) = (value.pointer, y.pointer)
  WorkerPool.shared.run(value.count, grain: Elementwise.grain) { range, _ in
    ck_gelu_forward(input + range.lowerBound, output + range.lowerBound, range.count)
  }
  let slot = x.slot
  return Tape.result(
    y, of: [x],
    overwriting: { gradient, dx in
      let (input, dy, out) = (value.pointer, gradient.pointer, dx.pointer)
      WorkerPool.shared.run(value.count, grain: Elementwise.grain) { range, _ in
        let start = range.lowerBound
        ck_gelu_backward(input + start, dy + start, out + start, range.count)
      }
      slot?.accumulate(dx)
    })
}

/// SwiGLU: silu(gate) · up, where a row of x is gate and up, one after the other.
/// Source: Shazeer, arXiv 2002.05202.
///
/// - Parameter x: [..., 2 · columns]. - Returns: [..., columns].
public func swiglu(_ x: Variable) -> Variable {
  let (value, rows, columns) = (x.value, x.value.rows, x.value.columns / 2)
  precondition(x.value.columns % 2 == 0, "SwiGLU of an odd number of columns, \(x.shape)")
  let y = Tensor(uninitialized: value.shape.dropLast() + [columns])
  let (input, output) = (value.pointer, y.pointer)
  WorkerPool.shared.run(rows, grain: Elementwise.rowGrain(columns: columns)) { range, _ in
    let start = range.lowerBound * columns
    ck_swiglu_forward(input + 2 * start, output + start, range.count, columns)
  }
  let slot = x.slot
  return Tape.result(y, of: [x]) { gradient in
    let dx = Tensor(uninitialized: value.shape)
    let (input, dy, out) = (value.pointer, gradient.pointer, dx.pointer)
    WorkerPool.shared.run(rows, grain: Elementwise.rowGrain(columns: columns)) { range, _ in
      let start = range.lowerBound * columns
      ck_swiglu_backward(input + 2 * start, dy + start, out + 2 * start, range.count, columns)
    }
    slot?.accumulate(dx)
  }
}

/// x where x > 0, slope · x elsewhere; ReLU with a slope of 0. At 0 the gradient is slope's.
public func leakyReLU(_ x: Variable, slope: Float = 0.01) -> Variable {
  let value = x.value
  let y = Tensor(uninitialized: value.shape)
  let (input, output) = (value.pointer, y.pointer)
  WorkerPool.shared.run(value.count, grain: Elementwise.grain) { range, _ in
    ck_leaky_relu_forward(input + range.lowerBound, slope, output + range.lowerBound, range.count)
  }
  let slot = x.slot
  return Tape.result(
    y, of: [x],
    overwriting: { gradient, dx in
      let (input, dy, out) = (value.pointer, gradient.pointer, dx.pointer)
      WorkerPool.shared.run(value.count, grain: Elementwise.grain) { range, _ in
        let start = range.lowerBound
        ck_leaky_relu_backward(input + start, dy + start, slope, out + start, range.count)
      }
      slot?.accumulate(dx)
    })
}

/// max(x, 0).
public func relu(_ x: Variable) -> Variable { leakyReLU(x, slope: 0) }
