import Gradients
import LanguageModel
import Layers
import Tensors

/// One layer of the looped block: attention, then SwiGLU, each normalised on its way in and, in Ouro, on its way out.
///
///     a = h + norm₂(attention(norm₁ h))        out = a + norm₄(mlp(norm₃ a))
///
/// Llama's layer is the same without norm₂ and norm₄.
public struct DecoderLayer: Module {
  public let attentionNorm: RMSNorm
  public let attentionOutputNorm: RMSNorm?
  /// [(heads + 2 · keyValueHeads) · size, hidden]: the rows of the queries, the keys', the values'.
  public let qkv: Linear
  public let output: Linear
  public let mlpNorm: RMSNorm
  public let mlpOutputNorm: RMSNorm?
  public let mlp: SwiGLUMLP

  private let heads: Int
  private let keyValueHeads: Int

  /// Random weights: matrices N(0, 1 / inputs), so that no branch depends on the width; the norms on the way out start
  /// at 1 / √(2 · layers), so that a loop adds about as much to the stream as it is given.
  public init(_ configuration: ModelConfiguration, random: inout RandomStream) {
    let (width, size) = (configuration.hiddenSize, configuration.headSize)
    (heads, keyValueHeads) = (configuration.heads, configuration.keyValueHeads)
    func norm(_ gain: Float) -> RMSNorm {
      let norm = RMSNorm(width: width, epsilon: configuration.normEpsilon)
      norm.gain.value.fill(gain)
      return norm
    }
    func deviation(_ inputs: Int) -> Float { 1 / Float(inputs).squareRoot() }
    let small = 1 / Float(2 * configuration.layers).squareRoot()
    let sandwich = configuration.family == .ouro
    // Where no norm follows, the projections back to the stream start smaller instead.
    let damping = sandwich ? 1 : small
    attentionNorm = norm(1)
    attentionOutputNorm = sandwich ? norm(small) : nil
    qkv = Linear(
      inputs: width, outputs: (heads + 2 * keyValueHeads) * size, bias: false, deviation: deviation(width),
      random: &random)
    output = Linear(
      inputs: heads * size, outputs: width, bias: false, deviation: deviation(heads * size) * damping,
      random: &random)
    mlpNorm = norm(1)
    mlpOutputNorm = sandwich ? norm(small) : nil
    mlp = SwiGLUMLP(
      width: width, hidden: configuration.intermediateSize, deviation: deviation(width),
      outputDeviation: deviation(configuration.intermediateSize) * damping, random: &random)
  }

  /// [batch, tokens, hidden] to the same; documents are `segments` of the flattened rows.
  func callAsFunction(_ h: Variable, table: RotaryTable, segments: [Range<Int>]) -> Variable {
    guard let attentionOutputNorm, let mlpOutputNorm else {
      let a = output(mixed(h, table: table, segments: segments), addingTo: h)
      return mlp(mlpNorm(a), addingTo: a)
    }
    let a = h + attentionOutputNorm(attentionBranch(h, table: table, segments: segments))
    return a + mlpOutputNorm(mlpBranch(a))
  }

  /// What attention adds to the stream, before the norm on its way out.
  func attentionBranch(_ h: Variable, table: RotaryTable, segments: [Range<Int>]) -> Variable {
    output(mixed(h, table: table, segments: segments))
  }

  /// What the MLP adds to the stream, before the norm on its way out.
  func mlpBranch(_ a: Variable) -> Variable { mlp.down(swiglu(mlp.gateUp(mlpNorm(a)))) }

  private func mixed(_ h: Variable, table: RotaryTable, segments: [Range<Int>]) -> Variable {
    let turned = rotary(qkv(attentionNorm(h)), table: table, heads: heads, keyValueHeads: keyValueHeads)
    return packedAttention(turned, heads: heads, keyValueHeads: keyValueHeads, segments: segments)
  }
}
