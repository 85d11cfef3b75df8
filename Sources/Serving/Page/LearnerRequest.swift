import Foundation
import InContext
import Looping
import Tensors

/// Points for the shipped learner to fit: POST /looped/in-context/fit.
///
/// The learner has seen linear functions of five features without a constant. Here one feature varies and the others are
/// 0, so that its prompt and its predictions can be drawn: y = w·x goes through the origin, as everything it has learned.
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

  /// Where it is asked: −3, −2.9 … 3. Further out are few of the standard normal inputs it has seen.
  static let queries = (-30...30).map { Double($0) / 10 }

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
    return lock.withLock { fit(points, loops: loops, seconds: limits.seconds) }
  }

  private func fit(_ points: [LearnerRequest.Point], loops: Int, seconds: Double) -> LearnerResponse {
    let d = run.recipe.dimension
    func features(_ x: Double) -> [Float] { [Float(x)] + [Float](repeating: 0, count: d - 1) }
    // The question is the last point of each prompt; its own answer is never read.
    let prompts = Self.queries.map { query in
      RegressionPrompt(
        dimension: d, x: points.flatMap { features($0.x) } + features(query),
        y: points.map { Float($0.y) } + [0])
    }
    let leastSquares = prompts.map { LeastSquares().predictions($0)[points.count] }
    var values = [Double](repeating: 0, count: prompts.count)
    var header = TraceHeader(
      family: "in-context", program: "linear regression in context",
      network: "looped learner of \(d) features", layers: run.recipe.layers, width: run.recipe.width,
      parameters: run.model.parameters.reduce(0) { $0 + $1.value.count }, digest: "",
      columns: Self.queries.map { String(format: "x = %.1f", $0) }, values: values)
    header.regression = .init(
      points: points.flatMap { [$0.x, $0.y] }, queries: Self.queries, leastSquares: leastSquares,
      dimension: d,
      trainedLoops: trainedLoops)
    func distance() -> Double {
      let squares = zip(values, leastSquares).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return (squares / Double(values.count)).squareRoot()
    }
    var (steps, distances) = ([TraceStep](), [distance()])
    let deadline = Deadline(seconds: seconds)
    let isInTime: (Int) -> Bool = { _ in !deadline.isOver }
    run.model.predictions(
      RegressionPrompt.batch(prompts[...], askedAt: points.count), loops: loops, shown: isInTime
    ) { loop, predictions in
      let places = predictions.count / prompts.count
      var changes: [TraceStep.Change] = []
      for column in values.indices {
        let now = Double(predictions.pointer[column * places + places - 1])
        if now != values[column] {
          changes.append(.init(column: column, before: values[column], after: now))
        }
        values[column] = now
      }
      distances.append(distance())
      steps.append(
        TraceStep(
          loop: loop, position: nil,
          summary: String(format: "%.4f from least squares", distances[distances.count - 1]), jumped: false,
          changes: changes, output: nil, attention: nil))
    }
    return LearnerResponse(
      header: header, steps: steps, end: TraceEnd(loops: steps.count, halt: "fixed count"),
      distances: distances,
      slope: leastSquares[leastSquares.count - 1] / Self.queries[Self.queries.count - 1])
  }
}
