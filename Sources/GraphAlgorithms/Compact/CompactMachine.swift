import Construction
import Looping

extension GraphAlgorithm {
  /// The compact network that runs this algorithm.
  /// - Parameter byLevels: breadth-first search with all nodes of a level in one loop.
  public func compactNetwork(byLevels: Bool = false) -> any CompactGraphNetwork {
    switch self {
    case .dijkstra: CompactDijkstra()
    case .bfs: byLevels ? CompactLevelSearch() : CompactBreadthFirstSearch()
    case .dfs: CompactDepthFirstSearch()
    case .scc: CompactStrongComponents()
    case .components: CompactComponents()
    case .topologicalOrder: CompactTopologicalOrder()
    case .minimumSpanningTree: CompactPrim()
    case .bellmanFord: CompactBellmanFord()
    case .pageRank: CompactPageRank()
    }
  }
}

/// Runs a compact graph network on a graph.
public struct CompactMachine: Sendable {
  public enum Executor: String, CaseIterable, Sendable {
    /// Recomputes what changed only; same weights, same bits.
    case exact
    /// Every column attends to every column.
    case dense
  }

  /// What one loop did.
  public struct LoopReport: Equatable, Sendable {
    /// Counted from 1.
    public var loop: Int
    /// The node that the loop extracted.
    public var extracted: Int?
    /// Nodes whose value or predecessor changed, ascending; the value is the distance, or the number in the order, the
    /// component or the rank.
    public var changes: [GraphEvent.Change]

    public var event: GraphEvent { GraphEvent(visited: extracted.map { [$0] } ?? [], changes: changes) }
  }

  public struct Outcome: Sendable {
    public var result: GraphResult
    public var loops: Int
    public var halt: Halt
    /// Width of the residual stream and its number of columns.
    public var width: Int
    public var columnCount: Int
  }

  /// The name of the halting rule that `progress` is.
  public static let stopped = "stopped"

  public let network: any CompactGraphNetwork
  public var executor: Executor

  public init(_ network: any CompactGraphNetwork, executor: Executor = .exact) {
    self.network = network
    self.executor = executor
  }

  /// - Parameters:
  ///   - isFloat32: the data type of the run, float32 or float64.
  ///   - observe: told of every loop; costs O(nodes) per loop.
  ///   - progress: told the number of loops done, after every loop; `false` ends the run (`Halt.rule(stopped)`)
  ///     with the result as far as it came.
  /// - Throws: `CompactLimitError` before anything runs, if the graph is not one the network can run on exactly;
  ///   `ExecutionError` if the exact executor's premises do not hold; what `progress` throws.
  public func run(
    on graph: Graph, source: Int? = nil, isFloat32: Bool = true,
    progress: ((Int) throws -> Bool)? = nil, observe: ((LoopReport) throws -> Void)? = nil
  ) throws -> Outcome {
    try isFloat32
      ? run(Float.self, graph, source, progress, observe) : run(Double.self, graph, source, progress, observe)
  }

  private func run<Scalar: BinaryFloatingPoint & Sendable>(
    _ type: Scalar.Type, _ graph: Graph, _ source: Int?, _ progress: ((Int) throws -> Bool)?,
    _ observe: ((LoopReport) throws -> Void)?
  ) throws -> Outcome {
    try network.checkLimits(graph, source: source, as: type)
    let columns = network.columnGraph(of: graph)
    let state = network.prelude(graph, source: source, as: type)
    switch executor {
    case .exact:
      return try run(
        ExactExecutor<Scalar>(network.network, graph: columns), state, graph, source, progress, observe)
    case .dense:
      return try run(
        DenseExecutor<Scalar>(network.network, graph: columns), state, graph, source, progress, observe)
    }
  }

  private func run<Scalar, Body: LoopBody>(
    _ body: Body, _ initial: ResidualStream<Scalar>, _ graph: Graph, _ source: Int?,
    _ progress: ((Int) throws -> Bool)?, _ observe: ((LoopReport) throws -> Void)?
  ) throws -> Outcome where Body.State == ResidualStream<Scalar> {
    var state = initial
    var observer = observe.map { LoopObserver(network, graph.nodeCount, initial, report: $0) }
    var loop = Loop(
      body: body, limit: network.loopLimit(nodeCount: graph.nodeCount),
      haltingRules: network.haltingRules(graph, as: Scalar.self))
    if let progress {
      loop.haltingRules.append(HaltingRule(Self.stopped) { _, loops in try !progress(loops) })
    }
    let (loops, halt) = try loop.run(&state) { state, loops in
      try observer?.loopEnded(state, loops)
    }
    let isSettled = halt != .limit && halt != .rule(Self.stopped)
    return Outcome(
      result: network.coda(state, graph, source: source, isSettled: isSettled), loops: loops, halt: halt,
      width: state.width, columnCount: state.columnCount)
  }
}

/// Finds what a loop changed, by comparing every node's reading.
private struct LoopObserver {
  let network: any CompactGraphNetwork
  let report: (CompactMachine.LoopReport) throws -> Void
  private var readings: [(value: Double, predecessor: Int)]

  init<Scalar>(
    _ network: any CompactGraphNetwork, _ nodeCount: Int, _ state: ResidualStream<Scalar>,
    report: @escaping (CompactMachine.LoopReport) throws -> Void
  ) {
    self.network = network
    self.report = report
    readings = (0..<nodeCount).map { network.reading(of: $0, in: state) }
  }

  mutating func loopEnded<Scalar>(_ state: ResidualStream<Scalar>, _ loop: Int) throws {
    var changes: [GraphEvent.Change] = []
    for node in readings.indices {
      let reading = network.reading(of: node, in: state)
      guard reading != readings[node] else { continue }
      readings[node] = reading
      changes.append(.init(node: node, value: reading.value, predecessor: reading.predecessor))
    }
    let extracted = network.extractedRow.map { Int(state[$0, CompactLayout.scratchpadColumn]) - 1 }
    try report(
      .init(loop: loop, extracted: extracted.flatMap { $0 < 0 ? nil : $0 }, changes: changes))
  }
}
