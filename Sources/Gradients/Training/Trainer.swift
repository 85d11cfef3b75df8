import Collectives
import Tensors

/// The step that every training run repeats: forward, backward, clip, Adam; stops at the first number that is none.
///
/// ```swift
/// let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-4))
/// while trainer.step < 10_000 {
///   let report = try trainer.train { _ in model.loss(task.batch(random: &data), window: window) }
/// }
/// ```
///
/// Training is a function of the parameters, Adam's moments, the step and the random streams of the data: all that
/// a `Checkpoint` holds. In the steady state no memory is asked of the system.
public final class Trainer {
  public let adam: Adam
  public var rate: LearningRate
  /// The longest gradient: a longer one is shortened to it. `nil`: as the papers, none.
  public var clipping: Double?
  /// Batches whose gradients are averaged for one step.
  public var accumulation: Int
  /// Steps done.
  public internal(set) var step = 0
  let tape = Tape()
  /// The part of the work that is this rank's, of several.
  public let sharing: SharedTraining?
  /// Whether the ranks have compared notes.
  var isSynchronized = false

  /// - Parameter communicator: the ranks that each make a part of every batch's loss, for the same step. See
  ///   `SharedTraining`.
  public convenience init(
    _ parameters: [Parameter], rate: LearningRate, adam settings: Adam.Settings = Adam.Settings(),
    clipping: Double? = nil, accumulation: Int = 1, communicator: any Communicator = SingleProcess()
  ) {
    self.init(
      parameters, rate: rate, adam: settings, clipping: clipping, accumulation: accumulation,
      communicator: communicator, bucketNumbers: GradientBuckets.numbers)
  }

  /// - Parameter bucketNumbers: numbers of a bucket of gradients.
  init(
    _ parameters: [Parameter], rate: LearningRate, adam settings: Adam.Settings, clipping: Double?,
    accumulation: Int, communicator: any Communicator, bucketNumbers: Int
  ) {
    precondition(accumulation > 0, "gradients of \(accumulation) batches per step")
    adam = Adam(parameters, settings: settings, hasMoments: communicator.size == 1)
    sharing = communicator.size > 1 ? SharedTraining(parameters, communicator, numbers: bucketNumbers) : nil
    self.rate = rate
    self.clipping = clipping
    self.accumulation = accumulation
  }

  public struct Report: Equatable, Sendable {
    /// The step's number, counted from 1.
    public var step: Int
    /// The mean over the accumulated batches.
    public var loss: Double
    /// Before clipping.
    public var gradientNorm: Double
    public var rate: Float
    public var clipped: Bool
  }

  /// One step.
  ///
  /// - Parameter loss: the loss of batch `batch` (below `accumulation`), recorded on the trainer's tape; of several ranks,
  ///   each one's term of the sum that the loss is.
  /// - Throws: `Divergence`, before any parameter is changed; what `loss` throws; `CollectiveError`.
  public func train(_ loss: (_ batch: Int) throws -> Variable) throws -> Report {
    if let sharing { return try train(sharing, loss) }
    adam.clearGradients()
    var sum = 0.0
    for batch in 0..<accumulation {
      tape.clear()
      let value = try tape.record { try loss(batch) }
      let number = Double(value.value.scalar)
      guard number.isFinite else { throw divergence(loss: number, norm: nil) }
      sum += number / Double(accumulation)
      tape.backward(from: value, seed: 1 / Float(accumulation))
    }
    let norm = adam.gradientNorm()
    guard norm.isFinite else { throw divergence(loss: sum, norm: norm) }
    let scale = scale(norm)
    let rate = rate.at(step)
    adam.step(rate: rate, gradientScale: Float(scale))
    step += 1
    return Report(step: step, loss: sum, gradientNorm: norm, rate: rate, clipped: scale < 1)
  }

  /// What clipping multiplies a gradient of this length with.
  func scale(_ norm: Double) -> Double { clipping.map { norm > $0 ? $0 / norm : 1 } ?? 1 }

  func divergence(loss: Double, norm: Double?, brokenGradients: [String]? = nil) -> Divergence {
    let parts = adam.parameters.map { ($0, $0.value.values, $0.gradient?.values ?? []) }
    return Divergence(
      step: step + 1, loss: loss, gradientNorm: norm, rate: rate.at(step),
      brokenGradients: brokenGradients ?? parts.filter { $0.2.contains { !$0.isFinite } }.map(\.0.name),
      brokenParameters: parts.filter { $0.1.contains { !$0.isFinite } }.map(\.0.name),
      largestParameter: parts.compactMap { part in part.1.map(abs).max().map { (part.0.name, $0) } }
        .max { $0.1 < $1.1 })
  }
}

/// Training stopped because a loss or a gradient is not a finite number. No parameter was changed by that step.
public struct Divergence: Error, CustomStringConvertible {
  public let step: Int
  public let loss: Double
  public let gradientNorm: Double?
  public let rate: Float
  /// Names of the parameters whose gradient, or value, holds a number that is not finite.
  public let brokenGradients: [String]
  public let brokenParameters: [String]
  public let largestParameter: (name: String, value: Float)?

  public var description: String {
    var text = "training diverged at step \(step): loss \(loss)"
    if let gradientNorm { text += ", gradient norm \(gradientNorm)" }
    text += ", learning rate \(rate)"
    if !brokenParameters.isEmpty { text += "; not finite: \(brokenParameters.joined(separator: ", "))" }
    if !brokenGradients.isEmpty {
      text += "; gradients not finite: \(brokenGradients.joined(separator: ", "))"
    }
    if let largestParameter {
      text += "; largest value \(largestParameter.value) in \(largestParameter.name)"
    }
    return text + "\nhint: resume from the last checkpoint with a smaller rate or with clipping"
  }
}
