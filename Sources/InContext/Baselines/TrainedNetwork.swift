import Tensors

/// A two-layer ReLU network of 100 hidden units, trained from scratch by Adam on the context, anew for every prompt
/// and position: rate 0.005, batches of ten. Source: Garg et al., arXiv 2208.01066, appendix A.3.
public struct TrainedNetwork: Baseline {
  public let steps: Int
  public init(steps: Int) { self.steps = steps }
  public var name: String { "network trained \(steps) steps" }
  public var promptLimit: Int { 64 }
  static let hidden = 100

  public func predictions(_ prompt: RegressionPrompt) -> [Double] {
    let (d, n) = (prompt.dimension, prompt.points)
    let (x, y, questions) = (prompt.inputs, prompt.answers, prompt.questions)
    return (0..<n).map { i in
      if i == 0 { return 0 }
      guard i % 5 == 0 || i == n - 1 else { return .nan }
      var network = Network(dimension: d, hidden: Self.hidden, seed: UInt64(i))
      network.train(x: x, y: y, points: i, steps: steps)
      return network(questions[i * d..<(i + 1) * d])
    }
  }

  /// y = v·relu(W x + b) + c, in f64, with PyTorch's initialisation.
  package struct Network {
    private let d: Int
    private let hidden: Int
    /// W row by row, then b, v, c.
    package private(set) var weights: [Double]
    private var random: RandomStream

    package init(dimension d: Int, hidden: Int, seed: UInt64) {
      self.d = d
      self.hidden = hidden
      random = RandomStream(seed: seed)
      let bounds = (1 / Double(d).squareRoot(), 1 / Double(hidden).squareRoot())
      weights = []
      for place in 0..<hidden * (d + 2) + 1 {
        let bound = place < hidden * (d + 1) ? bounds.0 : bounds.1
        weights.append(bound * (2 * Double(random.uniform()) - 1))
      }
    }

    package func callAsFunction(_ x: ArraySlice<Double>) -> Double {
      let (b, v) = (hidden * d, hidden * (d + 1))
      return (0..<hidden).reduce(weights[hidden * (d + 2)]) { sum, unit in
        sum + weights[v + unit] * max(0, product(weights[unit * d..<(unit + 1) * d], x) + weights[b + unit])
      }
    }

    /// Adds the gradient of (f(x) - y)² · share to `gradient`.
    package func addGradient(_ x: ArraySlice<Double>, _ y: Double, share: Double, to gradient: inout [Double])
    {
      let (b, v, c) = (hidden * d, hidden * (d + 1), hidden * (d + 2))
      let slope = 2 * share * (self(x) - y)
      gradient[c] += slope
      for unit in 0..<hidden {
        let before = product(weights[unit * d..<(unit + 1) * d], x) + weights[b + unit]
        guard before > 0 else { continue }
        gradient[v + unit] += slope * before
        let back = slope * weights[v + unit]
        gradient[b + unit] += back
        for (k, value) in x.enumerated() { gradient[unit * d + k] += back * value }
      }
    }

    /// A small step down a gradient: what tests compare the gradient with.
    package func moved(against gradient: [Double], by step: Double) -> Network {
      var copy = self
      for i in weights.indices { copy.weights[i] -= step * gradient[i] }
      return copy
    }

    package mutating func train(x: [Double], y: [Double], points: Int, steps: Int) {
      var first = [Double](repeating: 0, count: weights.count)
      var (second, decay1, decay2) = (first, 1.0, 1.0)
      for _ in 0..<steps {
        var gradient = [Double](repeating: 0, count: weights.count)
        let batch = min(10, points)
        for k in 0..<batch {
          let i = points <= 10 ? k : Int(random.next() % UInt64(points))
          addGradient(x[i * d..<(i + 1) * d], y[i], share: 1 / Double(batch), to: &gradient)
        }
        decay1 *= 0.9
        decay2 *= 0.999
        for i in weights.indices {
          first[i] = 0.9 * first[i] + 0.1 * gradient[i]
          second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i]
          weights[i] -= 0.005 * first[i] / (1 - decay1) / ((second[i] / (1 - decay2)).squareRoot() + 1e-8)
        }
      }
    }
  }
}
