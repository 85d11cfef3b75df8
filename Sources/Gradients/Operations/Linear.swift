import CKernels
import Tensors

/// y = x Wᵀ + b, and with a residual, y = residual + x Wᵀ + b: one product for all rows of the batch.
///
/// - Parameters:
///   - x: [..., inputs]. - weight: [outputs, inputs]. - bias: [outputs], or none.
///   - residual: [..., outputs]: what the layer's output is added to, in the pass that adds the bias.
/// - Returns: [..., outputs].
public func linear(
  _ x: Variable, _ weight: Variable, _ bias: Variable? = nil, addingTo residual: Variable? = nil
) -> Variable {
  let product = LinearProduct(x, weight, bias)
  precondition(
    residual.map { $0.value.count == x.value.rows * product.outputs } ?? true,
    "the residual has another shape")
  let y = product.forward(
    bias == nil && residual == nil
      ? nil : ProductStart(bias: bias?.value.pointer, residual: residual?.value.pointer))
  let (residualSlot, biasSlot) = (residual?.slot, bias?.slot)
  return Tape.result(y, of: [x, weight, bias, residual]) { gradient in
    residualSlot?.accumulate(gradient)
    if let biasSlot { sumColumns(of: gradient, into: biasSlot) }
    product.backward(gradient)
  }
}

/// y = gelu(x Wᵀ + b): the product starts with the bias, and the gradients of both are made in one pass.
///
/// Without a tape, the pre-activation is overwritten. Shapes as in `linear`.
public func linearGELU(_ x: Variable, _ weight: Variable, _ bias: Variable) -> Variable {
  let product = LinearProduct(x, weight, bias)
  let u = product.forward(ProductStart(bias: bias.value.pointer))
  let y = Tape.records([x, weight, bias]) ? Tensor(uninitialized: u.shape) : u
  let (rows, columns) = (u.rows, u.columns)
  let (input, output) = (u.pointer, y.pointer)
  WorkerPool.shared.run(u.count, grain: Elementwise.grain) { range, _ in
    ck_gelu_forward(input + range.lowerBound, output + range.lowerBound, range.count)
  }
  let biasSlot = bias.slot
  return Tape.result(
    y, of: [x, weight, bias],
    overwriting: { gradient, du in
      let (dy, out, input) = (gradient.pointer, du.pointer, u.pointer)
      Elementwise.sumRows(rows: rows, columns: columns, into: [(biasSlot, columns)]) { range, sums in
        let start = range.lowerBound * columns
        ck_bias_gelu_backward(input + start, dy + start, out + start, sums, range.count, columns)
      }
      product.backward(du)
    })
}

func sumColumns(of gradient: Tensor, into slot: GradientSlot) {
  let (dy, columns) = (gradient.pointer, gradient.columns)
  Elementwise.sumRows(rows: gradient.rows, columns: columns, into: [(slot, columns)]) { range, sums in
    ck_column_sums(dy + range.lowerBound * columns, sums, range.count, columns)
  }
}

/// The three products of a linear layer: y = x Wᵀ, dx = dy W, dW = dyᵀ x, in the precision that is current when it is made.
struct LinearProduct {
  /// x as the products read it, which is what is kept for the backward pass.
  private enum Input {
    case float32(Tensor)
    case bfloat16(BFloat16Matrix)
  }

  private let input: Input
  private let shape: [Int]
  private let rows: Int
  let weight: Tensor
  let xSlot: GradientSlot?
  let weightSlot: GradientSlot?
  let inputs: Int
  let outputs: Int
  private let isParameter: Bool

  init(_ x: Variable, _ weight: Variable, _ bias: Variable?) {
    precondition(
      weight.shape.count == 2 && weight.shape[1] == x.value.columns,
      "a linear layer of weights \(weight.shape) on \(x.shape)")
    precondition(bias.map { $0.value.count == weight.shape[0] } ?? true, "a bias of \(bias!.shape)")
    input =
      ProductPrecision.current == .bfloat16 ? .bfloat16(BFloat16Matrix(rounding: x.value)) : .float32(x.value)
    (shape, rows) = (x.shape, x.value.rows)
    self.weight = weight.value
    isParameter = weight is Parameter
    xSlot = x.slot
    weightSlot = weight.slot
    outputs = weight.shape[0]
    inputs = weight.shape[1]
  }

  /// - Parameter start: what x Wᵀ is added to.
  func forward(_ start: ProductStart? = nil) -> Tensor {
    let y = Tensor(uninitialized: shape.dropLast() + [outputs])
    switch input {
    case .float32(let x):
      gemm(
        x.pointer, weight.pointer, into: y.pointer, m: rows, n: outputs, k: inputs, transposesB: true,
        packed: isParameter ? PackedWeights.matrix(weight, transposes: true) : nil, start: start)
    case .bfloat16(let x):
      gemm(x, packed: rounded(transposes: true), into: y.pointer, n: outputs, start: start)
    }
    return y
  }

  func backward(_ gradient: Tensor) {
    switch input {
    case .float32(let x): backward(gradient, x)
    case .bfloat16(let x): backward(BFloat16Matrix(rounding: gradient), x)
    }
  }

  private func backward(_ gradient: Tensor, _ x: Tensor) {
    weightSlot?.accumulate(shape: weight.shape) { sum, adds in
      gemm(
        gradient.pointer, x.pointer, into: sum.pointer, m: outputs, n: inputs, k: rows, transposesA: true,
        beta: adds ? 1 : 0)
    }
    xSlot?.accumulate(shape: shape) { sum, adds in
      gemm(
        gradient.pointer, weight.pointer, into: sum.pointer, m: rows, n: inputs, k: outputs,
        packed: isParameter ? PackedWeights.matrix(weight, transposes: false) : nil, beta: adds ? 1 : 0)
    }
  }

  private func backward(_ gradient: BFloat16Matrix, _ x: BFloat16Matrix) {
    weightSlot?.accumulate(shape: weight.shape) { sum, adds in
      gemm(transposing: gradient, x, into: sum.pointer, adds: adds)
    }
    xSlot?.accumulate(shape: shape) { sum, adds in
      gemm(gradient, packed: rounded(transposes: false), into: sum.pointer, n: inputs, adds: adds)
    }
  }

  private func rounded(transposes: Bool) -> Tensor {
    isParameter
      ? PackedWeights.rounded(weight, transposes: transposes)
      : BFloat16Matrix(rounding: weight).packed(transposes: transposes)
  }
}
