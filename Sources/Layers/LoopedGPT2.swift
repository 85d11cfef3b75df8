import Gradients
import Tensors

/// How the input reaches every loop of a looped model. Y is the state, P the embedded input.
public enum Injection: String, CaseIterable, Sendable {
  /// Y₀ = P, Y ← f(Y): the input is seen once.
  case none
  /// Y₀ = 0, Y ← f(Y + P).
  case additive
  /// Y₀ = 0, Y ← f(Y + a P) with a learned number a, 1 at first.
  case scaled
  /// Y₀ = 1, Y ← f(Y · P).
  case multiplicative
}

/// A looped transformer that reads vectors and predicts numbers: read-in, the same backbone in every loop, read-out.
///
///     P = readIn(prompt);  Y ← backbone(inject(Y, P)), b times;  ŷ_t = readOut(Y_t) after every loop t
///
/// Positions and final norm belong to the backbone, and so to every loop. Read-in and read-out keep PyTorch's own
/// initialisation, the backbone has GPT-2's. Source: Yang et al., arXiv 2311.12424, section 4, and their code.
public struct LoopedGPT2: Module {
  public let readIn: Linear
  public let backbone: GPT2Backbone
  public let readOut: Linear
  /// The learned number of `Injection.scaled`.
  public let injectionScale: Parameter?
  public let injection: Injection

  /// - Parameters:
  ///   - inputs: coordinates of a token. - outputs: numbers predicted per token. - tokens: the longest sequence.
  ///   - depth: layers of the backbone; a loop applies all of them.
  ///   - hasPositions: of the backbone, as `hasNorm` and `injectsEveryBlock`: see `GPT2Backbone`.
  public init(
    inputs: Int, outputs: Int = 1, tokens: Int, width: Int, heads: Int, depth: Int = 1,
    injection: Injection = .additive, hasPositions: Bool = true, hasNorm: Bool = true,
    injectsEveryBlock: Bool = false, random: inout RandomStream
  ) {
    readIn = Linear(inputs: inputs, outputs: width, random: &random)
    backbone = GPT2Backbone(
      tokens: tokens, width: width, heads: heads, depth: depth, hasPositions: hasPositions, hasNorm: hasNorm,
      injectsEveryBlock: injectsEveryBlock, random: &random)
    readOut = Linear(inputs: width, outputs: outputs, random: &random)
    injectionScale = injection == .scaled ? Parameter(Tensor([1])) : nil
    self.injection = injection
  }

  /// The state before the first loop, for the embedded prompt.
  public func initialState(_ prompt: Variable) -> Variable {
    switch injection {
    case .none: prompt
    case .additive, .scaled: Variable(Tensor(zeros: prompt.shape))
    case .multiplicative: Variable(Tensor(repeating: 1, prompt.shape))
    }
  }

  /// One loop: the next state.
  ///
  /// - Parameter hidden: is shown the residual stream before the final norm.
  public func loop(
    _ state: Variable, _ prompt: Variable, hidden: (Variable) -> Void = { _ in }
  ) -> Variable {
    let stream = backbone.hidden(injected(state, prompt))
    hidden(stream)
    return backbone.normed(stream)
  }

  /// What the backbone reads in a loop.
  public func injected(_ state: Variable, _ prompt: Variable) -> Variable {
    switch injection {
    case .none: state
    case .additive: state + prompt
    case .scaled: state + scaled(prompt, by: injectionScale!)
    case .multiplicative: state * prompt
    }
  }

  /// The loss of training: the mean over the loops of the window of the mean squared error at every second token.
  ///
  /// - Parameters:
  ///   - prompts: [batch, tokens, inputs], x and y tokens in turn, x first.
  ///   - targets: [batch, x tokens, outputs].
  ///
  /// What no loss reads is not computed: tokens after the last x token, whom causal attention shows to nobody, and in
  /// the last loop all but the keys and values of the y tokens. The prompts are `sharded`.
  public func loss(_ prompts: Tensor, targets: Tensor, window: LoopWindow) -> Variable {
    let (batch, tokens, inputs) = (prompts.shape[0], prompts.shape[1], prompts.shape[2])
    let read = tokens - (tokens + 1) % 2
    let hidden = backbone.blocks.first?.mlp.expand.weight.shape[0] ?? inputs
    let shards = Shards.ranges(sequences: batch, rows: read, columns: hidden)
    return sharded(shards.map { Float($0.count) / Float(batch) }) { shard in
      let range = shards[shard]
      let part = Tensor(uninitialized: [range.count, read, inputs])
      for (place, sequence) in range.enumerated() {
        (part.pointer + place * read * inputs).update(
          from: prompts.pointer + sequence * tokens * inputs, count: read * inputs)
      }
      return loss(of: part, targets: shards.count == 1 ? targets : targets.slice(range), window: window)
    }
  }

  /// The loss of prompts that end with an x token.
  private func loss(of prompts: Tensor, targets: Tensor, window: LoopWindow) -> Variable {
    let prompt = readIn(Variable(prompts))
    let (_, losses) = window.run(initialState(prompt)) { state, loop in
      loop == window.loops - 1
        ? backbone(injected(state, prompt), every: 2) : self.loop(state, prompt)
    } loss: { state, loop in
      squaredError(readOut(loop == window.loops - 1 ? state : takingTokens(state, by: 2)), targets)
    }
    return mean(of: losses)
  }

  /// The predictions after every loop, [batch, x tokens, outputs] each.
  public func predictions(_ prompts: Tensor, loops: Int) -> [Tensor] {
    Tape.withoutRecording {
      var predictions: [Tensor] = []
      run(loops: loops, over: readIn(Variable(prompts))) { state, _ in
        predictions.append(readOut(takingTokens(state, by: 2)).value)
      }
      return predictions
    }
  }
}
