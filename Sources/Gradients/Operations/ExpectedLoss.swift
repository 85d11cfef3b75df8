import CKernels
import Foundation
import Tensors

/// What a looped language model did on a batch: means over the tokens that count.
public struct ExitStatistics: Equatable, Sendable {
  /// Tokens that count.
  public var tokens = 0
  /// The cross-entropy after each loop, in nats per token.
  public var losses: [Double]
  /// The probability of leaving after each loop.
  public var exits: [Double]
  /// Σ_t p_t · CE_t.
  public var expectedLoss = 0.0
  /// H(p), in nats: log T where the gate decides nothing, 0 where it is sure.
  public var entropy = 0.0

  public init(loops: Int) {
    losses = Array(repeating: 0, count: loops)
    exits = losses
  }

  /// Σ_t t · p_t, loops counted from 1.
  public var meanExit: Double { exits.enumerated().reduce(0) { $0 + Double($1.offset + 1) * $1.element } }
}

/// Stage I: the loss expected over the loops after which a token may leave, minus β times the entropy of leaving.
///
///     L = mean over tokens of  Σ_t p_t · CE_t  -  β · H(p)
///       = the mean of Σ_t p_t · CE_t  +  β · KL(p ‖ uniform)  -  β · log T
///
/// With another prior q_t ∝ r^t than the uniform one, KL(p ‖ q) stands for KL(p ‖ uniform): r < 1 are the geometric priors
/// that the paper tries and leaves, r > 1 weighs late loops more than early ones.
///
/// The gradient flows into the gates through p, and into every loop through its cross-entropy. All products with the
/// readout are made in the forward pass, where a chunk of logits is at hand, so that the logits of T loops are neither
/// kept nor made twice. With one loop it is the ordinary cross-entropy. Source: Ouro, arXiv 2510.25741, section 3.
///
/// - Parameters:
///   - states: after each loop, [..., width], as the readout and the gate read them.
///   - gates: of each loop before the sigmoid, one number per row; the last is not read. Empty with one loop.
///   - readout: [classes, width].
///   - targets: one class per row, or a negative number for rows that do not count.
///   - entropyWeight: β.
///   - priorRatio: r, positive; 1 is the paper's uniform prior.
/// - Precondition: at least one target is not negative.
///
/// Complexity: 6 · T · rows · classes · width operations; keeps the gradient of every state and one of the readout.
public func expectedLoss(
  states: [Variable], gates: [Variable], readout: Variable, targets: [Int32], entropyWeight: Double,
  priorRatio: Double = 1
) -> (loss: Variable, statistics: ExitStatistics) {
  let loops = states.count
  precondition(loops > 0 && (loops == 1 || gates.count == loops), "\(gates.count) gates of \(loops) loops")
  let rows = states[0].value.rows
  precondition(
    targets.count == rows && targets.allSatisfy { $0 < readout.shape[0] }
      && gates.allSatisfy { $0.value.count == rows }, "\(targets.count) targets for \(rows) rows")
  let counted = targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
  precondition(counted > 0, "a mean over no targets")

  let inputs: [Variable?] = states + gates + [readout]
  let records = Tape.records(inputs)
  // Of every row: log p, then p / counted, which is what a row's cross-entropy counts in the loss.
  let logarithms = exitLogarithms(gates, loops: loops, rows: rows)
  let weights = Tensor(uninitialized: [loops, rows])
  for i in 0..<loops * rows { weights.pointer[i] = Float(exp(logarithms[i]) / Double(counted)) }
  let losses = Tensor(uninitialized: [loops, rows])
  var gradients: [Tensor?] = []
  var sums = LoopLosses.Gradients()
  if records, readout.slot != nil { sums.readout = Tensor(uninitialized: readout.shape) }
  for (loop, state) in states.enumerated() {
    sums.state = records && state.slot != nil ? Tensor(uninitialized: state.shape) : nil
    LoopLosses.run(
      state.value, readout: readout.value, targets: targets, losses: losses.pointer + loop * rows,
      weights: weights.pointer + loop * rows, gradients: &sums)
    gradients.append(sums.state)
  }

  var statistics = ExitStatistics(loops: loops)
  let prior = exitPrior(loops: loops, ratio: priorRatio)
  let gateGradient = exitTerms(
    gates, logarithms: logarithms, losses: losses, targets: targets, counted: counted, beta: entropyWeight,
    prior: prior, statistics: &statistics)
  let loss =
    statistics.expectedLoss
    - entropyWeight * (statistics.entropy + zip(statistics.exits, prior).reduce(0) { $0 + $1.0 * $1.1 })
  let readoutGradient = sums.readout
  let stateSlots = states.map(\.slot)
  let gateSlots = gates.map { ($0.slot, $0.shape) }
  let readoutSlot = readout.slot
  let result = Tape.result(Tensor(scalar: Float(loss)), of: inputs) { gradient in
    let factor = gradient.scalar
    func share(_ tensor: Tensor) -> Tensor {
      if factor != 1 { Elementwise.scale(factor, tensor, into: tensor) }
      return tensor
    }
    for (slot, tensor) in zip(stateSlots, gradients) {
      if let slot, let tensor { slot.accumulate(share(tensor)) }
    }
    if let readoutSlot, let readoutGradient { readoutSlot.accumulate(share(readoutGradient)) }
    for (loop, (slot, shape)) in gateSlots.enumerated() {
      guard let slot else { continue }
      slot.accumulate(
        Tensor((0..<rows).map { Float(gateGradient[loop * rows + $0]) * factor }, shape: shape))
    }
  }
  return (result, statistics)
}

/// log(T · q_t) of the prior q_t ∝ ratio^t: zeros where it is uniform.
private func exitPrior(loops: Int, ratio: Double) -> [Double] {
  precondition(ratio > 0 && ratio.isFinite, "a prior of ratio \(ratio)")
  let powers = (0..<loops).map { pow(ratio, Double($0)) }
  let mean = powers.reduce(0, +) / Double(loops)
  return powers.map { log($0 / mean) }
}

/// log p of every loop and row, [loops, rows].
private func exitLogarithms(_ gates: [Variable], loops: Int, rows: Int) -> [Double] {
  var result = [Double](repeating: 0, count: loops * rows)
  guard loops > 1 else { return result }
  let pointers = gates.map(\.value.pointer)
  var (row, logarithms) = (Array(repeating: 0.0, count: loops), Array(repeating: 0.0, count: loops))
  for i in 0..<rows {
    for loop in 0..<loops { row[loop] = Double(pointers[loop][i]) }
    row.withUnsafeBufferPointer { row in
      logarithms.withUnsafeMutableBufferPointer { ExitLogarithms.logarithms(row, into: $0) }
    }
    for loop in 0..<loops { result[loop * rows + i] = logarithms[loop] }
  }
  return result
}

/// The statistics of the rows that count, and the gradient of the loss for every gate, [loops, rows].
private func exitTerms(
  _ gates: [Variable], logarithms: [Double], losses: Tensor, targets: [Int32], counted: Int, beta: Double,
  prior: [Double], statistics: inout ExitStatistics
) -> [Double] {
  let (loops, rows) = (losses.shape[0], losses.shape[1])
  var result = [Double](repeating: 0, count: loops * rows)
  var (row, weighted, slope) = (
    Array(repeating: 0.0, count: loops), Array(repeating: 0.0, count: loops),
    Array(repeating: 0.0, count: loops)
  )
  for i in 0..<rows where targets[i] >= 0 {
    for loop in 0..<loops {
      let (logarithm, loss) = (logarithms[loop * rows + i], Double(losses.pointer[loop * rows + i]))
      let p = exp(logarithm)
      statistics.losses[loop] += loss
      statistics.exits[loop] += p
      statistics.expectedLoss += p * loss
      statistics.entropy -= p * logarithm
      // ∂L/∂p_t = CE_t + β (log p_t + 1 - log T q_t).
      weighted[loop] = p * (loss + beta * (logarithm + 1 - prior[loop]))
    }
    guard loops > 1 else { continue }
    for loop in 0..<loops { row[loop] = Double(gates[loop].value.pointer[i]) }
    row.withUnsafeBufferPointer { row in
      weighted.withUnsafeBufferPointer { weighted in
        slope.withUnsafeMutableBufferPointer {
          ExitLogarithms.gradient(row, weighted: weighted, into: $0)
        }
      }
    }
    for loop in 0..<loops { result[loop * rows + i] = slope[loop] / Double(counted) }
  }
  statistics.tokens = counted
  let scale = 1 / Double(counted)
  for loop in 0..<loops {
    statistics.losses[loop] *= scale
    statistics.exits[loop] *= scale
  }
  statistics.expectedLoss *= scale
  statistics.entropy *= scale
  return result
}
