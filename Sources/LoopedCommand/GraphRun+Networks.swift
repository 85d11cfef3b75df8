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

/// Turns reports of compact networks into events.
private struct CompactEvents {
  private let question: GraphQuestion
  /// Whether a loop takes one node, or none when it only finds that all are done.
  private let extracts: Bool
  private var isFirst = true
  /// Message passing visits what the loop before changed.
  private var changedBefore: [Int]

  init(_ question: GraphQuestion, extracts: Bool) {
    self.question = question
    self.extracts = extracts
    changedBefore = question.algorithm.needsSource ? [question.source] : []
  }

  mutating func event(_ report: CompactMachine.LoopReport) -> GraphEvent {
    // Visiting orders are counted from 1 in the networks, and 0 means that a node has no place yet.
    let countsFromOne = question.algorithm == .dfs || question.algorithm == .topologicalOrder
    var changes: [GraphEvent.Change] = report.changes.compactMap {
      guard !countsFromOne || $0.value > 0 else { return nil }
      return .init(node: $0.node, value: countsFromOne ? $0.value - 1 : $0.value, predecessor: $0.predecessor)
    }
    // The source has its distance before the first loop.
    if isFirst, question.algorithm.needsSource, !changes.contains(where: { $0.node == question.source }) {
      changes.insert(.init(node: question.source, value: 0, predecessor: question.source), at: 0)
    }
    isFirst = false
    let visited: [Int]
    if extracts {
      visited = report.extracted.map { [$0] } ?? []
    } else {
      visited = changedBefore
      changedBefore = report.changes.map(\.node)
    }
    return GraphEvent(visited: visited, changes: changes)
  }
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
