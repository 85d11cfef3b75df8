import Tensors

/// Many linear layers at once, each on its own rows: y[p] = x[p] W[p]ᵀ + b[p]. For ensembles of small networks.
///
/// One product per layer, and the layers on all threads: for layers so small that a product alone fills no thread.
///
/// - Parameters:
///   - x: layers · rows · inputs numbers of any shape, layer by layer.
///   - weight: [layers, outputs, inputs]. - bias: [layers, outputs].
/// - Returns: [layers, rows, outputs].
public func batchedLinear(_ x: Variable, _ weight: Variable, _ bias: Variable) -> Variable {
  precondition(weight.shape.count == 3, "the weights of several layers, not \(weight.shape)")
  let (layers, outputs, inputs) = (weight.shape[0], weight.shape[1], weight.shape[2])
  precondition(
    bias.shape == [layers, outputs] && layers > 0 && inputs > 0 && x.value.count % (layers * inputs) == 0,
    "layers of weights \(weight.shape) and biases \(bias.shape) on \(x.shape)")
  let rows = x.value.count / (layers * inputs)
  let multiplier = FastestMultiplier.shared
  let (xValue, wValue, bValue) = (x.value, weight.value, bias.value)
  let y = Tensor(uninitialized: [layers, rows, outputs])
  WorkerPool.shared.run(layers) { layer, _ in
    let out = y.pointer + layer * rows * outputs
    let offset = bValue.pointer + layer * outputs
    for row in 0..<rows { (out + row * outputs).update(from: offset, count: outputs) }
    multiplier.multiply(
      transposesA: false, transposesB: true, m: rows, n: outputs, k: inputs,
      a: xValue.pointer + layer * rows * inputs, lda: inputs, b: wValue.pointer + layer * outputs * inputs,
      ldb: inputs, beta: 1, c: out, ldc: outputs)
  }
  let (xSlot, wSlot, bSlot) = (x.slot, weight.slot, bias.slot)
  return Tape.result(y, of: [x, weight, bias]) { gradient in
    bSlot?.accumulate(shape: [layers, outputs]) { sum, adds in
      if !adds { sum.fill(0) }
      WorkerPool.shared.run(layers) { layer, _ in
        let total = sum.pointer + layer * outputs
        for row in 0..<rows {
          let dy = gradient.pointer + (layer * rows + row) * outputs
          for column in 0..<outputs { total[column] += dy[column] }
        }
      }
    }
    wSlot?.accumulate(shape: wValue.shape) { sum, adds in
      WorkerPool.shared.run(layers) { layer, _ in
        multiplier.multiply(
          transposesA: true, transposesB: false, m: outputs, n: inputs, k: rows,
          a: gradient.pointer + layer * rows * outputs, lda: outputs,
          b: xValue.pointer + layer * rows * inputs, ldb: inputs, beta: adds ? 1 : 0,
          c: sum.pointer + layer * outputs * inputs, ldc: inputs)
      }
    }
    xSlot?.accumulate(shape: xValue.shape) { sum, adds in
      WorkerPool.shared.run(layers) { layer, _ in
        multiplier.multiply(
          transposesA: false, transposesB: false, m: rows, n: inputs, k: outputs,
          a: gradient.pointer + layer * rows * outputs, lda: outputs,
          b: wValue.pointer + layer * outputs * inputs, ldb: inputs, beta: adds ? 1 : 0,
          c: sum.pointer + layer * rows * inputs, ldc: inputs)
      }
    }
  }
}

/// Softmax over the innermost dimension: learned weights that sum to 1. dx = p (dy - Σ dy p).
public func softmax(_ x: Variable) -> Variable {
  let y: Tensor = softmax(x.value)
  let slot = x.slot
  return Tape.result(y, of: [x]) { gradient in
    guard let slot else { return }
    let (dx, columns) = (Tensor(uninitialized: y.shape), y.columns)
    for row in 0..<y.rows {
      let (p, dy) = (y.pointer + row * columns, gradient.pointer + row * columns)
      let out = dx.pointer + row * columns
      var mean: Float = 0
      for column in 0..<columns { mean += p[column] * dy[column] }
      for column in 0..<columns { out[column] = p[column] * (dy[column] - mean) }
    }
    slot.accumulate(dx)
  }
}
