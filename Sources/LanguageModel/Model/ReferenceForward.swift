import Foundation

/// The slow, obvious forward pass: one sequence, all positions, plain loops over f64 numbers, nothing cached that is
/// not written out. The executor is tested against it.
///
/// Complexity: O(loops · positions · parameters of the block) and O(loops · layers · positions²) for attention.
public struct ReferenceForward {
  public let model: LanguageModel

  public init(_ model: LanguageModel) { self.model = model }

  /// What every loop leaves, [loop][position].
  public struct Result {
    /// The normed state, [hidden].
    public var states: [[[Double]]] = []
    /// [vocabulary].
    public var logits: [[[Double]]] = []
    /// The gate's value before the sigmoid; empty without a gate.
    public var gates: [[Double]] = []
  }

  /// The model on `tokens`, at the positions 0, 1, ….
  public func run(_ tokens: [Int32], loops: Int) -> Result {
    var result = Result()
    let embedding = Self.rows(of: model.embedding)
    var h = tokens.map { embedding[Int($0)] }
    for _ in 0..<loops {
      for layer in model.layers { h = apply(layer, to: h) }
      h = h.map { Self.norm($0, model.finalNorm, model.configuration.normEpsilon) }
      result.states.append(h)
      let readout = Self.rows(of: model.readout)
      result.logits.append(h.map { Self.product(readout, $0) })
      if let gate = model.gate {
        result.gates.append(h.map { Self.dot(gate.weight.map(Double.init), $0) + Double(gate.bias) })
      }
    }
    return result
  }

  /// The layer on all positions.
  private func apply(_ layer: LanguageModel.Layer, to h: [[Double]]) -> [[Double]] {
    let c = model.configuration
    let normed = h.map { Self.norm($0, layer.attentionNorm, c.normEpsilon) }
    func project(_ matrix: WeightMatrix, rotates: Bool) -> [[Double]] {
      let rows = Self.rows(of: matrix)
      return normed.enumerated().map { position, x in
        let y = Self.product(rows, x)
        return rotates ? rotate(y, position: position) : y
      }
    }
    let (q, k) = (project(layer.query, rotates: true), project(layer.key, rotates: true))
    let v = project(layer.value, rotates: false)
    let output = Self.rows(of: layer.output)
    let (gate, up, down) = (Self.rows(of: layer.gate), Self.rows(of: layer.up), Self.rows(of: layer.down))
    return h.indices.map { i in
      let attended = attention(q[i], keys: Array(k[...i]), values: Array(v[...i]))
      return finish(layer, h[i], attended, output, gate, up, down)
    }
  }

  /// What follows attention, for one position.
  func finish(
    _ layer: LanguageModel.Layer, _ h: [Double], _ attended: [Double], _ output: [[Double]],
    _ gate: [[Double]],
    _ up: [[Double]], _ down: [[Double]]
  ) -> [Double] {
    let epsilon = model.configuration.normEpsilon
    var branch = Self.product(output, attended)
    if let norm = layer.attentionOutputNorm { branch = Self.norm(branch, norm, epsilon) }
    let a = zip(h, branch).map(+)
    let x = Self.norm(a, layer.mlpNorm, epsilon)
    let inner = zip(Self.product(gate, x), Self.product(up, x)).map { $0 / (1 + exp(-$0)) * $1 }
    var second = Self.product(down, inner)
    if let norm = layer.mlpOutputNorm { second = Self.norm(second, norm, epsilon) }
    return zip(a, second).map(+)
  }

  /// One position's heads over the keys it sees; keys and values are [cell][keyValueHeads · headSize].
  func attention(_ q: [Double], keys: [[Double]], values: [[Double]]) -> [Double] {
    let c = model.configuration
    let size = c.headSize
    var result: [Double] = []
    for head in 0..<c.heads {
      let shared = head / (c.heads / c.keyValueHeads) * size
      let query = Array(q[head * size..<(head + 1) * size])
      let scores = keys.map { Self.dot(query, Array($0[shared..<shared + size])) / Double(size).squareRoot() }
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
  func rotate(_ x: [Double], position: Int) -> [Double] {
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

  static func norm(_ x: [Double], _ weight: [Float], _ epsilon: Float) -> [Double] {
    let scale = 1 / (dot(x, x) / Double(x.count) + Double(epsilon)).squareRoot()
    return zip(x, weight).map { $0 * scale * Double($1) }
  }

  static func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }

  static func product(_ rows: [[Double]], _ x: [Double]) -> [Double] { rows.map { dot($0, x) } }

  static func rows(of matrix: WeightMatrix) -> [[Double]] {
    var values = [Float](repeating: 0, count: matrix.columns)
    return (0..<matrix.rows).map { row in
      values.withUnsafeMutableBufferPointer { matrix.dequantize(rows: row..<row + 1, into: $0.baseAddress!) }
      return values.map(Double.init)
    }
  }
}
