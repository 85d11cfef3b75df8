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

  /// - Parameter step: every how many tokens the result is wanted at.
  public func callAsFunction(_ x: Variable, every step: Int = 1) -> Variable {
    let h = attention(attentionNorm(x), addingTo: x, every: step)
    return mlp(mlpNorm(h), addingTo: h)
  }
}

/// GPT-2 between embedding and read-out: learned positions, blocks, a final norm.
///
/// A looped model applies the whole of it in every loop, positions and final norm too.
/// Source: Garg et al., arXiv 2208.01066; Yang et al., arXiv 2311.12424 (looped).
public struct GPT2Backbone: Module {
  /// `nil` where whoever embeds the tokens has told them their places.
  public let positions: Embedding?
  public let blocks: [GPT2Block]
  /// `nil` for a stack whose residual stream goes on as it is.
  public let norm: LayerNorm?
  /// Whether every block reads the embedded input added to what the block before it made.
  public let injectsEveryBlock: Bool

  /// - Parameter tokens: the longest sequence.
  public init(
    tokens: Int, width: Int, heads: Int, depth: Int, hasPositions: Bool = true, hasNorm: Bool = true,
    injectsEveryBlock: Bool = false, random: inout RandomStream
  ) {
    positions = hasPositions ? Embedding(entries: tokens, width: width, random: &random) : nil
    var blocks: [GPT2Block] = []
    for _ in 0..<depth { blocks.append(GPT2Block(width: width, heads: heads, depth: depth, random: &random)) }
    self.blocks = blocks
    norm = hasNorm ? LayerNorm(width: width) : nil
    self.injectsEveryBlock = injectsEveryBlock
  }

  /// [batch, tokens, width] to the same.
  public func callAsFunction(_ embeddings: Variable) -> Variable { normed(hidden(embeddings)) }

  /// The same at every `step`-th token, from the first on: behind the attention of the last block, nothing is computed
  /// for the others.
  ///
  /// - Returns: [batch, tokens / step rounded up, width].
  public func callAsFunction(_ embeddings: Variable, every step: Int) -> Variable {
    guard let last = blocks.last else { return takingTokens(callAsFunction(embeddings), by: step) }
    let h = hidden(embeddings, through: blocks.count - 1)
    return normed(last(input(h, embeddings), every: step))
  }

  /// The residual stream behind the last block, before the final norm.
  ///
  /// - Parameter visit: is shown the embeddings with their positions, then the stream after every block.
  public func hidden(_ embeddings: Variable, visit: (Variable) -> Void = { _ in }) -> Variable {
    hidden(embeddings, through: blocks.count, visit: visit)
  }

  private func hidden(
    _ embeddings: Variable, through count: Int, visit: (Variable) -> Void = { _ in }
  ) -> Variable {
    var h = positions?.addingPositions(to: embeddings) ?? embeddings
    visit(h)
    for block in blocks[..<count] {
      h = block(input(h, embeddings))
      visit(h)
    }
    return h
  }

  private func input(_ h: Variable, _ embeddings: Variable) -> Variable {
    injectsEveryBlock ? h + embeddings : h
  }

  /// The final norm, if there is one.
  public func normed(_ hidden: Variable) -> Variable { norm?(hidden) ?? hidden }

  /// The parameters of the blocks and the final norm: what the papers print as a model's size.
  public var printedParameterCount: Int {
    blocks.reduce(norm?.parameterCount ?? 0) { $0 + $1.parameterCount }
  }
}
