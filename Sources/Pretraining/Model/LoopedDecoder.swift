import Foundation
import Gradients
import LanguageModel
import Layers
import Looping
import Tensors

/// A looped language model on the tape: Ouro, and Llama-shaped models as the case of one loop.
///
///     h = embed(tokens);  T times: h = norm(layers(h));  H_t = h,  g_t = gate(h);  logits_t = readout(H_t)
///
/// The final norm ends every loop, and the normed state is both what the readout reads and what the next loop gets.
/// Source: Ouro, arXiv 2510.25741, section 3.
public struct LoopedDecoder: Module {
  public let configuration: ModelConfiguration
  /// [vocabulary, hidden].
  public let embedding: Embedding
  public let layers: [DecoderLayer]
  public let norm: RMSNorm
  /// hidden to 1, with bias: the gate before its sigmoid.
  public let gate: Linear?
  /// [vocabulary, hidden]; `nil` where the embedding is read out.
  public let readout: Linear?
  /// The layers' parameters: what a layer's first use says of their gradients.
  private let layerParameters: [[Parameter]]

  /// A model with random weights.
  ///
  /// The gate starts at 0 with a bias that leaves 1/T after the first loop.
  public init(_ configuration: ModelConfiguration, random: inout RandomStream) {
    self.configuration = configuration
    let (width, words) = (configuration.hiddenSize, configuration.vocabularySize)
    let deviation = 1 / Float(width).squareRoot()
    // Tied, the embedding is the readout too, whose logits are to start at about 1.
    embedding = Embedding(
      entries: words, width: width, deviation: configuration.tiesEmbeddings ? deviation : 0.5, random: &random
    )
    var layers: [DecoderLayer] = []
    for _ in 0..<configuration.layers { layers.append(DecoderLayer(configuration, random: &random)) }
    self.layers = layers
    layerParameters = layers.map(\.parameters)
    norm = RMSNorm(width: width, epsilon: configuration.normEpsilon)
    if configuration.hasExitGate {
      let bias = -log(Float(max(configuration.loops - 1, 1)))
      gate = Linear(weight: Tensor(zeros: [1, width]), bias: Tensor([bias]))
    } else {
      gate = nil
    }
    readout =
      configuration.tiesEmbeddings
      ? nil
      : Linear(inputs: width, outputs: words, bias: false, deviation: deviation / 2, random: &random)
  }

  /// What the states are multiplied with: [vocabulary, hidden].
  public var readoutWeight: Parameter { readout?.weight ?? embedding.weight }

  /// The normed states after each loop, [batch, tokens, hidden] each.
  ///
  /// - Parameters:
  ///   - batch: tokens and the documents they belong to.
  ///   - table: of the rotary embedding, for the length of the sequences at least.
  ///   - checkpoints: compute each loop again in the backward pass instead of keeping what it made.
  public func states(
    _ batch: TokenBatch, loops: Int, table: RotaryTable, checkpoints: Bool = false
  ) -> [Variable] {
    let segments = batch.segments
    var loop = Loop(
      body: DecoderBody(checkpoints: checkpoints) { state, loop in
        // Going backward, a gradient is whole after the first loop, the last layer's first.
        let isFirst = loop == 0
        let after = layers.indices.reduce(state) { state, layer in
          if isFirst { Tape.marksFirstUse(of: layerParameters[layer]) }
          return layers[layer](state, table: table, segments: segments)
        }
        if isFirst { Tape.marksFirstUse(of: [norm.gain]) }
        return norm(after)
      }, limit: loops, stopsAtFixedPoint: false)
    // Tied, the embedding is read out after this.
    Tape.marksFirstUse(of: [embedding.weight])
    var state = embedding(batch.tokens, shape: batch.shape)
    var states: [Variable] = []
    // The body throws nothing, and the loop nothing of its own.
    _ = try? loop.run(&state) { state, _ in states.append(state) }
    return states
  }

  /// The gates of the states, before the sigmoid; none where the model has no gate, or one loop.
  public func gates(_ states: [Variable]) -> [Variable] {
    guard let gate, states.count > 1 else { return [] }
    Tape.marksFirstUse(of: [gate.weight] + (gate.bias.map { [$0] } ?? []))
    return states.map { gate($0) }
  }

  /// Stage I, and with one loop the ordinary loss. See `expectedLoss`. The sequences are `sharded`.
  ///
  /// - Parameter counted: the counted targets of the whole batch, where this is one rank's part of it: then the loss is
  ///   the part's term of the batch's mean, and the statistics are the part's own.
  public func loss(
    _ batch: TokenBatch, loops: Int, table: RotaryTable, entropyWeight: Double, priorRatio: Double = 1,
    checkpoints: Bool = false, counted: Int? = nil
  ) -> (loss: Variable, statistics: ExitStatistics) {
    let widest = max(2 * configuration.intermediateSize, 3 * configuration.hiddenSize)
    let parts = Shards.ranges(sequences: batch.sequences, rows: batch.length, columns: widest)
      .map(batch.part).filter { $0.countedTargets > 0 }
    let counted = Float(counted ?? batch.countedTargets)
    var statistics = [ExitStatistics](repeating: ExitStatistics(loops: loops), count: parts.count)
    let loss = statistics.withUnsafeMutableBufferPointer { statistics in
      // Every shard writes its own.
      nonisolated(unsafe) let statistics = statistics
      return sharded(parts.map { Float($0.countedTargets) / counted }) { shard in
        let part = parts[shard]
        let states = states(part, loops: loops, table: table, checkpoints: checkpoints)
        let gates = gates(states)
        if let readout { Tape.marksFirstUse(of: [readout.weight]) }
        let (loss, measured) = expectedLoss(
          states: states, gates: gates, readout: readoutWeight, targets: part.targets,
          entropyWeight: entropyWeight, priorRatio: priorRatio)
        statistics[shard] = measured
        return loss
      }
    }
    return (loss, ExitStatistics.mean(statistics)!)
  }

  /// Stage II: the language model is a constant, the gate is taught where a loop was worth its while.
  /// - Precondition: the model has a gate, and `loops` is more than one.
  public func gateLoss(
    _ batch: TokenBatch, loops: Int, table: RotaryTable, objective: GateObjective
  ) -> (loss: Variable, losses: Tensor) {
    let states = Tape.withoutRecording {
      self.states(batch, loops: loops, table: table).map(\.detached)
    }
    let losses = crossEntropies(
      states.map(\.value), readout: readoutWeight.value, targets: batch.targets)
    return (objective(gates: gates(states), losses: losses, targets: batch.targets), losses)
  }
}

/// The block as `Looping` knows bodies; all loops are on the tape.
private struct DecoderBody: LoopBody {
  let checkpoints: Bool
  let pass: (_ state: Variable, _ loop: Int) -> Variable

  mutating func apply(to state: inout Variable, loop: Int) -> Bool {
    let (before, pass) = (state, pass)
    state = checkpoints ? checkpointed { [pass(before, loop)] }[0] : pass(before, loop)
    return true
  }
}

/// Tokens of a step: sequences in which documents stand one after the other.
public struct TokenBatch: Equatable, Sendable {
  public let sequences: Int
  public let length: Int
  /// sequences · length numbers.
  public var tokens: [Int32]
  /// What follows each token; negative where that is not to be learned.
  public var targets: [Int32]
  /// The documents, as ranges of the flattened tokens, in order: attention does not cross them.
  public var segments: [Range<Int>]

  /// - Parameter segments: all of every sequence if not given.
  public init(
    sequences: Int, length: Int, tokens: [Int32], targets: [Int32], segments: [Range<Int>]? = nil
  ) {
    precondition(tokens.count == sequences * length && targets.count == tokens.count)
    (self.sequences, self.length, self.tokens, self.targets) = (sequences, length, tokens, targets)
    self.segments = segments ?? (0..<sequences).map { $0 * length..<($0 + 1) * length }
  }

  public var shape: [Int] { [sequences, length] }

  /// Tokens whose successor is to be learned.
  public var countedTargets: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }

  /// Some of the sequences, with their documents.
  func part(_ range: Range<Int>) -> TokenBatch {
    guard range.count < sequences else { return self }
    let rows = range.lowerBound * length..<range.upperBound * length
    return TokenBatch(
      sequences: range.count, length: length, tokens: Array(tokens[rows]), targets: Array(targets[rows]),
      segments: segments.map { $0.clamped(to: rows) }.filter { !$0.isEmpty }.map {
        $0.lowerBound - rows.lowerBound..<$0.upperBound - rows.lowerBound
      })
  }
}
