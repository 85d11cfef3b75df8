import CKernels
import Tensors

/// The mean over all elements of (prediction - target)².
///
/// - Parameters:
///   - prediction: any shape. - target: a constant of as many elements.
public func squaredError(_ prediction: Variable, _ target: Tensor) -> Variable {
  let count = prediction.value.count
  precondition(count == target.count && count > 0, "predictions \(prediction.shape), targets \(target.shape)")
  let difference = Tensor(uninitialized: prediction.shape)
  difference.assign(from: prediction.value)
  ck_axpy(-1, target.pointer, difference.pointer, count)
  let loss = Float(ck_sum_of_squares(difference.pointer, count) / Double(count))
  let slot = prediction.slot
  return Tape.result(Tensor(scalar: loss), of: [prediction]) { gradient in
    let dx = Tensor(uninitialized: difference.shape)
    Elementwise.scale(2 * gradient.scalar / Float(count), difference, into: dx)
    slot?.accumulate(dx)
  }
}

/// The mean over rows of -log softmax(logits)[target]; rows with a negative target count nothing.
///
/// The gradient is made in the forward pass, which has the exponentials at hand.
///
/// - Parameters:
///   - logits: [..., classes]. - targets: one class per row, or a negative number.
/// - Precondition: at least one target is not negative.
public func crossEntropy(_ logits: Variable, _ targets: [Int32]) -> Variable {
  let (value, rows, classes) = (logits.value, logits.value.rows, logits.value.columns)
  precondition(
    targets.count == rows && targets.allSatisfy { $0 < classes }, "\(targets.count) targets for \(rows) rows")
  let counted = targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
  precondition(counted > 0, "a mean over no targets")
  let weight = 1 / Float(counted)
  let dx = Tape.records([logits]) ? Tensor(uninitialized: value.shape) : nil
  let grain = Elementwise.sumGrain(rows: rows, columns: classes)
  var sums = [Double](repeating: 0, count: (rows + grain - 1) / grain)
  let (input, output) = (value.pointer, dx?.pointer)
  targets.withUnsafeBufferPointer { targets in
    sums.withUnsafeMutableBufferPointer { sums in
      let (targets, sums) = (targets.baseAddress!, sums.baseAddress!)
      WorkerPool.shared.run(rows, grain: grain) { range, _ in
        let start = range.lowerBound * classes
        sums[range.lowerBound / grain] = ck_cross_entropy(
          input + start, targets + range.lowerBound, output.map { $0 + start }, weight, range.count, classes)
      }
    }
  }
  let slot = logits.slot
  return Tape.result(Tensor(scalar: Float(sums.reduce(0, +) / Double(counted))), of: [logits]) { gradient in
    guard let dx, let slot else { return }
    let part = Tensor(uninitialized: dx.shape)
    Elementwise.scale(gradient.scalar, dx, into: part)
    slot.accumulate(part)
  }
}

/// Softmax over the innermost dimension of a constant: probabilities to look at. Not recorded.
public func softmax(_ x: Tensor) -> Tensor {
  let y = Tensor(uninitialized: x.shape)
  let (input, output, columns) = (x.pointer, y.pointer, x.columns)
  WorkerPool.shared.run(x.rows, grain: Elementwise.rowGrain(columns: columns)) { range, _ in
    let start = range.lowerBound * columns
    ck_softmax(input + start, output + start, range.count, columns)
  }
  return y
}
