import ArgumentParser
import Construction
import Foundation
import GraphAlgorithms
import Reporting

/// Who computes.
enum GraphNetwork: String, CaseIterable, ExpressibleByArgument {
  /// Four layers or less of constant width; a loop extracts a node, or lets every node look at its neighbours.
  case compact
  /// The paper's way: a loop compares one candidate, so that n² loops are usual.
  case paper
  /// Plain Swift, no network.
  case reference

  static let standard = GraphNetwork.compact

  /// The network that answers a question; `nil` for plain Swift.
  /// - Throws: `CommandError` if the paper has no network for the algorithm.
  func constructed(_ question: GraphQuestion) throws -> ConstructedNetwork? {
    switch self {
    case .compact: question.algorithm.compactNetwork().network
    case .paper: try Self.paperNetwork(question).network
    case .reference: nil
    }
  }

  static func paperNetwork(_ question: GraphQuestion) throws -> PaperGraphNetwork {
    let range: ExactRange = question.isFloat32 ? .float32 : .float64
    switch question.algorithm {
    case .dijkstra: return .dijkstra(range)
    case .bfs: return .bfs(range)
    case .dfs: return .dfs(range)
    case .scc: return .scc(range)
    default:
      throw CommandError(
        "the paper has no network for \(question.algorithm.rawValue)", hint: "--network compact has")
    }
  }
}

/// What came of a question, and what it took.
struct GraphRun {
  enum End: String {
    case finished
    /// Ctrl-C: a compact network's result is as far as it came, the paper's has none; the trace is kept.
    case interrupted
    /// The cap on loops was reached.
    case loopLimit = "loop limit"
  }

  typealias Observer = (GraphEvent) throws -> Void
  struct Interrupted: Error {}

  var result = GraphResult()
  var end = End.finished
  /// Applications of the network's layers; `nil` for plain Swift.
  var loops: Int?
  var network: NetworkFacts?
  var seconds = 0.0

  /// The one place where networks plug in.
  ///
  /// - Parameter observe: is told what every loop did, in order; `nil` spares the work.
  static func run(
    network: GraphNetwork, _ question: GraphQuestion, observe: Observer?
  ) throws -> GraphRun {
    let start = ContinuousClock.now
    var run = GraphRun()
    run.network = try network.constructed(question).map(NetworkFacts.init)
    switch network {
    case .compact: try run.runCompact(question, observe)
    case .paper:
      if question.isFloat32 {
        try run.runPaper(question, observe, as: Float.self)
      } else {
        try run.runPaper(question, observe, as: Double.self)
      }
    case .reference: try run.runReference(question, observe)
    }
    run.seconds = (ContinuousClock.now - start) / .seconds(1)
    // Networks may name a component by its root; one name for the same component, whoever computes.
    run.result.components = run.result.components.map(GraphResult.lowestNodes)
    return run
  }

  private mutating func runReference(_ question: GraphQuestion, _ observe: Observer?) throws {
    var failure: (any Error)?
    let tell = observe.map { observe in
      { (event: GraphEvent) in
        guard failure == nil else { return }
        do { try observe(event) } catch { failure = error }
      }
    }
    result = question.algorithm.reference(
      question.graph, source: question.source, isFloat32: question.isFloat32, observe: tell)
    if let failure { throw failure }
  }
}
