import Tensors

/// Records operations, and runs them backwards: reverse-mode differentiation.
///
/// ```swift
/// let tape = Tape()
/// let loss = tape.record { squaredError(model(batch.inputs), batch.targets) }
/// tape.backward(from: loss)            // parameter.gradient is there now
/// ```
///
/// The operations are coarse (a linear layer, a norm, the whole of attention), so that a step has some hundred
/// entries and the tape itself costs nothing. An entry keeps exactly the tensors its backward pass reads; the
/// backward pass drops it, and with it that memory, as soon as it has run.
///
/// A tape belongs to one thread. Inside `record`, it is the current tape of the task; nothing is recorded outside,
/// nor for operations on constants alone. See Documentation/TrainingEngine.md.
public final class Tape: @unchecked Sendable {
  @TaskLocal static var current: Tape?

  private struct Entry {
    /// The gradients of the operation's results: read by `backward`, then let go.
    let outputs: [GradientSlot]
    let backward: () -> Void
  }

  private var entries: [Entry] = []

  public init() {}

  /// The number of operations recorded and not yet run backwards.
  public var count: Int { entries.count }

  /// Runs `body`, recording its operations after those recorded before.
  public func record<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$current.withValue(self) { try body() }
  }

  /// Runs `body` recording nothing: its results are constants, its intermediate values are dropped at once.
  public static func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$current.withValue(nil) { try body() }
  }

  /// Whether an operation on these would be recorded now: if not, it need keep nothing for a backward pass.
  static func records(_ inputs: [Variable?]) -> Bool {
    current != nil && inputs.contains { $0?.slot != nil }
  }

  /// The result of an operation, recorded if need be. `backward` is given the gradient with respect to the result,
  /// once, and adds to the slots of the operation's inputs; it must not hold on to variables, only to their slots
  /// and to the values it reads.
  static func result(
    _ value: Tensor, of inputs: [Variable?], backward: @escaping (_ gradient: Tensor) -> Void
  ) -> Variable {
    guard records(inputs) else { return Variable(value) }
    let slot = GradientSlot()
    append([slot]) { if let gradient = slot.take() { backward(gradient) } }
    return Variable(value, slot: slot)
  }

  /// The same, for a backward pass that can write its own result over the gradient it is given: `memory` is the
  /// gradient itself where nobody else holds it, and uninitialised otherwise.
  static func result(
    _ value: Tensor, of inputs: [Variable?],
    overwriting backward: @escaping (_ gradient: Tensor, _ memory: Tensor) -> Void
  ) -> Variable {
    guard records(inputs) else { return Variable(value) }
    let slot = GradientSlot()
    append([slot]) { if let (gradient, memory) = slot.takeToOverwrite() { backward(gradient, memory) } }
    return Variable(value, slot: slot)
  }

  /// Records an operation of several results on the current tape.
  static func append(_ outputs: [GradientSlot], backward: @escaping () -> Void) {
    current?.entries.append(Entry(outputs: outputs, backward: backward))
  }

  /// Runs everything recorded backwards, from a scalar; gradients are added to those the parameters have already.
  /// The tape is empty afterwards.
  ///
  /// - Parameter seed: the gradient of the loss with respect to itself: 1, or the weight of this loss in a sum.
  /// - Precondition: `loss` has one element.
  public func backward(from loss: Variable, seed: Float = 1) {
    precondition(loss.value.count == 1, "a gradient is taken of one number, not of shape \(loss.shape)")
    loss.slot?.accumulate(Tensor(repeating: seed, loss.shape))
    runBackward()
  }

  package func runBackward() {
    Tape.withoutRecording {
      while let entry = entries.popLast() { entry.backward() }
    }
  }

  /// Forgets everything recorded.
  public func clear() { entries.removeAll(keepingCapacity: true) }
}

/// Runs `body` now without keeping its intermediate values, and once more in the backward pass to have them again:
/// gradient checkpointing.
///
/// Costs one more forward pass of `body`; keeps only the values that `body` reads from outside and its results.
/// Gradients are the same, bit by bit, as without: the second run records the same operations, and its backward
/// pass adds to the same slots in the same order.
///
/// - Parameter body: a function of variables outside it and of nothing else: it returns the same twice.
public func checkpointed(_ body: @escaping () -> [Variable]) -> [Variable] {
  guard Tape.current != nil else { return body() }
  let values = Tape.withoutRecording { body().map(\.value) }
  let results = values.map { Variable($0, slot: GradientSlot()) }
  let slots = results.map { $0.slot! }
  let precision = ProductPrecision.current
  Tape.append(slots) {
    let gradients = slots.map { $0.take() }
    let inner = Tape()
    let again = precision.forProducts { inner.record(body) }
    for (variable, gradient) in zip(again, gradients) {
      if let gradient { variable.slot?.accumulate(gradient) }
    }
    inner.runBackward()
  }
  return results
}
