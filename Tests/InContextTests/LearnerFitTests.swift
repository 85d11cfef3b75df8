import InContext
import Looping
import Testing

/// A learner's loops along its first feature, as a trace.
@Suite struct LearnerFitTests {
  private static let points = [
    (x: -2.0, y: -1.9), (x: -1.2, y: -1.2), (x: 0.6, y: 0.6), (x: 1.3, y: 1.0), (x: 2.1, y: 2.0),
  ]

  @Test func isWhatTheLearnerSaysOfOnePromptAlone() throws {
    let run = try ShippedLearner.load()
    let fit = LearnerFit(run, points: Self.points, loops: 40)
    let column = 50
    let x = (Self.points.map(\.x) + [LearnerFit.queries[column]]).flatMap { x -> [Float] in
      [Float(x), 0, 0, 0, 0]
    }
    let prompt = RegressionPrompt(dimension: 5, x: x, y: Self.points.map { Float($0.y) } + [0])
    var values = fit.trace.header.values
    run.model.predictions(RegressionPrompt.batch([prompt], askedAt: Self.points.count), loops: 40) {
      loop, predictions in
      for change in fit.trace.steps[loop - 1].changes { values[change.column] = change.after }
      // Beyond training the loops pull what rounding makes of a batch and of a prompt alone apart.
      let difference = abs(values[column] - Double(predictions.pointer[predictions.count - 1]))
      #expect(difference < (loop > 30 ? 1e-2 : 1e-4), "loop \(loop)")
    }
    let scene = try #require(fit.trace.header.regression)
    #expect(scene.trainedLoops == 30 && fit.trace.steps.count == 40 && fit.trace.end?.loops == 40)
    #expect(fit.trace.header.parameters == run.model.parameterCount)
    #expect(fit.distances.count == 41 && fit.distances[30] < 0.25 * fit.distances[0], "\(fit.distances)")
  }

  @Test func lateLoopsAreLeftOut() throws {
    let fit = LearnerFit(try ShippedLearner.load(), points: [], loops: 3, isInTime: { _ in false })
    #expect(fit.trace.steps.isEmpty && fit.distances.count == 1 && fit.slope == 0)
  }

  @Test func heldOutPointsVaryInTheFirstFeature() throws {
    let run = TrainingRun(tinyRecipe { $0.dimension = 3 })
    let points = try #require(LearnerFit.heldOutPoints(of: run))
    // Without noise y is one multiple of the first feature, whatever the others' weights are.
    #expect(points.count == 4 && Set(points.map(\.x)).count == 4)
    for point in points { #expect(abs(point.y - points[0].y / points[0].x * point.x) < 1e-5) }
    let fit = LearnerFit(run, points: points, loops: 2)
    #expect(abs(fit.slope - points[0].y / points[0].x) < 1e-5)
    #expect(LearnerFit.heldOutPoints(of: TrainingRun(tinyRecipe { $0.family = .tree })) == nil)
  }

  @Test(arguments: Architecture.allCases) func everyArchitectureHasOne(_ architecture: Architecture) throws {
    let run = TrainingRun(tinyRecipe { $0.architecture = architecture })
    let fit = LearnerFit(run, points: try #require(LearnerFit.heldOutPoints(of: run)), loops: 6)
    let isStandard = architecture == .standard
    #expect(fit.trace.steps.count == (isStandard ? 1 : 6))
    #expect(fit.trace.header.regression?.trainedLoops == (isStandard ? 1 : 4))
    #expect(fit.trace.header.network == "\(architecture.rawValue) learner of 2 features")
  }
}
