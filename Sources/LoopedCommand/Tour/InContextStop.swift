import Foundation
import InContext
import Reporting
import Tensors

/// A small looped network that learned to learn: trained for a few seconds from nothing, and evaluated as shipped,
/// beside least squares.
struct InContextStop: TourStop {
  let title = "Learning in context (Yang et al. 2024)"

  func run(_ section: inout TourSection) throws {
    section.add(try trainLive())
    let (evaluator, seconds) = try timed { try shipped() }
    let (evaluation, measuring) = timed { evaluator.evaluate() }
    guard let evaluation else { throw TourFailure("the evaluation was interrupted") }
    let curve = evaluation.curve.mean.compactMap(\.self)
    guard let first = curve.first, let last = curve.last else { throw TourFailure("there is no curve") }
    // Far below predicting zero (1), and below what a handful of points allows anybody.
    try TourFailure.unless(
      first > 0.5 && last < 0.1, "the learner's error goes from \(first) to \(last) with the context")
    section.add(
      TourRow(
        "linear regression in context", result: String(format: "error %.2f → %.3f", first, last),
        loops: evaluation.trainedLoops, layers: 1, width: evaluator.run.recipe.width,
        parameters: evaluation.parameters, checkedAgainst: "unseen prompts", seconds: seconds + measuring))
    section.paragraph(
      "The prompt holds points of a function the network has never seen; it predicts the next one. One layer, applied 30 "
        + "times, has learned to do what least squares does – below, beside it and others, on prompts it was not trained on."
    )
    let report = EvaluationReport([evaluation])
    for chart in report.pictures { section.picture(chart) }
  }

  private func shipped() throws -> Evaluator {
    var evaluator = Evaluator(try ShippedLearner.load())
    (evaluator.prompts, evaluator.shifts, evaluator.loops) = (512, [], 60)
    return evaluator
  }

  /// Some hundred steps show the loss fall; enough to learn takes minutes.
  private func trainLive() throws -> TourRow {
    var recipe = Recipe()
    recipe.name = "live"
    recipe.width = 32
    recipe.heads = 4
    recipe.layers = 1
    recipe.dimension = 2
    recipe.points = 7
    recipe.loops = 8
    recipe.window = 5
    recipe.rate = 2e-3
    recipe.steps = 150
    let run = TrainingRun(recipe)
    var (first, losses) = (0.0, [Double]())
    let (_, seconds) = try timed {
      while !run.isDone {
        _ = try run.step()
        if losses.isEmpty { first = run.smoothedLoss }
        losses.append(run.smoothedLoss)
      }
    }
    let last = losses.last ?? .nan
    try TourFailure.unless(last < first, "training did not lower the loss: \(first) → \(last)")
    return TourRow(
      "150 steps of training, live", result: String(format: "loss %.2f → %.2f", first, last),
      loops: recipe.loops,
      layers: recipe.layers, width: recipe.width,
      parameters: run.model.parameters.reduce(0) { $0 + $1.value.count }, checkedAgainst: "the loss falls",
      seconds: seconds)
  }
}
