import Construction
import Looping

/// What one loop of a paper network did, for traces and animations.
public struct PaperLoop: Equatable, Sendable {
  /// Counted from 1.
  public var loop: Int
  /// The candidate that was compared.
  public var considered: Int?
  /// The node that was visited, or left (`scc`), in this loop: at the end of every sweep.
  public var visited: Int?
  /// Nodes with a new key.
  public var improved: [Int]
}

public struct PaperRun: Equatable, Sendable {
  public var result: GraphResult
  public var loops: Int
}

extension PaperGraphNetwork {
  /// Runs an algorithm on a graph: prelude, loop until TERM, coda.
  ///
  /// - Parameters:
  ///   - limit: the most loops; by default what the algorithm needs at most.
  ///   - observe: called after every loop if given; O(nodes) more per loop.
  /// - Throws: `PaperGraphError` before anything runs if the data type or λ cannot carry the graph; `.notTerminated` at
  ///   the limit.
  /// - Complexity: `loopBound` dense passes, O(nodes²) each: O(nodes⁴) in all.
  public func run<Scalar: BinaryFloatingPoint & Sendable>(
    _ algorithm: GraphAlgorithm, on graph: Graph, source: Int = 0, attention: Attention = .hard,
    as scalar: Scalar.Type, angle: Double? = nil, limit: Int? = nil,
    observe: ((PaperLoop) throws -> Void)? = nil
  ) throws -> PaperRun {
    let input = try prelude(
      graph, algorithm, source: source, attention: attention, angle: angle, as: scalar)
    var state = input.state
    let body = DenseExecutor<Scalar>(network, attention: attention, graph: input.graph)
    // Without a node there is nothing to attend to, and nothing to find.
    let loops = graph.nodeCount == 0 ? 0 : try run(body, &state, limit: limit, observe: observe)
    return PaperRun(
      result: try coda(state, algorithm, scaleExponent: input.scaleExponent), loops: loops)
  }

  /// Runs any executor of the network until TERM.
  ///
  /// - Returns: the number of loops.
  public func run<Body: LoopBody, Scalar: BinaryFloatingPoint & Sendable>(
    _ body: Body, _ state: inout ResidualStream<Scalar>, limit: Int? = nil,
    observe: ((PaperLoop) throws -> Void)? = nil
  ) throws -> Int where Body.State == ResidualStream<Scalar> {
    let limit = limit ?? loopBound(nodes: state.columnCount - 1)
    var loop = Loop(
      body: body, limit: limit, stopsAtFixedPoint: false,
      haltingRules: [HaltingRule("TERM") { state, _ in hasTerminated(state) }])
    var before = state
    let (loops, halt) = try loop.run(&state) { state, loops in
      guard let observe else { return }
      try observe(difference(before, state, loop: loops))
      before = state
    }
    guard halt != .limit || hasTerminated(state) else { throw PaperGraphError.notTerminated(loops: loops) }
    return loops
  }

  private func difference<Scalar>(
    _ before: ResidualStream<Scalar>, _ after: ResidualStream<Scalar>, loop: Int
  ) -> PaperLoop {
    let nodes = 0..<(after.columnCount - 1)
    let code = before[scan.current, 0]
    func changed(_ field: Field, _ node: Int) -> Bool {
      let column = column(ofNode: node)
      return before[field[0], column] != after[field[0], column]
    }
    // When `scc` changes phase, every node's mark is taken back, so it is the last one left that differs by missing.
    let left = nodes.filter { changed(scan.visited, $0) }
    let rises = left.filter { after[scan.visited[0], column(ofNode: $0)] == 1 }
    let unmarked = nodes.filter { before[scan.visited[0], column(ofNode: $0)] == 0 }
    return PaperLoop(
      loop: loop, considered: nodes.first { before[scan.roles.code, column(ofNode: $0)] == code },
      visited: rises.first ?? (!left.isEmpty && unmarked.count == 1 ? unmarked[0] : nil),
      improved: nodes.filter { changed(scan.key, $0) })
  }
}
