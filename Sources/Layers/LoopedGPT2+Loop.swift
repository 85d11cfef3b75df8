import Gradients
import Looping

extension LoopedGPT2 {
  /// The loop over an embedded prompt, as `Looping` knows bodies: Y ← backbone(inject(Y, P)).
  ///
  /// The injection is part of the body, so that the state that is observed is what the read-out reads.
  public func body(over prompt: Variable) -> some LoopBody<Variable> {
    PromptedBody(model: self, prompt: prompt)
  }

  /// Runs the loop off the tape, and calls `observe` with the state after every loop and its number, from 1.
  public func run(loops: Int, over prompt: Variable, observe: (_ state: Variable, _ loop: Int) -> Void) {
    Tape.withoutRecording {
      var state = initialState(prompt)
      var loop = Loop(body: body(over: prompt), limit: loops, stopsAtFixedPoint: false)
      // The body throws nothing, and the loop nothing of its own.
      _ = try? loop.run(&state, observe: observe)
    }
  }
}

private struct PromptedBody: LoopBody {
  let model: LoopedGPT2
  let prompt: Variable

  func apply(to state: inout Variable, loop: Int) -> Bool {
    state = model.loop(state, prompt)
    return true
  }
}
