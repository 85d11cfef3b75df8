import Gradients
import Looping

extension LoopedGPT2 {
  /// The loop over an embedded prompt, as `Looping` knows bodies: Y ← backbone(inject(Y, P)).
  ///
  /// The injection is part of the body, so that the state that is observed is what the read-out reads.
  ///
  /// - Parameter hidden: is shown the residual stream of every loop, before the final norm.
  public func body(
    over prompt: Variable, hidden: @escaping (Variable) -> Void = { _ in }
  ) -> some LoopBody<Variable> {
    PromptedBody(model: self, prompt: prompt, hidden: hidden)
  }

  /// Runs the loop off the tape, and calls `observe` with the state after every loop and its number, from 1.
  ///
  /// - Parameter hidden: is shown the residual stream of every loop, before the final norm.
  public func run(
    loops: Int, over prompt: Variable, hidden: @escaping (Variable) -> Void = { _ in },
    observe: (_ state: Variable, _ loop: Int) -> Void
  ) {
    Tape.withoutRecording {
      var state = initialState(prompt)
      var loop = Loop(body: body(over: prompt, hidden: hidden), limit: loops, stopsAtFixedPoint: false)
      // The body throws nothing, and the loop nothing of its own.
      _ = try? loop.run(&state, observe: observe)
    }
  }
}

private struct PromptedBody: LoopBody {
  let model: LoopedGPT2
  let prompt: Variable
  let hidden: (Variable) -> Void

  func apply(to state: inout Variable, loop: Int) -> Bool {
    state = model.loop(state, prompt, hidden: hidden)
    return true
  }
}
