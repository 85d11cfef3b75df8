import CKernels
import Tensors

/// The cross-entropies of every loop's readout, made in chunks of rows: the logits of all rows are never in memory.
enum LoopLosses {
  /// Numbers of a chunk's logits: 4 MiB, which stay in the cache between the products that make and use them.
  static let chunkNumbers = 1 << 20

  static func chunkRows(classes: Int) -> Int { max(32, chunkNumbers / max(classes, 1)) }

  /// The gradients that a forward pass can make while it has the logits at hand.
  struct Gradients {
    /// [rows, width] of the state; nil if nobody wants it.
    var state: Tensor?
    /// [classes, width] of the readout; nil if nobody wants it.
    var readout: Tensor?
    /// Whether `readout` holds a sum already.
    var addsToReadout = false
  }

  /// -log softmax(state · readoutᵀ)[target] of every row; 0 where the target is negative.
  ///
  /// - Parameters:
  ///   - state: [rows, width]. - readout: [classes, width]. - losses: [rows], written.
  ///   - weights: [rows], what a row's loss counts in the gradients.
  ///   - gradients: written or added to, where there are any.
  static func run(
    _ state: Tensor, readout: Tensor, targets: [Int32], losses: UnsafeMutablePointer<Float>,
    weights: UnsafePointer<Float>, gradients: inout Gradients
  ) {
    let (rows, width, classes) = (state.rows, state.columns, readout.shape[0])
    let step = min(chunkRows(classes: classes), max(rows, 1))
    let logits = Tensor(uninitialized: [step, classes])
    let packed = PackedWeights.matrix(readout, transposes: true)
    let wantsGradient = gradients.state != nil || gradients.readout != nil
    for start in stride(from: 0, to: rows, by: step) {
      let count = min(step, rows - start)
      guard targets[start..<start + count].contains(where: { $0 >= 0 }) else {
        // Questions and padding: no readout is needed.
        (losses + start).update(repeating: 0, count: count)
        if let state = gradients.state {
          (state.pointer + start * width).update(repeating: 0, count: count * width)
        }
        continue
      }
      let (input, output) = (state.pointer + start * width, logits.pointer)
      gemm(
        input, readout.pointer, into: output, m: count, n: classes, k: width, transposesB: true,
        packed: packed)
      let grain = Elementwise.rowGrain(columns: classes)
      targets.withUnsafeBufferPointer { targets in
        let targets = targets.baseAddress! + start
        WorkerPool.shared.run(count, grain: grain) { range, _ in
          let (row, place) = (range.lowerBound, output + range.lowerBound * classes)
          ck_cross_entropy_rows(
            place, targets + row, weights + start + row, losses + start + row, wantsGradient ? place : nil,
            range.count, classes)
        }
      }
      if let state = gradients.state {
        gemm(
          output, readout.pointer, into: state.pointer + start * width, m: count, n: width, k: classes,
          packed: PackedWeights.matrix(readout, transposes: false))
      }
      if let sum = gradients.readout {
        gemm(
          output, input, into: sum.pointer, m: classes, n: width, k: count, transposesA: true,
          beta: gradients.addsToReadout ? 1 : 0)
        gradients.addsToReadout = true
      }
    }
  }
}

/// The cross-entropy of every token after every loop, without a tape: what evaluation and the labels of the exit gate
/// are made of.
///
/// - Parameters:
///   - states: after each loop [..., width]. - readout: [classes, width].
///   - targets: one class per row, or a negative number, whose loss is 0.
/// - Returns: [loops, rows].
///
/// Memory: the result, and one chunk of logits.
public func crossEntropies(_ states: [Tensor], readout: Tensor, targets: [Int32]) -> Tensor {
  let rows = states.first?.rows ?? 0
  precondition(
    targets.count == rows && targets.allSatisfy { $0 < readout.shape[0] }, "\(targets.count) targets")
  let losses = Tensor(uninitialized: [states.count, rows])
  let weights = Tensor(repeating: 1, [rows])
  for (loop, state) in states.enumerated() {
    var none = LoopLosses.Gradients()
    LoopLosses.run(
      state, readout: readout, targets: targets, losses: losses.pointer + loop * rows,
      weights: weights.pointer, gradients: &none)
  }
  return losses
}
