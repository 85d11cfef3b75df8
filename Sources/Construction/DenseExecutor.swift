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
/// Complexity: O(n² · heads · (d_k + d_v) + n · weights) per pass, for n columns.
public struct DenseExecutor<Scalar: BinaryFloatingPoint & Sendable>: LoopBody {
  public typealias State = ResidualStream<Scalar>

  public let attention: Attention
  private let layers: [(heads: [CompiledHead<Scalar>], neurons: CompiledNeurons<Scalar>)]

  public init(_ network: ConstructedNetwork, attention: Attention = .hard) {
    self.attention = attention
    layers = network.layers.map { ($0.heads.map(CompiledHead.init), CompiledNeurons($0.neurons)) }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public mutating func apply(to state: inout State, loop: Int) -> Bool {
    let before = state.storage
    for layer in layers { apply(layer.heads, layer.neurons, to: &state) }
    state.touched = []
    return state.storage != before
  }

  /// Attention weights of `layer`, `head` for one query column, over all key columns; for traces and pictures.
  public func attentionWeights(
    layer: Int, head: Int, query column: Int, in state: State
  ) -> [Scalar] {
    var state = state
    for earlier in layers.prefix(layer) { apply(earlier.heads, earlier.neurons, to: &state) }
    var weights = [Scalar](repeating: 0, count: state.columnCount)
    state.storage.withUnsafeBufferPointer { x in
      let head = layers[layer].heads[head]
      let keys = project(head, x.baseAddress!, state.columnCount, state.width)
      weigh(head, column, x.baseAddress!, state.width, keys, into: &weights)
    }
    return weights
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

  @inline(__always)
  private func weigh(
    _ head: CompiledHead<Scalar>, _ column: Int, _ x: UnsafePointer<Scalar>, _ width: Int, _ keys: Keys,
    into weights: inout [Scalar]
  ) {
    let dimension = head.query.rowCount
    let query = (0..<dimension).map { head.query.dot($0, x + column * width) }
    var highest = -Scalar.infinity
    keys.codes.withUnsafeBufferPointer { codes in
      query.withUnsafeBufferPointer { query in
        for key in weights.indices {
          var score = keys.priorities[key]
          for i in 0..<dimension { score += codes[key * dimension + i] * query[i] }
          weights[key] = score
          highest = max(highest, score)
        }
      }
    }
    var total: Scalar = 0
    for key in weights.indices {
      switch head.kind == .smooth ? .softmax(inverseTemperature: 1) : attention {
      case .hard: weights[key] = weights[key] == highest ? 1 : 0
      case .softmax(let inverseTemperature):
        weights[key] = Scalar(exp(inverseTemperature * Double(weights[key] - highest)))
      }
      total += weights[key]
    }
    for key in weights.indices where weights[key] != 0 { weights[key] /= total }
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
        var weights = [Scalar](repeating: 0, count: count)
        for head in heads {
          let keys = project(head, x, state.columnCount, width)
          for column in 0..<count {
            weigh(head, column, x, width, keys, into: &weights)
            for key in 0..<count where weights[key] != 0 {
              head.addValues(of: x + key * width, weight: weights[key], to: attended + column * width)
            }
          }
        }
        x.update(from: attended, count: width * count)
        for column in 0..<count { neurons.add(attended + column * width, to: x + column * width) }
      }
    }
  }
}
