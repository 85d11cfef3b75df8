import Tensors

/// A tensor that may take part in differentiation.
///
/// What an operation returns while a `Tape` records, a `Parameter`, or a constant. Operations do not change values.
public class Variable {
  public internal(set) var value: Tensor
  /// Where the gradient with respect to this value is gathered; `nil` for a constant.
  public let slot: GradientSlot?

  /// A constant: nothing is differentiated with respect to it.
  public init(_ value: Tensor) {
    self.value = value
    slot = nil
  }

  init(_ value: Tensor, slot: GradientSlot?) {
    self.value = value
    self.slot = slot
  }

  /// A value whose gradient is wanted, though no operation made it: stays in `gradient` after the backward pass.
  public static func leaf(_ value: Tensor) -> Variable { Variable(value, slot: GradientSlot()) }

  public var shape: [Int] { value.shape }

  /// The gradient gathered so far, if any.
  public var gradient: Tensor? { slot?.gradient }

  /// The same value as a constant: the backward pass ends here.
  public var detached: Variable { Variable(value) }
}

/// Weights: a variable with a name and memory that outlive every tape.
public final class Parameter: Variable {
  /// The name in state dicts and checkpoints; `Module.namedParameters` of the layers sets it.
  public var name = ""
  /// Whether AdamW's weight decay applies: by custom to matrices, not to biases and gains.
  public let decays: Bool

  public init(_ value: Tensor, decays: Bool? = nil) {
    self.decays = decays ?? (value.shape.count > 1)
    super.init(value, slot: GradientSlot())
  }

  /// Forgets the gradient, as before every step.
  public func clearGradient() { slot?.clear() }
}

/// Gathers the gradient of one value: the sum of what every use of the value contributes, in the order of the
/// backward pass.
///
/// The first contribution is kept without a copy; a later one is added in place where nobody else holds the sum.
/// So the residual stream's gradient is one tensor that travels down the tape.
///
/// Inside a shard, contributions to slots from outside it go to the shard's store: see `sharded`.
public final class GradientSlot {
  public private(set) var gradient: Tensor?
  /// The store of the shard that the slot was made in.
  private let home: GradientStore?

  public init() { home = GradientStore.current }

  /// The slot that contributions made here go to.
  private var target: GradientSlot {
    guard let here = GradientStore.current, here !== home else { return self }
    return here.slot(for: self)
  }

  func clear() { gradient = nil }

  /// Removes and returns what was gathered.
  func take() -> Tensor? {
    defer { gradient = nil }
    return gradient
  }

  /// Removes and returns what was gathered, and memory of that shape to write to: the same memory, where nobody else
  /// holds it.
  func takeToOverwrite() -> (gradient: Tensor, memory: Tensor)? {
    guard gradient != nil else { return nil }
    let unique = gradient!.isUnique()
    let taken = take()!
    return (taken, unique ? taken : Tensor(uninitialized: taken.shape))
  }

  /// Adds a contribution. The tensor may be kept, and is not changed while others hold it.
  package func accumulate(_ contribution: Tensor) { target.add(contribution) }

  private func add(_ contribution: Tensor) {
    guard gradient != nil else {
      gradient = contribution
      return
    }
    let unique = gradient!.isUnique()
    let sum = unique ? gradient! : Tensor(uninitialized: contribution.shape)
    Elementwise.add(gradient!, contribution, into: sum)
    gradient = sum
  }

  /// Lets a kernel write (`adds` is false) or add (`adds` is true) its contribution straight into the sum.
  func accumulate(shape: [Int], _ write: (_ sum: Tensor, _ adds: Bool) -> Void) {
    target.add(shape: shape, write)
  }

  private func add(shape: [Int], _ write: (_ sum: Tensor, _ adds: Bool) -> Void) {
    guard gradient != nil else {
      let sum = Tensor(uninitialized: shape)
      write(sum, false)
      gradient = sum
      return
    }
    if !gradient!.isUnique() { gradient = gradient!.copy() }
    write(gradient!, true)
  }
}
