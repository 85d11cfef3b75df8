import Tensors

/// A random multilayer perceptron per prompt, whose hidden activations stand in the prompt between x and y:
/// xᵢ, sᵢ¹, …, sᵢᴸ, yᵢ; at xᵢ the network predicts sᵢ¹, at sᵢ¹ the next, at the last step yᵢ.
///
///     s¹ = relu(x W₀) √(2/h),  sˡ⁺¹ = relu(sˡ Wₗ) √(2/h),  y = sᴸ·v,  all weights N(0, 1)
///
/// A token has d + h + 1 coordinates, of which x, s and y each use their own: one read-in layer so is three, with a
/// common bias. Read-outs: y, and s (shared by the steps). Source: Li et al., arXiv 2305.18869 and their code.
public struct ChainOfThoughtTask: PromptTask {
  public let dimension: Int
  public let hidden: Int
  /// L, the number of steps between x and y.
  public let steps: Int
  /// Whether the steps are predicted too (CoT-I/O), or only given (CoT-I).
  public let predictsSteps: Bool

  public init(dimension: Int, hidden: Int, steps: Int, predictsSteps: Bool = true) {
    precondition(steps > 0, "a chain of \(steps) steps")
    self.dimension = dimension
    self.hidden = hidden
    self.steps = steps
    self.predictsSteps = predictsSteps
  }

  public var inputs: Int { dimension + hidden + 1 }
  public var outputs: [Int] { predictsSteps ? [1, hidden] : [1] }
  public func tokens(points: Int) -> Int { points * (steps + 2) }

  /// E[y²]: for given s, y ~ N(0, |s|²). E|s¹|² = h · ½ · d · 2/h = d, and each further step keeps the mean square,
  /// h · ½ · |s|² · 2/h.
  public var normaliser: Double { Double(dimension) }

  public func batch(size: Int, points: Int, active: Int?, random: inout RandomStream) -> PromptBatch {
    let (length, width, group) = (tokens(points: points), inputs, steps + 2)
    let tokens = Tensor(zeros: [size, length, width])
    let answers = Tensor(zeros: [size, points, 1])
    let thoughts = (0..<steps).map { _ in Tensor(zeros: [size, points, hidden]) }
    for b in 0..<size {
      let function = chain(random: &random)
      for i in 0..<points {
        var x = [Float](repeating: 0, count: dimension)
        for c in 0..<min(active ?? dimension, dimension) { x[c] = random.normal() }
        let (states, y) = function(x)
        let row = tokens.pointer + (b * length + i * group) * width
        for c in 0..<dimension { row[c] = x[c] }
        for (step, state) in states.enumerated() {
          for c in 0..<hidden {
            row[(step + 1) * width + dimension + c] = state[c]
            thoughts[step][b, i, c] = state[c]
          }
        }
        row[(steps + 1) * width + dimension + hidden] = y
        answers[b, i, 0] = y
      }
    }
    var readings = [PromptBatch.Reading(first: steps, step: group, targets: answers)]
    if predictsSteps {
      // The loss of a step is a sum over its coordinates.
      readings += thoughts.enumerated().map { step, targets in
        .init(head: 1, first: step, step: group, targets: targets, weight: Float(hidden))
      }
    }
    return PromptBatch(tokens: tokens, readings: readings)
  }

  /// One random network: its steps and its answer.
  package func chain(random: inout RandomStream) -> ([Float]) -> (steps: [[Float]], y: Float) {
    let hidden = self.hidden
    let scale = (2 / Float(hidden)).squareRoot()
    let first = normals(hidden * dimension, &random)
    let middle = (1..<steps).map { _ in normals(hidden * hidden, &random) }
    let last = normals(hidden, &random)
    return { x in
      var (states, value) = ([[Float]](), x)
      for weights in [first] + middle {
        let width = value.count
        value = (0..<hidden).map { unit in
          scale * max(0, dot(weights[unit * width..<(unit + 1) * width], value[...]))
        }
        states.append(value)
      }
      return (states, dot(last[...], value[...]))
    }
  }
}
