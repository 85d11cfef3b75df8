import Foundation
import Gradients
import LanguageModel
import Layers
import Tensors

/// Larger or looped models from trained ones, to be trained on.
public enum Upcycling {
  /// Where the copies of a layer stand.
  public enum Order: String, CaseIterable, Sendable {
    /// 0 0 1 1 2 2: each beside its copy.
    case interleaved
    /// 0 1 2 0 1 2: as one loop more would pass them.
    case stacked

    /// The layer that layer `index` of the larger model is copied from.
    func source(of index: Int, layers: Int, copies: Int) -> Int {
      self == .interleaved ? index / copies : index % layers
    }
  }

  /// A model with every layer `copies` times, and all else the same. Ouro 2.6B grew from 24 to 48 layers so, with half
  /// the loops; the paper does not say in which order (arXiv 2510.25741, section 4).
  ///
  /// - Precondition: `copies` is positive.
  public static func repeatingLayers(of model: LoopedDecoder, copies: Int, order: Order) -> LoopedDecoder {
    precondition(copies > 0)
    var configuration = model.configuration
    let layers = configuration.layers
    configuration.layers *= copies
    let larger = blank(configuration)
    copyEnds(from: model, to: larger)
    for (index, layer) in larger.layers.enumerated() {
      copy(model.layers[order.source(of: index, layers: layers, copies: copies)], to: layer)
    }
    return larger
  }

  /// A looped model from a Llama-shaped one: the same matrices, and what a looped model has beside them.
  ///
  /// The norms on the way out get the mean length that their branch has on `batch`, so that every branch adds to the
  /// stream what it added before, up to how that length varies from token to token. The gate starts as that of a new
  /// model.
  ///
  /// - Parameters:
  ///   - loops: T. - batch: tokens to measure branches on, as like those of training as there are.
  /// - Precondition: the model is Llama-shaped.
  public static func looped(_ model: LoopedDecoder, loops: Int, batch: TokenBatch) -> LoopedDecoder {
    var configuration = model.configuration
    precondition(configuration.family == .llama, "only a Llama-shaped model becomes a looped one")
    (configuration.family, configuration.loops, configuration.hasExitGate) = (.ouro, loops, true)
    let looped = blank(configuration)
    copyEnds(from: model, to: looped)
    let table = RotaryTable(
      positions: batch.length, headSize: configuration.headSize, base: configuration.ropeBase)
    Tape.withoutRecording {
      var h = model.embedding(batch.tokens, shape: batch.shape)
      for (layer, target) in zip(model.layers, looped.layers) {
        copy(layer, to: target)
        let a = layer.attentionBranch(h, table: table, segments: batch.segments)
        target.attentionOutputNorm?.gain.value.fill(length(of: a.value))
        h = h + a
        let m = layer.mlpBranch(h)
        target.mlpOutputNorm?.gain.value.fill(length(of: m.value))
        h = h + m
      }
    }
    return looped
  }

  /// The mean over rows of √(mean of x²).
  static func length(of x: Tensor) -> Float {
    var sum = 0.0
    for row in 0..<x.rows {
      var squares = 0.0
      for i in row * x.columns..<(row + 1) * x.columns { squares += Double(x.pointer[i] * x.pointer[i]) }
      sum += (squares / Double(max(x.columns, 1))).squareRoot()
    }
    return Float(sum / Double(max(x.rows, 1)))
  }

  private static func blank(_ configuration: ModelConfiguration) -> LoopedDecoder {
    var random = RandomStream(seed: 0)
    return LoopedDecoder(configuration, random: &random)
  }

  /// Embedding, final norm, readout, and the gate where both have one.
  private static func copyEnds(from model: LoopedDecoder, to other: LoopedDecoder) {
    other.embedding.weight.value.assign(from: model.embedding.weight.value)
    other.norm.gain.value.assign(from: model.norm.gain.value)
    if let from = model.readout, let to = other.readout { to.weight.value.assign(from: from.weight.value) }
    guard let from = model.gate, let to = other.gate else { return }
    to.weight.value.assign(from: from.weight.value)
    if let bias = from.bias { to.bias?.value.assign(from: bias.value) }
  }

  /// Every parameter that both have.
  private static func copy(_ layer: DecoderLayer, to other: DecoderLayer) {
    let values = Dictionary(
      uniqueKeysWithValues: layer.namedParameters().map { ($0.name, $0.parameter.value) })
    for (name, parameter) in other.namedParameters() {
      if let value = values[name] { parameter.value.assign(from: value) }
    }
  }
}
