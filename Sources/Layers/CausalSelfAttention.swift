import Gradients
import Tensors

/// Multi-head causal self-attention with one layer for queries, keys and values, as in GPT-2; with a rotary table, as
/// in Llama.
public struct CausalSelfAttention: Module {
  /// [3 · width, width]: the rows of the queries, then the keys', then the values'.
  public let qkv: Linear
  public let output: Linear
  public let heads: Int
  public let rotaryTable: RotaryTable?

  /// - Parameter outputDeviation: of the projection back to the residual stream.
  public init(
    width: Int, heads: Int, bias: Bool = true, deviation: Float = 0.02, outputDeviation: Float,
    rotaryTable: RotaryTable? = nil, random: inout RandomStream
  ) {
    precondition(width % heads == 0, "\(heads) heads do not divide a width of \(width)")
    qkv = Linear(inputs: width, outputs: 3 * width, bias: bias, deviation: deviation, random: &random)
    output = Linear(inputs: width, outputs: width, bias: bias, deviation: outputDeviation, random: &random)
    self.heads = heads
    self.rotaryTable = rotaryTable
  }

  /// residual + attention(x); both [batch, tokens, width].
  ///
  /// - Parameter step: every how many tokens the result is wanted at; the others are read as keys and values alone.
  public func callAsFunction(_ x: Variable, addingTo residual: Variable, every step: Int = 1) -> Variable {
    var mixed = qkv(x)
    if let rotaryTable { mixed = rotary(mixed, table: rotaryTable, heads: heads) }
    let attended = causalAttention(mixed, heads: heads)
    guard step > 1 else { return output(attended, addingTo: residual) }
    return output(takingTokens(attended, by: step), addingTo: takingTokens(residual, by: step))
  }
}
