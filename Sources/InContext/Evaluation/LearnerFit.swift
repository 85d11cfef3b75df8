import Foundation
import Looping
import Tensors

/// What a learner of linear functions would answer along its first feature after every loop, as a trace, and least squares
/// beside it.
///
/// One feature varies and the others are 0, so that prompt and predictions can be drawn: y = w·x goes through the origin,
/// as everything such a learner has learned.
public struct LearnerFit: Equatable, Sendable {
  /// Columns are the places that are asked, values the predictions there; its scene is a `TraceScene.Regression`.
  public let trace: Trace
  /// Root mean square of the learner's distance from least squares over all places, before the first and after every
  /// loop.
  public let distances: [Double]
  /// The slope of least squares through the origin.
  public let slope: Double

  /// Where it is asked: −3, −2.9 … 3. Further out are few of the standard normal inputs it has seen.
  public static let queries = (-30...30).map { Double($0) / 10 }

  /// Held-out points of a run: as many as its prompts have before the last question, of a function whose inputs vary in
  /// the first feature alone.
  ///
  /// - Returns: `nil` where the run's functions are not linear.
  public static func heldOutPoints(of run: TrainingRun) -> [(x: Double, y: Double)]? {
    guard let task = run.task as? FunctionTask, [.linear, .sparse].contains(run.recipe.family) else {
      return nil
    }
    var random = run.recipe.stream(.heldOut)
    let prompt = task.prompt(points: run.recipe.points - 1, active: 1, random: &random)
    return prompt.y.indices.map { (Double(prompt.x[$0 * prompt.dimension]), Double(prompt.y[$0])) }
  }

  /// Runs the learner on a prompt of these points.
  ///
  /// - Parameters:
  ///   - points: the context, fewer than the prompts of training have.
  ///   - isInTime: asked after every loop; where it says no, the loop is not recorded.
  /// - Precondition: the run's functions are linear.
  /// - Complexity: a forward pass of a batch of 61 prompts per loop.
  public init(
    _ run: TrainingRun, points: [(x: Double, y: Double)], loops: Int,
    isInTime: (_ loop: Int) -> Bool = { _ in true }
  ) {
    let (recipe, queries, d) = (run.recipe, Self.queries, run.recipe.dimension)
    precondition(points.count < recipe.points, "a prompt of more points than the learner has seen")
    func features(_ x: Double) -> [Float] { [Float(x)] + [Float](repeating: 0, count: d - 1) }
    // The question is the last point of each prompt; its own answer is never read.
    let prompts = queries.map { query in
      RegressionPrompt(
        dimension: d, x: points.flatMap { features($0.x) } + features(query),
        y: points.map { Float($0.y) } + [0])
    }
    let leastSquares = prompts.map { LeastSquares().predictions($0)[points.count] }
    var values = [Double](repeating: 0, count: prompts.count)
    var header = TraceHeader(
      family: "in-context", program: "linear regression in context",
      network: "\(recipe.architecture.rawValue) learner of \(d) features", layers: recipe.layers,
      width: recipe.width, parameters: run.model.parameterCount, digest: "",
      columns: queries.map { String(format: "x = %.1f", $0) }, values: values)
    header.regression = .init(
      points: points.flatMap { [$0.x, $0.y] }, queries: queries, leastSquares: leastSquares, dimension: d,
      trainedLoops: recipe.architecture == .standard ? 1 : recipe.loops)
    func distance() -> Double {
      let squares = zip(values, leastSquares).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return (squares / Double(values.count)).squareRoot()
    }
    var (steps, distances) = ([TraceStep](), [distance()])
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
    trace = Trace(header: header, steps: steps, end: TraceEnd(loops: steps.count, halt: "fixed count"))
    self.distances = distances
    slope = leastSquares[leastSquares.count - 1] / queries[queries.count - 1]
  }
}
