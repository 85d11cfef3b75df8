import Tensors

/// A series xₜ₊₁ = A Φ(xₜ₋q₊₁ … xₜ) + N(0, noise²), A fresh per prompt, Φ the same for every prompt. The tokens are
/// the xₜ alone; at every token the next is predicted.
///
/// Here Φ is a leaky-ReLU network whose output is scaled to the length √outputs. Without that scale the recurrence is
/// homogeneous, and for some A grows without bound, whatever the average over A. With it and A's entries
/// N(0, 1 / outputs), every point has E|x|² = dimension · (1 + noise²), at every time. Source: Gao et al.,
/// arXiv 2402.13572; the scale and the sizes are choices of this project.
public struct AutoregressionTask: PromptTask {
  public let dimension: Int
  public let order: Int
  public let noise: Float
  public let representation: Representation

  /// - Precondition: the representation reads order · dimension numbers.
  public init(dimension: Int, order: Int, noise: Float, representation: Representation) {
    precondition(representation.inputs == order * dimension)
    self.dimension = dimension
    self.order = order
    self.noise = noise
    self.representation = representation
  }

  public var inputs: Int { dimension }
  public var outputs: [Int] { [dimension] }
  public var normaliser: Double { Double(dimension) * (1 + Double(noise * noise)) }
  public func tokens(points: Int) -> Int { points }

  public func batch(size: Int, points: Int, active: Int?, random: inout RandomStream) -> PromptBatch {
    let tokens = Tensor(zeros: [size, points, dimension])
    let targets = Tensor(zeros: [size, points, dimension])
    for b in 0..<size {
      let values = series(length: points + 1, random: &random)
      for i in 0..<points * dimension {
        tokens.pointer[b * points * dimension + i] = values[i]
        targets.pointer[b * points * dimension + i] = values[i + dimension]
      }
    }
    return PromptBatch(tokens: tokens, readings: [.init(step: 1, targets: targets)])
  }

  /// Φ, of length √outputs.
  package func features(_ window: ArraySlice<Float>) -> [Float] {
    let value = representation(window)
    let length = max(dot(value[...], value[...]).squareRoot(), 1e-20)
    return value.map { $0 * Float(value.count).squareRoot() / length }
  }

  /// length · dimension numbers; the first `order` points are N(0, I).
  public func series(length: Int, random: inout RandomStream) -> [Float] {
    let width = representation.outputs
    let matrix = normals(dimension * width, &random).map { $0 / Float(width).squareRoot() }
    var values = normals(min(order, length) * dimension, &random)
    while values.count < length * dimension {
      let features = features(values.suffix(order * dimension))
      for row in 0..<dimension {
        let value = dot(matrix[row * width..<(row + 1) * width], features[...])
        values.append(noise == 0 ? value : value + noise * random.normal())
      }
    }
    return values
  }
}
