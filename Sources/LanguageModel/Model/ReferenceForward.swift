import Foundation
import Tokenization

/// The slow, obvious forward pass: one sequence, all positions, plain loops over f64 numbers, nothing cached that is
/// not written out. The executor is tested against it, and slow versions of other ways of decoding are made of its parts.
///
/// Complexity: O(loops · positions · parameters of the block) and O(loops · layers · positions²) for attention.
/// Memory: all weights in f64.
public struct ReferenceForward {
  public let model: LanguageModel
  package let layers: [Layer]
  private let embedding: [[Double]]
  private let readout: [[Double]]

  /// A layer's matrices as rows.
  package struct Layer {
    package let weights: LanguageModel.Layer
    let query, key, value, output, gate, up, down: [[Double]]
  }

  /// What every loop leaves, [loop][position].
  public struct Result {
    /// The normed state, [hidden].
    public var states: [[[Double]]] = []
    /// [vocabulary].
    public var logits: [[[Double]]] = []
    /// The gate's value before the sigmoid; empty without a gate.
    public var gates: [[Double]] = []
  }

  public init(_ model: LanguageModel) {
    self.model = model
    layers = model.layers.map { layer in
      let rows = layer.matrices.map { Self.rows(of: $0.matrix) }
      return Layer(
        weights: layer, query: rows[0], key: rows[1], value: rows[2], output: rows[3], gate: rows[4],
        up: rows[5], down: rows[6])
    }
    embedding = Self.rows(of: model.embedding)
    readout = Self.rows(of: model.readout)
  }

  /// The model on `tokens`, at the positions 0, 1, ….
  public func run(_ tokens: [TokenID], loops: Int) -> Result {
    var result = Result()
    var h = tokens.map(embed)
    for _ in 0..<loops {
      for layer in layers {
        let projections = h.enumerated().map { project(layer, $1, position: $0) }
        h = h.indices.map { i in
          finish(
            layer, h[i],
            attention(
              projections[i].query, keys: projections[...i].map(\.key), values: projections[...i].map(\.value)
            ))
        }
      }
      h = h.map(normalizeOutput)
      result.states.append(h)
      result.logits.append(h.map(readOut))
      if model.gate != nil { result.gates.append(h.map(exitLogit)) }
    }
    return result
  }

  package func embed(_ token: TokenID) -> [Double] { embedding[Int(token)] }

  /// The norm at the end of every loop.
  package func normalizeOutput(_ h: [Double]) -> [Double] {
    Self.norm(h, model.finalNorm, model.configuration.normEpsilon)
  }

  package func readOut(_ h: [Double]) -> [Double] { Self.product(readout, h) }

  package func exitLogit(_ h: [Double]) -> Double {
    Self.dot(model.gate!.weight.map(Double.init), h) + Double(model.gate!.bias)
  }

  /// What a layer makes of one position before attention; queries and keys are turned.
  package func project(
    _ layer: Layer, _ h: [Double], position: Int
  ) -> (query: [Double], key: [Double], value: [Double]) {
    let x = Self.norm(h, layer.weights.attentionNorm, model.configuration.normEpsilon)
    return (
      rotate(Self.product(layer.query, x), position: position),
      rotate(Self.product(layer.key, x), position: position), Self.product(layer.value, x)
    )
  }

  /// What follows attention, for one position.
  package func finish(_ layer: Layer, _ h: [Double], _ attended: [Double]) -> [Double] {
    let epsilon = model.configuration.normEpsilon
    var branch = Self.product(layer.output, attended)
    if let norm = layer.weights.attentionOutputNorm { branch = Self.norm(branch, norm, epsilon) }
    let a = zip(h, branch).map(+)
    let x = Self.norm(a, layer.weights.mlpNorm, epsilon)
    let inner = zip(Self.product(layer.gate, x), Self.product(layer.up, x)).map { $0 / (1 + exp(-$0)) * $1 }
    var second = Self.product(layer.down, inner)
    if let norm = layer.weights.mlpOutputNorm { second = Self.norm(second, norm, epsilon) }
    return zip(a, second).map(+)
  }

  /// One position's heads over the keys it sees; keys and values are [cell][keyValueHeads · headSize].
  package func attention(_ q: [Double], keys: [[Double]], values: [[Double]]) -> [Double] {
    let c = model.configuration
    let size = c.headSize
    var result: [Double] = []
    for head in 0..<c.heads {
      let shared = head / (c.heads / c.keyValueHeads) * size
      let query = Array(q[head * size..<(head + 1) * size])
      let scores = keys.map {
        Self.dot(query, Array($0[shared..<shared + size])) / Double(size).squareRoot()
      }
      let top = scores.max()!
      let weights = scores.map { exp($0 - top) }
      let sum = weights.reduce(0, +)
      for i in 0..<size {
        result.append(zip(weights, values).reduce(0) { $0 + $1.0 * $1.1[shared + i] } / sum)
      }
    }
    return result
  }

  /// Rotary embedding: the pairs (j, j + headSize / 2) of every head turn by position · base^(-2j / headSize).
  private func rotate(_ x: [Double], position: Int) -> [Double] {
    let (size, half) = (model.configuration.headSize, model.configuration.headSize / 2)
    var y = x
    for start in stride(from: 0, to: x.count, by: size) {
      for j in 0..<half {
        let angle = Double(position) * pow(model.configuration.ropeBase, -2 * Double(j) / Double(size))
        let (a, b) = (x[start + j], x[start + j + half])
        y[start + j] = a * cos(angle) - b * sin(angle)
        y[start + j + half] = b * cos(angle) + a * sin(angle)
      }
    }
    return y
  }

  private static func norm(_ x: [Double], _ weight: [Float], _ epsilon: Float) -> [Double] {
    let scale = 1 / (dot(x, x) / Double(x.count) + Double(epsilon)).squareRoot()
    return zip(x, weight).map { $0 * scale * Double($1) }
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }

  private static func product(_ rows: [[Double]], _ x: [Double]) -> [Double] { rows.map { dot($0, x) } }

  private static func rows(of matrix: WeightMatrix) -> [[Double]] {
    var values = [Float](repeating: 0, count: matrix.columns)
    return (0..<matrix.rows).map { row in
      values.withUnsafeMutableBufferPointer {
        matrix.dequantize(rows: row..<row + 1, into: $0.baseAddress!)
      }
      return values.map(Double.init)
    }
  }
}
