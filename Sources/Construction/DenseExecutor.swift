import Looping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How attention weights are computed from scores.
public enum Attention: Equatable, Sendable {
  /// softmax(λ·score), with the column maximum subtracted first.
  case softmax(inverseTemperature: Double)
  /// The limit λ → ∞: the largest score takes all, exact ties share equally.
  case hard
}

/// Runs a constructed network the plain way: every column attends to every column, in every layer.
///
/// This is the definition the faster executors are tested against.
///
/// Complexity: O(n² · heads · (d_k + d_v) + n · weights) per pass, for n columns; graph heads add O(m · d_v) for m
/// edges, and heads that attend along edges cost O(m) instead of O(n²).
public struct DenseExecutor<Scalar: BinaryFloatingPoint & Sendable>: LoopBody {
  public typealias State = ResidualStream<Scalar>

  public let attention: Attention
  /// What graph heads see.
  private let graph: ColumnGraph?
  private let layers: [(heads: [CompiledHead<Scalar>], neurons: CompiledNeurons<Scalar>)]

  /// - Parameter graph: needed if, and only if, the network has graph heads; as many columns as the state.
  public init(_ network: ConstructedNetwork, attention: Attention = .hard, graph: ColumnGraph? = nil) {
    precondition(graph != nil || !network.needsGraph, "\(network.name) has graph heads, and needs a graph")
    self.attention = attention
    self.graph = graph
    layers = network.layers.map { ($0.heads.map(CompiledHead.init), CompiledNeurons($0.neurons)) }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  #if !(os(macOS) && arch(x86_64))
    @specialized(where Scalar == Float16)
  #endif
  public mutating func apply(to state: inout State, loop: Int) -> Bool {
    let before = state.storage
    for layer in layers { apply(layer.heads, layer.neurons, to: &state) }
    state.touched = []
    return state.storage != before
  }

  /// Attention weights of every head for one query column each, in one pass over the layers; for traces and pictures.
  ///
  /// - Parameter query: names the query column of a head, by the indices of its layer and of the head in it.
  /// - Returns: by layer and head, the weights over all key columns (over the query's neighbours, ascending, for a
  ///   head that attends along edges).
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func attentionWeights(in state: State, query: (_ layer: Int, _ head: Int) -> Int) -> [[[Scalar]]] {
    var state = state
    return layers.enumerated().map { layer, weights in
      let looks = state.storage.withUnsafeBufferPointer { x in
        weights.heads.enumerated().map { index, head in
          var weights = [Scalar](repeating: 0, count: state.columnCount)
          let keys = project(head, x.baseAddress!, state.columnCount, state.width)
          weigh(head, query(layer, index), x.baseAddress!, state.width, keys, into: &weights)
          return weights
        }
      }
      apply(weights.heads, weights.neurons, to: &state)
      return looks
    }
  }

  private typealias Keys = (codes: [Scalar], priorities: [Scalar])

  @inline(__always)
  private func project(
    _ head: CompiledHead<Scalar>, _ x: UnsafePointer<Scalar>, _ columnCount: Int, _ width: Int
  ) -> Keys {
    let dimension = head.key.rowCount
    var codes = [Scalar](repeating: 0, count: columnCount * dimension)
    var priorities = [Scalar](repeating: 0, count: columnCount)
    for column in 0..<columnCount {
      let source = x + column * width
      for i in 0..<dimension { codes[column * dimension + i] = head.key.dot(i, source) }
      priorities[column] = head.priority.dot(0, source)
    }
    return (codes, priorities)
  }

  /// Attention weights of one query column: over all columns, or over its neighbours in the graph.
  @inline(__always)
  private func weigh(
    _ head: CompiledHead<Scalar>, _ column: Int, _ x: UnsafePointer<Scalar>, _ width: Int, _ keys: Keys,
    into weights: inout [Scalar]
  ) {
    let dimension = head.query.rowCount
    let query = (0..<dimension).map { head.query.dot($0, x + column * width) }
    keys.codes.withUnsafeBufferPointer { codes in
      query.withUnsafeBufferPointer { query in
        func score(_ key: Int) -> Scalar {
          var score = keys.priorities[key]
          for i in 0..<dimension { score += codes[key * dimension + i] * query[i] }
          return score
        }
        if let neighborhood = head.neighborhood {
          let edges = graph!.adjacency(neighborhood.direction)
          weights.removeAll(keepingCapacity: true)
          for edge in edges.range(column) {
            weights.append(
              score(Int(edges.columns[edge]))
                + Scalar(neighborhood.scorePerWeight) * Scalar(edges.weights[edge]))
          }
        } else {
          for key in weights.indices { weights[key] = score(key) }
        }
      }
    }
    normalize(&weights, head.kind)
  }

  /// Turns scores into weights.
  @inline(__always)
  private func normalize(_ weights: inout [Scalar], _ kind: AttentionHead.Kind) {
    var highest = -Scalar.infinity
    for score in weights { highest = max(highest, score) }
    if kind == .leftmost {
      let winner = weights.firstIndex(of: highest)
      for key in weights.indices { weights[key] = key == winner ? 1 : 0 }
      return
    }
    var total: Scalar = 0
    for key in weights.indices {
      switch kind == .smooth ? .softmax(inverseTemperature: 1) : attention {
      case .hard: weights[key] = weights[key] == highest ? 1 : 0
      case .softmax(let inverseTemperature):
        weights[key] = Scalar(exp(inverseTemperature * Double(weights[key] - highest)))
      }
      total += weights[key]
    }
    for key in weights.indices where weights[key] != 0 { weights[key] /= total }
  }

  /// Adds what `column` reads to `target`.
  @inline(__always)
  private func addAttended(
    _ head: CompiledHead<Scalar>, _ column: Int, _ x: UnsafePointer<Scalar>, _ width: Int,
    _ weights: [Scalar], to target: UnsafeMutablePointer<Scalar>
  ) {
    guard let neighborhood = head.neighborhood else {
      for key in weights.indices where weights[key] != 0 {
        head.addValues(of: x + key * width, weight: weights[key], to: target)
      }
      return
    }
    let edges = graph!.adjacency(neighborhood.direction)
    for (edge, weight) in zip(edges.range(column), weights) where weight != 0 {
      head.addValues(of: x + Int(edges.columns[edge]) * width, weight: weight, to: target)
      for output in neighborhood.weightOutputs {
        target[output.row] += weight * Scalar(output.coefficient) * Scalar(edges.weights[edge])
      }
    }
  }

  @inline(__always)
  private func apply(
    _ heads: [CompiledHead<Scalar>], _ neurons: CompiledNeurons<Scalar>, to state: inout State
  ) {
    let width = state.width
    let count = state.columnCount
    var attended = state.storage
    attended.withUnsafeMutableBufferPointer { attended in
      let attended = attended.baseAddress!
      state.storage.withUnsafeMutableBufferPointer { x in
        let x = x.baseAddress!
        for head in heads {
          var weights = [Scalar](repeating: 0, count: count)
          let keys = project(head, x, state.columnCount, width)
          if let mixing = head.mixing {
            var values = [Scalar](repeating: 0, count: count * width)
            values.withUnsafeMutableBufferPointer { values in
              let values = values.baseAddress!
              for column in 0..<count {
                weigh(head, column, x, width, keys, into: &weights)
                addAttended(head, column, x, width, weights, to: values + column * width)
              }
              mix(values, mixing, head, width, into: attended)
            }
          } else {
            for column in 0..<count {
              weigh(head, column, x, width, keys, into: &weights)
              addAttended(head, column, x, width, weights, to: attended + column * width)
            }
          }
        }
        x.update(from: attended, count: width * count)
        for column in 0..<count { neurons.add(attended + column * width, to: x + column * width) }
      }
    }
  }

  /// Adds Σ_i M_ji y_i to every column j, the sources i in ascending order.
  @inline(__always)
  private func mix(
    _ values: UnsafePointer<Scalar>, _ mixing: GraphMixing, _ head: CompiledHead<Scalar>, _ width: Int,
    into attended: UnsafeMutablePointer<Scalar>
  ) {
    let edges = graph!.adjacency(mixing.direction)
    for column in 0..<graph!.columnCount {
      for edge in edges.range(column) {
        let source = values + Int(edges.columns[edge]) * width
        let factor: Scalar = mixing.isWeighted ? Scalar(edges.weights[edge]) : 1
        for row in head.destinations { attended[column * width + Int(row)] += factor * source[Int(row)] }
      }
    }
  }
}
