import Gradients
import Layers
import Tensors

/// What kind of network learns in context.
public enum Architecture: String, CaseIterable, Sendable {
  /// Layers of their own, applied once: GPT-2. Source: Garg et al., arXiv 2208.01066.
  case standard
  /// The same layers in every loop, the prompt injected into each, a loss after each loop of the window.
  /// Source: Yang et al., arXiv 2311.12424.
  case looped
  /// The same layers in every loop, the prompt seen once, all loops on the tape, a loss after the last alone.
  case tied
  /// Pre-transformer, loop, post-transformer: f = post(loopᵗ(pre(P))), a loss after the post-transformer for every
  /// supervised loop. Source: Gao et al., arXiv 2402.13572; what their text leaves open is an option here.
  case algoFormer = "algoformer"
}

/// Where tokens learn their places.
public enum PositionPlace: String, CaseIterable, Sendable {
  /// Every stack adds positions of its own to what it reads: the looped one in every loop.
  case stacks
  /// Positions are added to the embedded prompt, once: an AlgoFormer's pre-transformer alone reads them as such.
  case input
}

/// Where the residual stream is normed, beside the blocks' own norms.
public enum NormPlace: String, CaseIterable, Sendable {
  /// Behind every stack: behind the looped one in every loop.
  case stacks
  /// Before the read-out alone.
  case output
  case none
}

/// A network that reads a prompt of vectors and predicts at its tokens: any of the architectures.
///
///     P = pre(readIn(prompt));  Y ← backbone(inject(Y, P)), b times;  prediction = readOut(post(Y)) after any loop
///
/// Without pre and post this is `LoopedGPT2`; with one loop and no injection it is a standard decoder. Read-in and
/// read-out keep PyTorch's own initialisation, the stacks GPT-2's. Every stack has positions and a final norm.
public struct InContextModel: Module {
  public struct Configuration: Equatable, Sendable {
    public var architecture: Architecture
    /// Coordinates of a token.
    public var inputs: Int
    /// Numbers of each reading: one read-out layer each. The first is the answer.
    public var outputs: [Int]
    /// The longest prompt, in tokens.
    public var tokens: Int
    public var width: Int
    public var heads: Int
    /// Layers of the stack that is looped (or of the standard decoder).
    public var layers: Int
    public var injection: Injection = .additive
    /// AlgoFormer: layers before and after the loop.
    public var preLayers = 1
    public var postLayers = 1
    public var positions = PositionPlace.stacks
    public var norms = NormPlace.stacks
    /// Whether every block, not the first alone, reads the stack's input added to the stream.
    public var injectsEveryBlock = false

    public init(
      architecture: Architecture, inputs: Int, outputs: [Int] = [1], tokens: Int, width: Int, heads: Int,
      layers: Int, injection: Injection = .additive, preLayers: Int = 1, postLayers: Int = 1,
      positions: PositionPlace = .stacks, norms: NormPlace = .stacks, injectsEveryBlock: Bool = false
    ) {
      self.architecture = architecture
      self.inputs = inputs
      self.outputs = outputs
      self.tokens = tokens
      self.width = width
      self.heads = heads
      self.layers = layers
      self.injection = injection
      self.preLayers = preLayers
      self.postLayers = postLayers
      self.positions = positions
      self.norms = norms
      self.injectsEveryBlock = injectsEveryBlock
    }
  }

  public let configuration: Configuration
  /// Read-in, the stack of the loop, the read-out of the answer.
  public let core: LoopedGPT2
  public let pre: GPT2Backbone?
  public let post: GPT2Backbone?
  /// Read-outs after the first: of intermediate steps.
  public let stepReadOuts: [Linear]
  /// Of `PositionPlace.input`.
  public let inputPositions: Embedding?
  /// Of `NormPlace.output`.
  public let outputNorm: LayerNorm?

  /// - Precondition: heads divide the width; extents are positive.
  public init(_ configuration: Configuration, random: inout RandomStream) {
    let c = configuration
    self.configuration = c
    let injects = c.architecture == .looped || c.architecture == .algoFormer
    func stack(_ layers: Int) -> GPT2Backbone {
      GPT2Backbone(
        tokens: c.tokens, width: c.width, heads: c.heads, depth: layers, hasPositions: c.positions == .stacks,
        hasNorm: c.norms == .stacks, injectsEveryBlock: c.injectsEveryBlock, random: &random)
    }
    let isAlgoFormer = c.architecture == .algoFormer
    pre = isAlgoFormer && c.preLayers > 0 ? stack(c.preLayers) : nil
    core = LoopedGPT2(
      inputs: c.inputs, outputs: c.outputs[0], tokens: c.tokens, width: c.width, heads: c.heads,
      depth: c.layers,
      injection: injects ? c.injection : .none, hasPositions: c.positions == .stacks,
      hasNorm: c.norms == .stacks, injectsEveryBlock: c.injectsEveryBlock, random: &random)
    post = isAlgoFormer && c.postLayers > 0 ? stack(c.postLayers) : nil
    var readOuts: [Linear] = []
    for outputs in c.outputs.dropFirst() {
      readOuts.append(Linear(inputs: c.width, outputs: outputs, random: &random))
    }
    stepReadOuts = readOuts
    inputPositions =
      c.positions == .input ? Embedding(entries: c.tokens, width: c.width, random: &random) : nil
    outputNorm = c.norms == .output ? LayerNorm(width: c.width) : nil
  }

  /// Parameters of the stacks with their final norms: what the papers print as a model's size.
  public var printedParameterCount: Int {
    core.backbone.printedParameterCount + (pre?.printedParameterCount ?? 0)
      + (post?.printedParameterCount ?? 0) + (outputNorm?.parameterCount ?? 0)
  }

  /// The loss of training: over the supervised loops of the window, the mean of the batch's loss.
  ///
  /// A standard decoder is one loop. `tied` is supervised after the last loop alone, and its whole depth is taped.
  ///
  /// - Parameter every: of the loops of the window, the last and every `every`-th before it are supervised: an
  ///   AlgoFormer's post-transformer runs for each of them.
  ///
  /// The prompts are `sharded`.
  public func loss(_ batch: PromptBatch, window: LoopWindow, every: Int = 1) -> Variable {
    let shape = batch.tokens.shape
    let shards = Shards.ranges(sequences: shape[0], rows: shape[1], columns: 4 * configuration.width)
    return sharded(shards.map { Float($0.count) / Float(shape[0]) }) { shard in
      loss(of: batch.part(shards[shard]), window: window, every: every)
    }
  }

  private func loss(of batch: PromptBatch, window: LoopWindow, every: Int) -> Variable {
    let prompt = embedded(batch.tokens)
    let used = self.window(window)
    let every = configuration.architecture == .tied ? max(used.loops, 1) : every
    let (_, losses) = used.run(core.initialState(prompt)) { state, _ in
      core.loop(state, prompt)
    } loss: { state, loop in
      (used.loops - 1 - loop) % every == 0 ? readingLoss(state, batch) : nil
    }
    return mean(of: losses)
  }

  /// Calls `body` after every loop with the number of the loop, from 1, and the predictions of reading `reading`:
  /// [batch, places, outputs]. Nothing is taped.
  ///
  /// - Parameter shown: the loops after which to read: a read-out, and an AlgoFormer's post-transformer, cost time.
  public func predictions(
    _ batch: PromptBatch, reading: Int = 0, loops: Int, shown: (Int) -> Bool = { _ in true },
    _ body: (_ loop: Int, _ predictions: Tensor) -> Void
  ) {
    let loops = configuration.architecture == .standard ? 1 : loops
    Tape.withoutRecording {
      core.run(loops: max(loops, 1), over: embedded(batch.tokens)) { state, loop in
        if shown(loop) {
          body(loop, read(batch.readings[reading], of: finished(state)).value)
        }
      }
    }
  }

  /// The residual stream that probes look at, [batch, tokens, width] at every depth: the embedded prompt with its
  /// positions, then the stream after every block of a standard decoder, or after every loop of any other network, before
  /// the final norm. Nothing is taped.
  public func hiddenStates(_ tokens: Tensor, loops: Int) -> [Tensor] {
    Tape.withoutRecording {
      let prompt = embedded(tokens)
      var states: [Tensor] = []
      if configuration.architecture == .standard {
        _ = core.backbone.hidden(prompt) { states.append($0.value) }
        return states
      }
      states.append((core.backbone.positions?.addingPositions(to: prompt) ?? prompt).value)
      core.run(loops: loops, over: prompt, hidden: { states.append($0.value) }, observe: { _, _ in })
      return states
    }
  }

  private func window(_ window: LoopWindow) -> LoopWindow {
    switch configuration.architecture {
    case .standard: LoopWindow(loops: 1, window: 1, checkpoints: window.checkpoints)
    case .tied: LoopWindow(loops: window.loops, window: window.loops, checkpoints: window.checkpoints)
    case .looped, .algoFormer: window
    }
  }

  private func embedded(_ tokens: Tensor) -> Variable {
    let read = core.readIn(Variable(tokens))
    let prompt = inputPositions?.addingPositions(to: read) ?? read
    return pre.map { $0(prompt) } ?? prompt
  }

  /// What the read-outs read: post-transformer and output norm behind the loop, if there are any.
  private func finished(_ state: Variable) -> Variable {
    let after = post.map { $0(state) } ?? state
    return outputNorm.map { $0(after) } ?? after
  }

  private func read(_ reading: PromptBatch.Reading, of state: Variable) -> Variable {
    let layer = reading.head == 0 ? core.readOut : stepReadOuts[reading.head - 1]
    return layer(takingTokens(state, from: reading.first, by: reading.step))
  }

  private func readingLoss(_ state: Variable, _ batch: PromptBatch) -> Variable {
    let state = finished(state)
    let parts = batch.readings.map { reading in
      let prediction = read(reading, of: state)
      return reading.weight
        * (reading.classes.map { crossEntropy(prediction, $0) } ?? squaredError(prediction, reading.targets))
    }
    return parts.dropFirst().reduce(parts[0], +)
  }
}
