import Gradients
import Layers
import Tensors

/// Probes of one depth, one per target and prefix, side by side: learned weights over the tokens pool the hidden state
/// into one vector, and a small network makes the target of it.
///
///     pooled = Σₜ softmax(s)ₜ state[t];  prediction = V relu(W pooled + b) + c
///
/// No probe shares a parameter with another, and Adam treats every number by itself, so training them together is
/// training each alone. Source: Yang et al., arXiv 2311.12424, section 5.3 and their code: s ~ N(0, 1) at first, 64 units.
struct Probes: Module {
  static let hidden = 64
  /// [probes, tokens].
  let scores: Parameter
  /// [probes, 64, width] and [probes, 64].
  let first: Parameter
  let firstBias: Parameter
  /// [probes, outputs, 64] and [probes, outputs].
  let second: Parameter
  let secondBias: Parameter

  init(probes: Int, tokens: Int, width: Int, outputs: Int, random: inout RandomStream) {
    let hidden = Self.hidden
    let (in1, in2) = (1 / Float(width).squareRoot(), 1 / Float(hidden).squareRoot())
    scores = Parameter(random.normal([probes, tokens]))
    first = Parameter(random.uniform([probes, hidden, width], from: -in1, to: in1))
    firstBias = Parameter(random.uniform([probes, hidden], from: -in1, to: in1))
    second = Parameter(random.uniform([probes, outputs, hidden], from: -in2, to: in2))
    secondBias = Parameter(random.uniform([probes, outputs], from: -in2, to: in2))
  }

  /// - Parameter state: [prompts · width, tokens], see `byTokens`. - Returns: [probes, prompts, outputs].
  func callAsFunction(_ state: Tensor) -> Variable {
    let pooled = linear(softmax(scores), Variable(state))
    return batchedLinear(relu(batchedLinear(pooled, first, firstBias)), second, secondBias)
  }

  /// [prompts, tokens, width] to [prompts · width, tokens]: pooling is then one product for all probes.
  static func byTokens(_ state: Tensor) -> Tensor {
    let (prompts, tokens, width) = (state.shape[0], state.shape[1], state.shape[2])
    let result = Tensor(uninitialized: [prompts * width, tokens])
    WorkerPool.shared.run(prompts) { b, _ in
      let (source, target) = (state.pointer + b * tokens * width, result.pointer + b * width * tokens)
      for t in 0..<tokens {
        for c in 0..<width { target[c * tokens + t] = source[t * width + c] }
      }
    }
    return result
  }
}
