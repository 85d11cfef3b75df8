import Construction
import Looping

/// Where a paper network stays exact: one network, one data type, one temperature, ever larger graphs until the first
/// state that differs from the same weights' under hard attention in float64.
public struct GraphPrecision: Codable, Equatable, Sendable {
  /// What is swept: one line of the table.
  public struct Line: Codable, Equatable, Sendable {
    public var algorithm: GraphAlgorithm
    /// Whether the multitask network runs the algorithm, or the one made for it.
    public var isMultitask: Bool
    /// f32 or f64.
    public var dataType: DataType
    /// λ; `nil` for hard attention, its limit.
    public var inverseTemperature: Double?
    /// Numbers of nodes, in ascending order.
    public var sizes: [Int]
  }

  /// The first state that differs.
  public struct Failure: Codable, Equatable, Sendable {
    public var nodes: Int
    public var loop: Int
    /// The field, the column, and both numbers.
    public var what: String
  }

  public var line: Line
  /// The largest graph whose every state was exact, all smaller ones included; `nil` if not even the smallest.
  public var exactNodes: Int?
  /// The largest of the sizes that a run at this λ would accept; `nil` if none.
  public var promisedNodes: Int?
  /// `nil` if every size was exact.
  public var firstFailure: Failure?
  /// Loops with equal states.
  public var loops: Int

  /// Runs 3n loops – three minima – of each size in lockstep, without the checks that would refuse them, and compares
  /// every row but the position codes after every loop.
  ///
  /// Complexity: Σ 6n dense passes of O(n²).
  public static func measure(_ line: Line, seed: UInt64 = 1) throws -> GraphPrecision {
    line.dataType == .f64
      ? try measure(line, as: Double.self, .float64, seed) : try measure(line, as: Float.self, .float32, seed)
  }

  private static func measure<Scalar: BinaryFloatingPoint & Sendable>(
    _ line: Line, as scalar: Scalar.Type, _ range: ExactRange, _ seed: UInt64
  ) throws -> GraphPrecision {
    let network =
      PaperGraphNetwork.all(range).first {
        $0.algorithms.contains(line.algorithm) && ($0.algorithms.count > 1) == line.isMultitask
      }!
    let attention = line.inverseTemperature.map(Attention.softmax(inverseTemperature:)) ?? .hard
    var result = GraphPrecision(line: line, loops: 0)
    for size in line.sizes {
      if (try? CircleCode(count: size, range: range, attention: attention)) != nil {
        result.promisedNodes = size
      }
      guard result.firstFailure == nil else { continue }
      let graph = mixedGraph(size, seed: seed)
      var input: PaperInput<Scalar> = try network.prelude(
        graph, line.algorithm, source: 0, attention: .hard)
      var exact: PaperInput<Double> = try network.prelude(graph, line.algorithm, source: 0, attention: .hard)
      var body = DenseExecutor<Scalar>(network.network, attention: attention, graph: input.graph)
      var exactBody = DenseExecutor<Double>(network.network, graph: exact.graph)
      for loop in 0..<min(3 * size, network.loopBound(nodes: size)) {
        _ = body.apply(to: &input.state, loop: loop)
        _ = exactBody.apply(to: &exact.state, loop: loop)
        if let what = network.difference(input.state, exact.state) {
          result.firstFailure = Failure(nodes: size, loop: loop + 1, what: what)
          break
        }
        result.loops += 1
      }
      if result.firstFailure == nil { result.exactNodes = size }
    }
    return result
  }

  /// A path in a scrambled order, so that every node is reached, and n arbitrary edges.
  private static func mixedGraph(_ count: Int, seed: UInt64) -> Graph {
    var random = seed
    func below(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((random >> 33) % UInt64(bound))
    }
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 1, by: -1) { order.swapAt(i, 1 + below(i)) }
    let path = zip(order, order.dropFirst()).map { Graph.Edge($0, $1, weight: Double(below(9))) }
    let others = (0..<count).map { _ in Graph.Edge(below(count), below(count), weight: Double(below(9))) }
    return Graph(nodeCount: count, edges: path + others)
  }

  /// Every line: the paper's algorithms and one of the multitask network's, both data types, several temperatures.
  public static func plan(quick: Bool) -> [Line] {
    let sizes = quick ? [2, 4, 8, 12] : [2, 3, 4, 6, 8, 11, 16, 23, 32, 45]
    let temperatures: [Double?] =
      quick ? [100, 1000, nil] : [30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, nil]
    let networks: [(GraphAlgorithm, Bool)] = [
      (.dijkstra, false), (.bfs, false), (.dfs, false), (.scc, false), (.dijkstra, true),
    ]
    return networks.flatMap { algorithm, isMultitask in
      [DataType.f32, .f64].flatMap { dataType in
        temperatures.map {
          Line(
            algorithm: algorithm, isMultitask: isMultitask, dataType: dataType, inverseTemperature: $0,
            sizes: sizes)
        }
      }
    }
  }

  /// The largest tables of position codes, float32, in which every code scores strictly more with itself than with its
  /// eight nearest: as promised, and as measured – the last size before the first one, in steps of 1%, with a confusion.
  public static func float32Tables() -> (promised: Int, measured: Int) {
    func isSelective(_ count: Int) -> Bool {
      let circle = CircleCode(uncheckedAngle: 2 * Double.pi / Double(count + 1), range: .float32)
      let codes = (0..<count).map { position in circle[position + 1].map { Float($0) } }
      func score(_ i: Int, _ j: Int) -> Float { codes[i][0] * codes[j][0] + codes[i][1] * codes[j][1] }
      return codes.indices.allSatisfy { i in
        (1...4).allSatisfy {
          score(i, (i + $0) % count) < score(i, i) && score(i, (i + count - $0) % count) < score(i, i)
        }
      }
    }
    let promised = CircleCode.largestCount(.float32)
    var count = promised
    while isSelective(count + count / 100) { count += count / 100 }
    return (promised, count)
  }
}

extension PaperGraphNetwork {
  /// The first number that is not the same in both states, position codes aside.
  func difference<A: BinaryFloatingPoint, B: BinaryFloatingPoint>(
    _ state: ResidualStream<A>, _ exact: ResidualStream<B>
  ) -> String? {
    for field in network.layout.fields where field.count == 1 {
      for column in 0..<state.columnCount {
        let (value, expected) = (Double(state[field[0], column]), Double(exact[field[0], column]))
        if value != expected {
          return "\(field.name) is \(value), not \(expected)"
            + (column == 0 ? "" : ", in node \(column - 1)")
        }
      }
    }
    return nil
  }
}
