import Tensors

/// A distribution over functions of a vector.
public protocol FunctionFamily: Sendable {
  /// E[y²] for x ~ N(0, I): the squared error of predicting zero.
  func normaliser(dimension: Int) -> Double

  /// One function, as a closure over its own weights.
  ///
  /// - Parameter active: coordinates of x that are not zero.
  func draw(dimension: Int, active: Int, random: inout RandomStream) -> (_ x: ArraySlice<Float>) -> Float
}

/// Prompts x₁ y₁ … xₙ yₙ with x ~ N(0, I) and y = f(x) + N(0, noise²), a fresh f per prompt.
///
/// The network reads ŷᵢ at token xᵢ, which by causality sees x₁ y₁ … yᵢ₋₁ xᵢ alone.
/// Source: Garg et al., arXiv 2208.01066, section 2.
public struct FunctionTask: PromptTask {
  public let family: any FunctionFamily
  public let dimension: Int
  public let noise: Float
  /// The number of distinct training prompts, or `nil` for fresh ones always: sample complexity.
  public let pool: Int?
  /// The pool's own seed.
  public let poolSeed: UInt64

  public init(
    _ family: any FunctionFamily, dimension: Int, noise: Float = 0, pool: Int? = nil, poolSeed: UInt64 = 0
  ) {
    self.family = family
    self.dimension = dimension
    self.noise = noise
    self.pool = pool
    self.poolSeed = poolSeed
  }

  public var inputs: Int { dimension }
  public var outputs: [Int] { [1] }
  public var normaliser: Double { family.normaliser(dimension: dimension) }
  public func tokens(points: Int) -> Int { 2 * points }

  public func batch(size: Int, points: Int, active: Int?, random: inout RandomStream) -> PromptBatch {
    let prompts = (0..<size).map { _ in trainingPrompt(points: points, active: active, random: &random) }
    return RegressionPrompt.batch(prompts[...])
  }

  public func heldOutBatch(size: Int, points: Int, random: inout RandomStream) -> PromptBatch {
    let prompts = (0..<size).map { _ in prompt(points: points, random: &random) }
    return RegressionPrompt.batch(prompts[...])
  }

  /// A fresh prompt, or one of the pool.
  package func trainingPrompt(points: Int, active: Int?, random: inout RandomStream) -> RegressionPrompt {
    guard let pool else { return prompt(points: points, active: active, random: &random) }
    var own = RandomStream(seed: poolSeed, stream: UInt32(truncatingIfNeeded: random.next() % UInt64(pool)))
    return prompt(points: points, active: active, random: &own)
  }

  public func prompt(points: Int, active: Int? = nil, random: inout RandomStream) -> RegressionPrompt {
    let active = min(active ?? dimension, dimension)
    let function = family.draw(dimension: dimension, active: active, random: &random)
    var x = [Float](repeating: 0, count: points * dimension)
    for i in 0..<points {
      for c in 0..<active { x[i * dimension + c] = random.normal() }
    }
    let y = answers(function, x, random: &random)
    return RegressionPrompt(dimension: dimension, x: x, y: y)
  }

  /// f at every point, with noise.
  func answers(_ function: (ArraySlice<Float>) -> Float, _ x: [Float], random: inout RandomStream) -> [Float]
  {
    stride(from: 0, to: x.count, by: dimension).map { start in
      let value = function(x[start..<start + dimension])
      return noise == 0 ? value : value + noise * random.normal()
    }
  }
}
