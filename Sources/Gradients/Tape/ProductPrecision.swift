/// In what the products of linear layers and of readouts are made. Everything else is f32 in any case: weights, gradients,
/// Adam's moments, norms, softmax, attention, and the sums of the products themselves.
///
/// ```swift
/// let report = try trainer.train { _ in
///   ProductPrecision.bfloat16.forProducts { model.loss(prompts, targets: targets, window: window) }
/// }
/// ```
public enum ProductPrecision: String, CaseIterable, Sendable {
  case float32 = "f32"
  /// All factors are rounded to bf16, forward and backward: activations, weights and gradients. What a linear layer keeps
  /// for its backward pass is kept rounded. Means the same on every processor; twice as fast where it multiplies pairs of
  /// bf16. Unlike `torch.autocast`, results are not rounded.
  case bfloat16 = "bf16"

  /// That of the operations that are recorded here. A backward pass follows the operation, wherever it runs.
  @TaskLocal static var current = ProductPrecision.float32

  /// Runs `body`, whose operations make their products so.
  public func forProducts<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$current.withValue(self) { try body() }
  }
}
