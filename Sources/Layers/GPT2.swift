import Gradients
import Tensors

/// One pre-norm layer of GPT-2: h ← h + attention(norm h); h ← h + MLP(norm h). 12 D² + 13 D parameters.
public struct GPT2Block: Module {
  public let attentionNorm: LayerNorm
  public let attention: CausalSelfAttention
  public let mlpNorm: LayerNorm
  public let mlp: MLP

  /// - Parameter depth: the number of layers of the stack: the two projections back to the residual stream start at
  ///   N(0, 0.02² / (2 · depth)), so that the stream's variance does not grow with depth.
  public init(width: Int, heads: Int, depth: Int, random: inout RandomStream) {
    let outputDeviation = 0.02 / Float(2 * depth).squareRoot()
    attentionNorm = LayerNorm(width: width)
    attention = CausalSelfAttention(
      width: width, heads: heads, outputDeviation: outputDeviation, random: &random)
    mlpNorm = LayerNorm(width: width)
    mlp = MLP(width: width, outputDeviation: outputDeviation, random: &random)
  }

  public func callAsFunction(_ x: Variable) -> Variable {
    let h = attention(attentionNorm(x), addingTo: x)
    return mlp(mlpNorm(h), addingTo: h)
  }
}

/// GPT-2 between embedding and read-out: learned positions, blocks, a final norm.
///
/// A looped model applies the whole of it in every loop, positions and final norm too.
/// Source: Garg et al., arXiv 2208.01066; Yang et al., arXiv 2311.12424 (looped).
public struct GPT2Backbone: Module {
  public let positions: Embedding
  public let blocks: [GPT2Block]
  public let norm: LayerNorm

  /// - Parameter tokens: the longest sequence.
  public init(tokens: Int, width: Int, heads: Int, depth: Int, random: inout RandomStream) {
    positions = Embedding(entries: tokens, width: width, random: &random)
    var blocks: [GPT2Block] = []
    for _ in 0..<depth { blocks.append(GPT2Block(width: width, heads: heads, depth: depth, random: &random)) }
    self.blocks = blocks
    norm = LayerNorm(width: width)
  }

  /// [batch, tokens, width] to the same.
  public func callAsFunction(_ embeddings: Variable) -> Variable {
    var h = positions.addingPositions(to: embeddings)
    for block in blocks { h = block(h) }
    return norm(h)
  }

  /// The parameters of the blocks and the final norm: what the papers print as a model's size.
  public var printedParameterCount: Int {
    blocks.reduce(norm.parameterCount) { $0 + $1.parameterCount }
  }
}
