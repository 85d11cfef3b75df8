import Gradients
import Tensors

/// Layer norm with gain and bias, 1 and 0 at first.
public struct LayerNorm: Module {
  public let gain: Parameter
  public let bias: Parameter
  public let epsilon: Float

  public init(width: Int, epsilon: Float = 1e-5) {
    gain = Parameter(Tensor(repeating: 1, [width]))
    bias = Parameter(Tensor(zeros: [width]))
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Variable) -> Variable {
    layerNorm(x, gain: gain, bias: bias, epsilon: epsilon)
  }
}

/// RMS norm with gain, 1 at first.
public struct RMSNorm: Module {
  public let gain: Parameter
  public let epsilon: Float

  public init(width: Int, epsilon: Float = 1e-6) {
    gain = Parameter(Tensor(repeating: 1, [width]))
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Variable) -> Variable { rmsNorm(x, gain: gain, epsilon: epsilon) }
}
