import Construction
import GraphAlgorithms
import Looping
import Reporting

extension GraphRun {
  mutating func runCompact(_ question: GraphQuestion, _ observe: Observer?) throws {
    let algorithm = question.algorithm
    let machine = CompactMachine(algorithm.compactNetwork())
    let usesSource = algorithm.needsSource || algorithm == .dfs
    var progress = LoopProgress(limit: machine.network.loopLimit(nodeCount: question.graph.nodeCount))
    defer { progress.finish() }
    var events = CompactEvents(question, extracts: machine.network.extractedRow != nil)
    let report = observe.map { observe in { try observe(events.event($0)) } }
    let outcome = try machine.run(
      on: question.graph, source: usesSource ? question.source : nil, isFloat32: question.isFloat32,
      progress: { loops in
        progress.show(loops)
        return !Interrupt.isRequested
      }, observe: report)
    // Whatever was found before Ctrl-C is a result, of fewer loops.
    result = outcome.result
    switch outcome.halt {
    case .rule(CompactMachine.stopped): end = .interrupted
    // Bellman and Ford end at their limit where there is a negative cycle.
    case .limit where algorithm != .bellmanFord: end = .loopLimit
    default: break
    }
    loops = outcome.loops
  }

  mutating func runPaper<Scalar: BinaryFloatingPoint & Sendable>(
    _ question: GraphQuestion, _ observe: Observer?, as scalar: Scalar.Type
  ) throws {
    let network = try GraphNetwork.paperNetwork(question)
    let algorithm = question.algorithm
    let input = try network.prelude(
      question.graph, algorithm, source: question.source, attention: .hard, as: scalar)
    var state = input.state
    let latest = Latest(input.state)
    let body = WatchedBody(
      base: DenseExecutor<Scalar>(network.network, attention: .hard, graph: input.graph), latest: latest)
    var progress = LoopProgress(limit: network.loopBound(nodes: question.graph.nodeCount))
    defer { progress.finish() }
    var values = [Double](repeating: -1, count: question.graph.nodeCount)
    do {
      _ = try network.run(body, &state) { loop in
        try progress.update(loop.loop)
        guard let observe else { return }
        var event = GraphEvent(visited: loop.visited.map { [$0] } ?? [])
        // In the middle of a run not every number needs to be one that can be read.
        if loop.loop == 1 || loop.visited != nil || !loop.improved.isEmpty,
          let result = try? network.coda(latest.state, algorithm, scaleExponent: input.scaleExponent)
        {
          event.changes = Self.changes(result, &values)
        }
        try observe(event)
      }
      result = try network.coda(state, algorithm, scaleExponent: input.scaleExponent)
    } catch is Interrupted {
      end = .interrupted
    } catch PaperGraphError.notTerminated {
      end = .loopLimit
    }
    loops = progress.done
  }

  /// Nodes whose value differs from the one in `values`, which is brought up to date.
  private static func changes(_ result: GraphResult, _ values: inout [Double]) -> [GraphEvent.Change] {
    var changes: [GraphEvent.Change] = []
    func set(_ node: Int, _ value: Double) {
      guard value != values[node], value.isFinite else { return }
      values[node] = value
      changes.append(.init(node: node, value: value, predecessor: result.predecessors?[node] ?? node))
    }
    if let distances = result.distances {
      for node in distances.indices { set(node, distances[node]) }
    } else if let order = result.order {
      for (place, node) in order.enumerated() { set(node, Double(place)) }
    } else if let components = result.components {
      for node in components.indices { set(node, Double(components[node])) }
    }
    return changes
  }
}

/// Tells the terminal how many loops are done, and ends the run at Ctrl-C.
private struct LoopProgress {
  private(set) var done = 0
  private var bar: ProgressBar

  init(limit: Int) {
    bar = ProgressBar(total: limit, what: "loops at most")
    Interrupt.install()
  }

  mutating func show(_ loops: Int) {
    done = loops
    if loops & 63 == 0 { bar.update(loops) }
  }

  /// - Throws: `GraphRun.Interrupted`.
  mutating func update(_ loops: Int) throws {
    show(loops)
    if Interrupt.isRequested { throw GraphRun.Interrupted() }
  }

  func finish() { bar.finish() }
}

/// The state after the last pass, for who is told of loops only.
private final class Latest<State> {
  var state: State
  init(_ state: State) { self.state = state }
}

private struct WatchedBody<Base: LoopBody>: LoopBody {
  var base: Base
  let latest: Latest<Base.State>

  mutating func apply(to state: inout Base.State, loop: Int) throws -> Bool {
    let hasChanged = try base.apply(to: &state, loop: loop)
    latest.state = state
    return hasChanged
  }
}
