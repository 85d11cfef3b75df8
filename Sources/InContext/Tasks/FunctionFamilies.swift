import Foundation
import Tensors

/// y = w·x with w ~ N(0, I).
public struct LinearFunctions: FunctionFamily {
  public init() {}
  public func normaliser(dimension: Int) -> Double { Double(dimension) }

  public func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    let weights = normals(dimension, &random)
    return { x in dot(weights[...], x) }
  }
}

/// y = w·x with `support` coordinates of w ~ N(0, 1), the others zero.
///
/// The support is drawn among the active coordinates, as Garg et al. do, so that no function is zero early in a
/// curriculum; Yang et al. draw among all.
public struct SparseLinearFunctions: FunctionFamily {
  public let support: Int
  public init(support: Int) { self.support = support }
  public func normaliser(dimension: Int) -> Double { Double(min(support, dimension)) }

  public func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    var weights = [Float](repeating: 0, count: dimension)
    for place in Array(0..<active).shuffled(using: &random).prefix(support) {
      weights[place] = random.normal()
    }
    return { [weights] x in dot(weights[...], x) }
  }
}

/// A full binary tree: every inner node goes right if one coordinate, drawn uniformly, is positive; leaves ~ N(0, 1).
///
/// Node i has the children 2i + 1 and 2i + 2.
public struct DecisionTreeFunctions: FunctionFamily {
  public let depth: Int
  /// - Precondition: 1 ≤ depth ≤ 16.
  public init(depth: Int) {
    precondition((1...16).contains(depth), "a tree of depth \(depth)")
    self.depth = depth
  }
  public func normaliser(dimension: Int) -> Double { 1 }

  public func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    let inner = 1 << depth - 1
    let coordinates = (0..<inner).map { _ in Int(random.next() % UInt64(active)) }
    let leaves = normals(1 << depth, &random)
    return { x in
      var node = 0
      while node < inner { node = 2 * node + (x[x.startIndex + coordinates[node]] > 0 ? 2 : 1) }
      return leaves[node - inner]
    }
  }
}

/// y = √(2/h) · v·relu(W x), all weights ~ N(0, 1): two layers, E[y²] = d.
public struct ReLUNetworkFunctions: FunctionFamily {
  public let hidden: Int
  public init(hidden: Int) { self.hidden = hidden }
  public func normaliser(dimension: Int) -> Double { Double(dimension) }

  public func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    let first = normals(hidden * dimension, &random)
    let second = normals(hidden, &random)
    let scale = (2 / Float(hidden)).squareRoot()
    return { [hidden] x in
      var sum: Float = 0
      for unit in 0..<hidden {
        sum += second[unit] * max(0, dot(first[unit * dimension..<(unit + 1) * dimension], x))
      }
      return scale * sum
    }
  }
}

/// y = a·Φ(x) with a ~ N(0, I) per prompt and Φ, a leaky-ReLU network, the same for every prompt.
///
/// Source: Guo et al., arXiv 2310.10616; Gao et al., arXiv 2402.13572.
public struct RepresentationFunctions: FunctionFamily {
  public let representation: Representation
  public init(_ representation: Representation) { self.representation = representation }
  public func normaliser(dimension: Int) -> Double { Double(representation.outputs) }

  public func draw(dimension: Int, active: Int, random: inout RandomStream) -> (ArraySlice<Float>) -> Float {
    let weights = normals(representation.outputs, &random)
    return { [representation] x in dot(weights[...], representation(x)[...]) }
  }
}

/// A fixed network of L leaky-ReLU layers, scaled so that E|Φ(x)|² is its number of outputs for x ~ N(0, I).
///
/// Weights are N(0, 2 / (fan-in · (1 + slope²))): E[relu²] of a centred normal is half its variance, that of leaky
/// ReLU (1 + slope²)/2 of it, so each layer keeps the mean square. For the drawn weights this holds on average over
/// wide layers only; the last scale is measured on 4096 points, so that the normaliser is right for narrow ones too.
public struct Representation: Sendable {
  public let inputs: Int
  public let outputs: Int
  private let layers: [[Float]]
  private let slope: Float
  private var scale: Float = 1

  public init(inputs: Int, outputs: Int, layers count: Int, slope: Float = 0.01, random: inout RandomStream) {
    self.inputs = inputs
    self.outputs = outputs
    self.slope = slope
    var (layers, fanIn) = ([[Float]](), inputs)
    for _ in 0..<count {
      let deviation = (2 / (Float(fanIn) * (1 + slope * slope))).squareRoot()
      layers.append(normals(outputs * fanIn, &random).map { $0 * deviation })
      fanIn = outputs
    }
    self.layers = layers
    let points = 4096
    let sum = (0..<points).reduce(0.0) { sum, _ in
      let value = self(normals(inputs, &random)[...])
      return sum + value.reduce(0) { $0 + Double($1) * Double($1) }
    }
    scale = Float((Double(outputs) * Double(points) / max(sum, 1e-30)).squareRoot())
  }

  public func callAsFunction(_ x: ArraySlice<Float>) -> [Float] {
    var value = Array(x)
    for layer in layers {
      let width = value.count
      value = (0..<outputs).map { row in
        let sum = dot(layer[row * width..<(row + 1) * width], value[...])
        return sum > 0 ? sum : slope * sum
      }
    }
    return value.map { scale * $0 }
  }
}

package func normals(_ count: Int, _ random: inout RandomStream) -> [Float] {
  (0..<count).map { _ in random.normal() }
}

package func dot(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float {
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      var sum: Float = 0
      for i in 0..<min(a.count, b.count) { sum += a[i] * b[i] }
      return sum
    }
  }
}
