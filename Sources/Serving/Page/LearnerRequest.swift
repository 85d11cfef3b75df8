import Foundation
import InContext
import Looping
import Tensors

/// Points for the shipped learner to fit: POST /looped/in-context/fit.
///
/// The learner has seen linear functions of five features without a constant; `LearnerFit` says what it is asked.
public struct LearnerRequest: Codable, Sendable {
  public struct Point: Codable, Sendable {
    public var x: Double
    public var y: Double

    public init(x: Double, y: Double) {
      self.x = x
      self.y = y
    }
  }

  public var points: [Point]
  /// How many loops; as many as in training if not given.
  public var loops: Int?

  public init(points: [Point], loops: Int? = nil) {
    self.points = points
    self.loops = loops
  }
}

/// The learner's predictions along the feature after every loop, as a trace, and least squares beside them.
public struct LearnerResponse: Codable, Sendable {
  public var header: TraceHeader
  public var steps: [TraceStep]
  public var end: TraceEnd
  /// Root mean square of the learner's distance from least squares over all places, before the first and after every
  /// loop.
  public var distances: [Double]
  /// The slope of least squares through the origin.
  public var slope: Double
}

/// The learner, read once. Not to be asked by two threads at once: `PageWork` sees to it.
public final class PageLearner: @unchecked Sendable {
  private let run: TrainingRun
  private let lock = NSLock()

  /// - Throws: `AtomicFile.Failure` if there is no temporary folder.
  public init() throws { run = try ShippedLearner.load() }

  /// Points of a prompt, without the one that is asked.
  public var largestPointCount: Int { run.recipe.points - 1 }
  public var trainedLoops: Int { run.recipe.loops }

  /// - Throws: `PageRequestError` for more points, or more loops, than there can be.
  /// - Complexity: a forward pass of a batch of 61 prompts per loop.
  public func fit(_ request: LearnerRequest, _ limits: PageLimits = PageLimits()) throws -> LearnerResponse {
    let (points, loops) = (request.points, request.loops ?? trainedLoops)
    guard points.count <= largestPointCount else {
      throw PageRequestError(
        "the learner has seen prompts of up to \(largestPointCount) points and a question, not \(points.count)",
        field: "points")
    }
    guard points.allSatisfy({ abs($0.x) <= 10 && abs($0.y) <= 100 }) else {
      throw PageRequestError(
        "points lie between −10 and 10, their values between −100 and 100", field: "points")
    }
    guard (1...limits.loops).contains(loops) else {
      throw PageRequestError("1 to \(limits.loops) loops are run here, not \(loops)", field: "loops")
    }
    return lock.withLock {
      let deadline = Deadline(seconds: limits.seconds)
      let fit = LearnerFit(run, points: points.map { ($0.x, $0.y) }, loops: loops) { _ in !deadline.isOver }
      return LearnerResponse(
        header: fit.trace.header, steps: fit.trace.steps,
        end: TraceEnd(loops: fit.trace.steps.count, halt: "fixed count"), distances: fit.distances,
        slope: fit.slope)
    }
  }
}
