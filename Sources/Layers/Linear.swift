import Gradients
import Tensors

/// y = x Wᵀ + b. Weights are [outputs, inputs], as in PyTorch.
public struct Linear: Module {
  public let weight: Parameter
  public let bias: Parameter?

  public init(weight: Tensor, bias: Tensor?) {
    self.weight = Parameter(weight)
    self.bias = bias.map { Parameter($0) }
  }

  /// PyTorch's own initialisation: weights and biases uniform within ±1/√inputs.
  public init(inputs: Int, outputs: Int, bias: Bool = true, random: inout RandomStream) {
    let bound = 1 / Float(inputs).squareRoot()
    self.init(
      weight: random.uniform([outputs, inputs], from: -bound, to: bound),
      bias: bias ? random.uniform([outputs], from: -bound, to: bound) : nil)
  }

  /// GPT-2's initialisation: weights N(0, deviation²), biases 0.
  public init(inputs: Int, outputs: Int, bias: Bool = true, deviation: Float, random: inout RandomStream) {
    self.init(
      weight: random.normal([outputs, inputs], deviation: deviation),
      bias: bias ? Tensor(zeros: [outputs]) : nil)
  }

  /// [..., inputs] to [..., outputs].
  public func callAsFunction(_ x: Variable) -> Variable { linear(x, weight, bias) }

  /// The layer's output added to `residual`, in one pass.
  public func callAsFunction(_ x: Variable, addingTo residual: Variable) -> Variable {
    linear(x, weight, bias, addingTo: residual)
  }
}

/// Rows of a table by their numbers: token or position embedding.
public struct Embedding: Module {
  /// [entries, width].
  public let weight: Parameter

  public init(weight: Tensor) { self.weight = Parameter(weight) }

  /// GPT-2's initialisation: N(0, deviation²).
  public init(entries: Int, width: Int, deviation: Float = 0.02, random: inout RandomStream) {
    self.init(weight: random.normal([entries, width], deviation: deviation))
  }

  /// Indices of shape `shape` to [shape..., width].
  public func callAsFunction(_ indices: [Int32], shape: [Int]) -> Variable {
    embedding(weight, indices, shape: shape)
  }

  /// Adds row t of the table to token t: [batch, tokens, width] to the same.
  public func addingPositions(to x: Variable) -> Variable { Gradients.addingPositions(x, weight) }
}
