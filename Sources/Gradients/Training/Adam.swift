import CKernels
import Foundation
import Tensors

/// Adam, and AdamW where `decay` is not 0.
///
/// Sources: Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101. One pass over each parameter.
public final class Adam {
  public struct Settings: Equatable, Sendable {
    public var beta1: Float = 0.9
    public var beta2: Float = 0.999
    public var epsilon: Float = 1e-8
    /// AdamW's weight decay, per unit of learning rate, of the parameters that decay.
    public var decay: Float = 0
    /// Adam's penalty: l2 · value is added to the gradient.
    public var l2: Float = 0

    public init() {}
  }

  public let parameters: [Parameter]
  public var settings: Settings
  /// Steps done: the t of the bias corrections.
  public internal(set) var steps = 0
  /// Running means of the gradient and of its square, one pair per parameter.
  package let moments: [(first: Tensor, second: Tensor)]

  public init(_ parameters: [Parameter], settings: Settings = Settings()) {
    self.parameters = parameters
    self.settings = settings
    moments = parameters.map { (Tensor(zeros: $0.shape), Tensor(zeros: $0.shape)) }
  }

  /// One step with the gradients gathered; a parameter without a gradient stays as it is.
  ///
  /// - Parameter gradientScale: multiplies every gradient first, as clipping does.
  public func step(rate: Float, gradientScale: Float = 1) {
    steps += 1
    var kernel = ck_adam_settings(
      rate: rate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon, decay: 0,
      l2: settings.l2, correction1: Float(1 - pow(Double(settings.beta1), Double(steps))),
      correction2: Float(1 - pow(Double(settings.beta2), Double(steps))), gradient_scale: gradientScale)
    for (parameter, moment) in zip(parameters, moments) {
      guard let gradient = parameter.gradient else { continue }
      kernel.decay = parameter.decays ? settings.decay : 0
      let settings = kernel
      let (value, slope) = (parameter.value.pointer, gradient.pointer)
      let (first, second) = (moment.first.pointer, moment.second.pointer)
      WorkerPool.shared.run(parameter.value.count, grain: Elementwise.grain) { range, _ in
        let i = range.lowerBound
        ck_adam(value + i, slope + i, first + i, second + i, range.count, settings)
      }
    }
  }

  /// The Euclidean length of all gradients together, in f64.
  public func gradientNorm() -> Double {
    parameters.reduce(0) { sum, parameter in
      guard let gradient = parameter.gradient else { return sum }
      return sum + ck_sum_of_squares(gradient.pointer, gradient.count)
    }.squareRoot()
  }

  public func clearGradients() { for parameter in parameters { parameter.clearGradient() } }
}
