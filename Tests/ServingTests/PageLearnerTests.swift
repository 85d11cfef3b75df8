import Foundation
import InContext
import Looping
import Testing

@testable import Serving

/// The learner as the page asks it.
@Suite struct PageLearnerTests {
  private static let points = [(-2.0, -1.9), (-1.2, -1.2), (-0.5, -0.3), (0.6, 0.6), (1.3, 1.0), (2.1, 2.0)]
  private var request: LearnerRequest {
    LearnerRequest(points: Self.points.map { .init(x: $0.0, y: $0.1) })
  }

  @Test func isTheShippedLearner() throws {
    let answer = try PageLearner().fit(request)
    #expect(answer.steps.count == 30 && answer.distances.count == 31 && answer.end.loops == 30)
    let fit = LearnerFit(
      try ShippedLearner.load(), points: Self.points.map { (x: $0.0, y: $0.1) }, loops: 30)
    #expect(answer.header == fit.trace.header && answer.steps == fit.trace.steps)
    #expect(answer.end == fit.trace.end && answer.distances == fit.distances)
  }

  @Test func leastSquaresGoesThroughTheOrigin() throws {
    let answer = try PageLearner().fit(request)
    let scene = try #require(answer.header.regression)
    let slope =
      Self.points.reduce(0) { $0 + $1.0 * $1.1 } / Self.points.reduce(0) { $0 + $1.0 * $1.0 }
    #expect(abs(answer.slope - slope) < 1e-5)
    for (query, value) in zip(scene.queries, scene.leastSquares) {
      #expect(abs(value - slope * query) < 1e-5)
    }
    // What it learned to do: the fit after its loops is far closer than that of zero.
    #expect(answer.distances[30] < 0.25 * answer.distances[0], "\(answer.distances)")
    let nothing = try PageLearner().fit(LearnerRequest(points: []))
    #expect(nothing.slope == 0 && nothing.steps.count == 30)
  }

  @Test func isBounded() throws {
    let learner = try PageLearner()
    let point = LearnerRequest.Point(x: 1, y: 1)
    for request in [
      LearnerRequest(points: Array(repeating: point, count: 11)), LearnerRequest(points: [point], loops: 0),
      LearnerRequest(points: [point], loops: 121), LearnerRequest(points: [point], loops: .min),
      LearnerRequest(points: [.init(x: 1e30, y: 0)]), LearnerRequest(points: [.init(x: 0, y: -.infinity)]),
      LearnerRequest(points: [.init(x: .nan, y: 0)]),
    ] {
      #expect(throws: PageRequestError.self) { try learner.fit(request) }
    }
    var limits = PageLimits()
    limits.seconds = 0
    #expect(try learner.fit(LearnerRequest(points: [point], loops: 120), limits).steps.isEmpty)
  }
}
