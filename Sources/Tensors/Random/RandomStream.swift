import Foundation

/// Seeded random numbers whose whole state is four words: Philox 4×32, 10 rounds.
///
/// A counter is encrypted with the key; the seed and the stream's number are the key, so that streams of one seed
/// (data, initialisation, evaluation) never meet, and a position can be saved and returned to.
/// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
public struct RandomStream: RandomNumberGenerator, Equatable, Sendable {
  /// What a checkpoint holds.
  public struct State: Equatable, Sendable {
    public var key: UInt64
    /// Blocks of 128 bits used so far.
    public var counter: UInt64
    /// 64-bit words of the last block that are still unused: 0 or 1.
    public var left: UInt64

    public init(key: UInt64, counter: UInt64, left: UInt64) {
      self.key = key
      self.counter = counter
      self.left = left
    }
  }

  public private(set) var state: State
  private var spare: UInt64

  /// - Parameters:
  ///   - seed: the same seed gives the same numbers, on every machine.
  ///   - stream: streams of one seed are independent.
  public init(seed: UInt64, stream: UInt32 = 0) {
    // SplitMix64's mixing: neighbouring seeds and streams get unrelated keys, and no two pairs of one seed collide.
    var key = seed &+ 0x9E37_79B9_7F4A_7C15 &* (UInt64(stream) &+ 1)
    key = (key ^ (key >> 30)) &* 0xBF58_476D_1CE4_E5B9
    key = (key ^ (key >> 27)) &* 0x94D0_49BB_1331_11EB
    self.init(state: State(key: key ^ (key >> 31), counter: 0, left: 0))
  }

  /// Continues where a stream was when its state was read.
  public init(state: State) {
    self.state = state
    spare = 0
    if state.left > 0, state.counter > 0 {
      spare = Self.block(key: state.key, counter: state.counter - 1).1
      self.state.left = 1
    } else {
      self.state.left = 0
    }
  }

  /// The two words of one block.
  package static func block(key: UInt64, counter: UInt64) -> (UInt64, UInt64) {
    let words = philox(
      counter: (UInt32(truncatingIfNeeded: counter), UInt32(counter >> 32), 0, 0),
      key: (UInt32(truncatingIfNeeded: key), UInt32(key >> 32)))
    return (UInt64(words.0) | UInt64(words.1) << 32, UInt64(words.2) | UInt64(words.3) << 32)
  }

  package typealias Words = (UInt32, UInt32, UInt32, UInt32)

  package static func philox(counter: Words, key: (UInt32, UInt32)) -> Words {
    var (x, k) = (counter, key)
    for _ in 0..<10 {
      let first = UInt64(0xD251_1F53) * UInt64(x.0)
      let second = UInt64(0xCD9E_8D57) * UInt64(x.2)
      x = (
        UInt32(second >> 32) ^ x.1 ^ k.0, UInt32(truncatingIfNeeded: second), UInt32(first >> 32) ^ x.3 ^ k.1,
        UInt32(truncatingIfNeeded: first)
      )
      k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
    }
    return x
  }

  public mutating func next() -> UInt64 {
    if state.left == 1 {
      state.left = 0
      return spare
    }
    let words = Self.block(key: state.key, counter: state.counter)
    state.counter &+= 1
    state.left = 1
    spare = words.1
    return words.0
  }

  /// Uniform in [0, 1), with 24 bits.
  public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Two independent draws of N(0, 1), by the method of Box and Muller.
  public mutating func normals() -> (Float, Float) {
    let word = next()
    // In (0, 1], so that the logarithm is finite.
    let u = (Double(word >> 32) + 1) * 0x1p-32
    let angle = Double(word & 0xFFFF_FFFF) * (0x1p-32 * 2 * Double.pi)
    let radius = (-2 * log(u)).squareRoot()
    return (Float(radius * cos(angle)), Float(radius * sin(angle)))
  }

  /// One draw of N(0, 1).
  public mutating func normal() -> Float { normals().0 }

  /// Draws of N(mean, deviation²).
  public mutating func normal(_ shape: [Int], mean: Float = 0, deviation: Float = 1) -> Tensor {
    let result = Tensor(uninitialized: shape)
    fillNormal(result, mean: mean, deviation: deviation)
    return result
  }

  public mutating func fillNormal(_ tensor: Tensor, mean: Float = 0, deviation: Float = 1) {
    for i in stride(from: 0, to: tensor.count, by: 2) {
      let (a, b) = normals()
      tensor.pointer[i] = mean + deviation * a
      if i + 1 < tensor.count { tensor.pointer[i + 1] = mean + deviation * b }
    }
  }

  /// Uniform draws in [low, high).
  public mutating func uniform(_ shape: [Int], from low: Float, to high: Float) -> Tensor {
    let result = Tensor(uninitialized: shape)
    for i in 0..<result.count { result.pointer[i] = low + (high - low) * uniform() }
    return result
  }
}
