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
    let products = ReadoutProducts(readout)
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
      let factor = products.logits(input, rows: count, into: output)
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
      guard wantsGradient else { continue }
      products.gradients(
        output, factor, rows: count, state: gradients.state.map { $0.pointer + start * width },
        readout: gradients.readout, adds: gradients.addsToReadout)
      gradients.addsToReadout = true
    }
  }
}

/// The three products with a readout, of a chunk of rows: those of `LinearProduct`, for logits that are not kept.
private struct ReadoutProducts {
  /// A chunk's states as they were multiplied.
  enum Input {
    case float32(UnsafePointer<Float>)
    case bfloat16(BFloat16Matrix)
  }

  let readout: Tensor
  let precision = ProductPrecision.current
  private let packed: Tensor?
  private var classes: Int { readout.shape[0] }
  private var width: Int { readout.shape[1] }

  init(_ readout: Tensor) {
    self.readout = readout
    packed =
      precision == .bfloat16
      ? PackedWeights.rounded(readout, transposes: true) : PackedWeights.matrix(readout, transposes: true)
  }

  /// logits = states · readoutᵀ.
  func logits(_ states: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>) -> Input {
    guard precision == .bfloat16, let packed else {
      gemm(
        states, readout.pointer, into: logits, m: rows, n: classes, k: width, transposesB: true,
        packed: packed)
      return .float32(states)
    }
    let rounded = BFloat16Matrix(rounding: states, rows: rows, columns: width)
    gemm(rounded, packed: packed, into: logits, n: classes)
    return .bfloat16(rounded)
  }

  /// state = slope · readout, and readout = or += slopeᵀ · states, where there is memory for them.
  func gradients(
    _ slope: UnsafePointer<Float>, _ states: Input, rows: Int, state: UnsafeMutablePointer<Float>?,
    readout sum: Tensor?, adds: Bool
  ) {
    switch states {
    case .float32(let states):
      if let state {
        gemm(
          slope, readout.pointer, into: state, m: rows, n: width, k: classes,
          packed: PackedWeights.matrix(readout, transposes: false))
      }
      if let sum {
        gemm(
          slope, states, into: sum.pointer, m: classes, n: width, k: rows, transposesA: true,
          beta: adds ? 1 : 0)
      }
    case .bfloat16(let states):
      let slope = BFloat16Matrix(rounding: slope, rows: rows, columns: classes)
      if let state {
        gemm(slope, packed: PackedWeights.rounded(readout, transposes: false), into: state, n: width)
      }
      if let sum { gemm(transposing: slope, states, into: sum.pointer, adds: adds) }
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
