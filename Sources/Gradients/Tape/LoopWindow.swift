import Looping
import Tensors

/// How a looped model is differentiated: how many loops it makes, how many of the last are on the tape, and whether
/// their intermediate values are kept or computed again.
///
/// The loops before the window run without a tape, so the state that enters the window is a constant: truncated
/// backpropagation in depth. Every loop of the window may have its own loss.
/// Source: Yang et al., arXiv 2311.12424, section 4 (b loops, the last T with a loss).
public struct LoopWindow: Equatable, Sendable {
  /// All loops, b.
  public var loops: Int
  /// The last loops, T, which are on the tape; at most `loops` count.
  public var window: Int
  /// Whether each loop of the window is a `checkpointed` segment: one state per loop is kept, instead of about
  /// sixteen tensors of its size, for one more forward pass of the window.
  public var checkpoints: Bool

  public init(loops: Int, window: Int, checkpoints: Bool = false) {
    precondition(loops >= 0 && window >= 0, "\(loops) loops with a window of \(window)")
    self.loops = loops
    self.window = window
    self.checkpoints = checkpoints
  }

  /// The loops that are on the tape.
  public var taped: Range<Int> { max(0, loops - window)..<loops }

  /// Runs the loop.
  ///
  /// - Parameters:
  ///   - initial: the state before the first loop.
  ///   - body: one loop: the next state, from the state and the number of the loop (from 0).
  ///   - loss: the loss after a loop of the window, or `nil` for none.
  /// - Returns: the last state, and the losses of the window in order.
  public func run(
    _ initial: Variable, body: @escaping (Variable, Int) -> Variable,
    loss: @escaping (Variable, Int) -> Variable? = { _, _ in nil }
  ) -> (state: Variable, losses: [Variable]) {
    var loop = Loop(
      body: WindowedBody(window: self, body: body, loss: loss), limit: loops, stopsAtFixedPoint: false)
    var state = initial
    // The body throws nothing, and the loop nothing of its own.
    _ = try? loop.run(&state)
    return (state, loop.body.losses)
  }
}

/// The body of a looped model as `Looping` knows bodies: in the window on the tape, before it not.
struct WindowedBody: LoopBody {
  let window: LoopWindow
  let body: (Variable, Int) -> Variable
  let loss: (Variable, Int) -> Variable?
  var losses: [Variable] = []

  mutating func apply(to state: inout Variable, loop: Int) -> Bool {
    if window.taped.contains(loop) {
      let pass = taped(state, loop)
      let results = window.checkpoints ? checkpointed(pass) : pass()
      state = results[0]
      losses += results.dropFirst()
    } else {
      state = untaped(state, loop)
    }
    return true
  }

  /// One loop as a function of nothing but the tape: its state, then its loss if it has one.
  private func taped(_ state: Variable, _ loop: Int) -> () -> [Variable] {
    let (body, loss) = (body, loss)
    return {
      let after = body(state, loop)
      guard let loss = loss(after, loop) else { return [after] }
      return [after, loss]
    }
  }

  private func untaped(_ state: Variable, _ loop: Int) -> Variable {
    Tape.withoutRecording { body(state, loop) }
  }
}

/// The mean of scalars, as of the losses of a window. - Precondition: there is at least one.
public func mean(of losses: [Variable]) -> Variable {
  precondition(!losses.isEmpty, "the mean of no losses")
  let sum = losses.reduce(Float(0)) { $0 + $1.value.scalar }
  let factor = 1 / Float(losses.count)
  let targets = losses.map { ($0.slot, $0.shape) }
  return Tape.result(Tensor(scalar: sum * factor), of: losses) { gradient in
    let share = gradient.scalar * factor
    for (slot, shape) in targets { slot?.accumulate(Tensor(repeating: share, shape)) }
  }
}
