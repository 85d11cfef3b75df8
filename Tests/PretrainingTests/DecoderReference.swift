import Gradients
import LanguageModel

@testable import Pretraining

/// The whole model in f64 and in plain loops, from flat arrays of parameters: what gradients are taken differences of.
struct DecoderReference {
  let configuration: ModelConfiguration
  /// By name, as `Module.namedParameters` names them.
  var weights: [String: [Double]]

  /// States and gates of each loop, [rows, hidden] and [rows].
  func run(_ batch: TokenBatch, loops: Int, base: Double) -> (states: [[Double]], gates: [[Double]]) {
    let c = configuration
    let (width, epsilon) = (c.hiddenSize, Double(c.normEpsilon))
    let table = weights["embedding.weight"]!
    var h = batch.tokens.flatMap { Array(table[Int($0) * width..<(Int($0) + 1) * width]) }
    let rows = batch.tokens.count
    func linear(_ x: [Double], _ name: String, _ inputs: Int) -> [Double] {
      let weight = weights[name]!
      return Reference.linear(x, weight, [], rows: rows, inputs: inputs, outputs: weight.count / inputs)
    }
    func norm(_ x: [Double], _ name: String) -> [Double] {
      Reference.rmsNorm(x, gain: weights[name + ".gain"]!, epsilon: epsilon)
    }
    func add(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
    var (states, gates): ([[Double]], [[Double]]) = ([], [])
    for _ in 0..<loops {
      for layer in 0..<c.layers {
        let at = "layers.\(layer)."
        let qkv = linear(norm(h, at + "attentionNorm"), at + "qkv.weight", width)
        var branch = linear(
          attention(qkv, batch, base: base), at + "output.weight", c.heads * c.headSize)
        if c.family == .ouro { branch = norm(branch, at + "attentionOutputNorm") }
        let a = add(h, branch)
        let both = linear(norm(a, at + "mlpNorm"), at + "mlp.gateUp.weight", width)
        branch = linear(
          Reference.swiglu(both, columns: c.intermediateSize), at + "mlp.down.weight", c.intermediateSize)
        if c.family == .ouro { branch = norm(branch, at + "mlpOutputNorm") }
        h = add(a, branch)
      }
      h = norm(h, "norm")
      states.append(h)
      let gate = weights["gate.weight"] ?? Array(repeating: 0, count: width)
      let bias = weights["gate.bias"]?[0] ?? 0
      gates.append(Reference.linear(h, gate, [bias], rows: rows, inputs: width, outputs: 1))
    }
    return (states, gates)
  }

  /// Turned by its position in the sequence, then attention document by document; keys and values shared by groups.
  private func attention(_ qkv: [Double], _ batch: TokenBatch, base: Double) -> [Double] {
    let (heads, shared, size) = (configuration.heads, configuration.keyValueHeads, configuration.headSize)
    let stride = (heads + 2 * shared) * size
    // Every head with keys and values of its own.
    var wide: [Double] = []
    for row in batch.tokens.indices {
      func part(_ first: Int, of group: Int) -> [Double] {
        (0..<heads).flatMap { head -> [Double] in
          let start = row * stride + (first + head / group) * size
          return Array(qkv[start..<start + size])
        }
      }
      wide += part(0, of: 1) + part(heads, of: heads / shared) + part(heads + shared, of: heads / shared)
    }
    let turned = Reference.rotary(
      wide, batch: batch.sequences, tokens: batch.length, heads: heads, headSize: size, base: base)
    let columns = 3 * heads * size
    return batch.segments.flatMap { segment in
      Reference.causalAttention(
        Array(turned[segment.lowerBound * columns..<segment.upperBound * columns]), batch: 1,
        tokens: segment.count, width: heads * size, heads: heads)
    }
  }

  var readout: [Double] { weights["readout.weight"] ?? weights["embedding.weight"]! }
}
