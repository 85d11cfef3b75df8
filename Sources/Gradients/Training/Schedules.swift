import Foundation

/// The learning rate as a function of the step: a linear warm-up, then constant, linear or cosine.
///
/// A function of the step alone, so that a run that resumes needs no more than its step.
public struct LearningRate: Equatable, Sendable {
  public enum Shape: String, CaseIterable, Sendable {
    case constant
    /// Falls in a straight line from the peak to the floor at the last step.
    case linear
    /// Falls by half a cosine from the peak to the floor at the last step.
    case cosine
  }

  public var peak: Float
  public var shape: Shape
  /// Steps in which the rate rises from peak / warmup to peak.
  public var warmup: Int
  /// Steps of the whole run; read by `linear` and `cosine`.
  public var steps: Int
  public var floor: Float

  public init(peak: Float, shape: Shape = .constant, warmup: Int = 0, steps: Int = 0, floor: Float = 0) {
    self.peak = peak
    self.shape = shape
    self.warmup = warmup
    self.steps = steps
    self.floor = floor
  }

  /// The rate of the step with this number, counted from 0.
  public func at(_ step: Int) -> Float {
    if step < warmup { return peak * Float(step + 1) / Float(warmup) }
    let share = min(1, Float(step - warmup) / Float(max(1, steps - warmup)))
    switch shape {
    case .constant: return peak
    case .linear: return peak + (floor - peak) * share
    case .cosine: return floor + (peak - floor) * 0.5 * (1 + cos(Float.pi * share))
    }
  }
}

/// A size that grows while training: dimensions, points in the prompt, loops.
///
/// Every `interval` steps, `increment` is added, up to `end`. A function of the step alone.
/// Source: Garg et al., arXiv 2208.01066, appendix A.2, and their code: the first change is after step `interval`.
public struct Curriculum: Equatable, Sendable {
  public var start: Int
  public var end: Int
  public var increment: Int
  public var interval: Int

  public init(start: Int, end: Int, increment: Int, interval: Int) {
    precondition(interval > 0, "an interval of \(interval) steps")
    self.start = start
    self.end = end
    self.increment = increment
    self.interval = interval
  }

  /// The same size always.
  public init(constant: Int) { self.init(start: constant, end: constant, increment: 0, interval: 1) }

  /// The size in the step with this number, counted from 0.
  public func at(_ step: Int) -> Int {
    let value = start + step / interval * increment
    return increment >= 0 ? min(value, max(start, end)) : max(value, min(start, end))
  }
}
