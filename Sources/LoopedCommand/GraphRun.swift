import ArgumentParser
import Foundation
import GraphAlgorithms

/// Who computes.
enum GraphNetwork: String, CaseIterable, ExpressibleByArgument {
  /// Plain Swift, no network.
  case reference

  static let standard = GraphNetwork.reference
}

/// What came of a question, and what it took.
struct GraphRun {
  enum End: String {
    case finished
    /// Ctrl-C: the result is as far as it came.
    case interrupted
    /// The cap on loops was reached.
    case loopLimit = "loop limit"
  }

  var result: GraphResult
  var end = End.finished
  /// Applications of the network's layers; for plain Swift, steps that were told of.
  var loops: Int?
  var layers: Int?
  var width: Int?
  var parameters: Int?
  var digest: String?
  var seconds: Double

  /// The one place where networks plug in.
  ///
  /// - Parameter observe: is told what every loop did; `nil` spares the work.
  static func run(
    network: GraphNetwork, _ question: GraphQuestion, observe: ((GraphEvent) throws -> Void)?
  ) throws -> GraphRun {
    let start = ContinuousClock.now
    switch network {
    case .reference:
      var failure: (any Error)?
      let tell = observe.map { observe in
        { (event: GraphEvent) in
          guard failure == nil else { return }
          do { try observe(event) } catch { failure = error }
        }
      }
      let result = question.algorithm.reference(
        question.graph, source: question.source, isFloat32: question.isFloat32, observe: tell)
      if let failure { throw failure }
      return GraphRun(result: result, seconds: (ContinuousClock.now - start) / .seconds(1))
    }
  }
}
