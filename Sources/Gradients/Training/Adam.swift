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
  /// Running means of the gradient and of its square, one pair per parameter; none where ranks share them.
  package let moments: [(first: Tensor, second: Tensor)]

  public convenience init(_ parameters: [Parameter], settings: Settings = Settings()) {
    self.init(parameters, settings: settings, hasMoments: true)
  }

  init(_ parameters: [Parameter], settings: Settings, hasMoments: Bool) {
    self.parameters = parameters
    self.settings = settings
    moments = hasMoments ? parameters.map { (Tensor(zeros: $0.shape), Tensor(zeros: $0.shape)) } : []
  }

  /// One step with the gradients gathered; a parameter without a gradient stays as it is.
  ///
  /// - Parameter gradientScale: multiplies every gradient first, as clipping does.
  public func step(rate: Float, gradientScale: Float = 1) {
    steps += 1
    for (parameter, moment) in zip(parameters, moments) {
      guard let gradient = parameter.gradient else { continue }
      update(
        parameter, 0..<parameter.value.count, gradient: gradient.pointer, first: moment.first.pointer,
        second: moment.second.pointer, kernel(rate: rate, gradientScale: gradientScale))
    }
  }

  /// The numbers of the step that is made now.
  func kernel(rate: Float, gradientScale: Float) -> ck_adam_settings {
    ck_adam_settings(
      rate: rate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon, decay: 0,
      l2: settings.l2, correction1: Float(1 - pow(Double(settings.beta1), Double(steps))),
      correction2: Float(1 - pow(Double(settings.beta2), Double(steps))), gradient_scale: gradientScale)
  }

  /// A step of some numbers of a parameter, whose gradient and moments begin at the pointers.
  func update(
    _ parameter: Parameter, _ part: Range<Int>, gradient: UnsafeMutablePointer<Float>,
    first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, _ kernel: ck_adam_settings
  ) {
    var settings = kernel
    settings.decay = parameter.decays ? self.settings.decay : 0
    let (value, final) = (parameter.value.pointer + part.lowerBound, settings)
    WorkerPool.shared.run(part.count, grain: Elementwise.grain) { range, _ in
      let i = range.lowerBound
      ck_adam(value + i, gradient + i, first + i, second + i, range.count, final)
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
