import Gradients
import Tensors

/// GPT-2's MLP: width to 4 · width, GELU (tanh form), and back.
public struct MLP: Module {
  public let expand: Linear
  public let contract: Linear

  public init(
    width: Int, hidden: Int? = nil, deviation: Float = 0.02, outputDeviation: Float,
    random: inout RandomStream
  ) {
    let hidden = hidden ?? 4 * width
    expand = Linear(inputs: width, outputs: hidden, deviation: deviation, random: &random)
    contract = Linear(inputs: hidden, outputs: width, deviation: outputDeviation, random: &random)
  }

  /// residual + MLP(x).
  public func callAsFunction(_ x: Variable, addingTo residual: Variable) -> Variable {
    contract(linearGELU(x, expand.weight, expand.bias!), addingTo: residual)
  }
}

/// Llama's MLP: silu(gate) · up, and back; without biases.
public struct SwiGLUMLP: Module {
  /// [2 · hidden, width]: the rows of the gate, then those of up.
  public let gateUp: Linear
  public let down: Linear

  public init(
    width: Int, hidden: Int, deviation: Float = 0.02, outputDeviation: Float, random: inout RandomStream
  ) {
    gateUp = Linear(inputs: width, outputs: 2 * hidden, bias: false, deviation: deviation, random: &random)
    down = Linear(inputs: hidden, outputs: width, bias: false, deviation: outputDeviation, random: &random)
  }

  /// residual + MLP(x).
  public func callAsFunction(_ x: Variable, addingTo residual: Variable) -> Variable {
    down(swiglu(gateUp(x)), addingTo: residual)
  }
}
