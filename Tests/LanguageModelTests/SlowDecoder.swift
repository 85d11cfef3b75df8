import LanguageModel
import Tokenization

/// Decoding as `KVSharing` and `SkippedLoops` describe it, written out over lists of f64 keys and values.
struct SlowDecoder {
  let forward: ReferenceForward
  let sharing: KVSharing
  /// [layer][cell]: what later tokens see at every loop; in `full`, [loop · layers + layer][cell].
  private var settled: [[(key: [Double], value: [Double])]]

  init(_ model: LanguageModel, sharing: KVSharing, loops: Int) {
    forward = ReferenceForward(model)
    self.sharing = sharing
    settled = Array(repeating: [], count: model.layers.count * (sharing == .full ? loops : 1))
  }

  private var layers: Int { forward.layers.count }
  private func place(_ loop: Int, _ layer: Int) -> Int { sharing == .full ? loop * layers + layer : layer }

  /// Appends tokens that all run the same loops. [loop][token] states.
  mutating func append(_ tokens: [TokenID], loops: Int, chunk: Int = .max, copiesDeeper: Bool = false)
    -> [[[Double]]]
  {
    // [loop][layer][cell] of these tokens.
    var fresh = [[[(key: [Double], value: [Double])]]](
      repeating: Array(repeating: [], count: layers), count: loops)
    var states = [[[Double]]](repeating: [], count: loops)
    let past = settled[0].count
    var start = 0
    while start < tokens.count {
      let end = min(start + min(chunk, tokens.count), tokens.count)
      var h = tokens[start..<end].map(forward.embed)
      for loop in 0..<loops {
        for (number, layer) in forward.layers.enumerated() {
          let made = h.enumerated().map {
            forward.project(layer, $1, position: past + start + $0)
          }
          fresh[loop][number] += made.map { ($0.key, $0.value) }
          h = h.indices.map { i in
            var seen = settled[place(loop, number)]
            if sharing == .overwrite {
              // Chunks before this one were overwritten by the last loop.
              seen +=
                fresh[loops - 1][number].prefix(start) + fresh[loop][number].suffix(end - start).prefix(i + 1)
            } else {
              seen += fresh[loop][number].prefix(start + i + 1)
            }
            return forward.finish(
              layer, h[i], forward.attention(made[i].query, keys: seen.map(\.key), values: seen.map(\.value)))
          }
        }
        h = h.map(forward.normalizeOutput)
        states[loop] += h
      }
      start = end
    }
    for layer in 0..<layers {
      switch sharing {
      case .full:
        for loop in 0..<settled.count / layers where loop < loops || copiesDeeper {
          settled[place(loop, layer)] += fresh[min(loop, loops - 1)][layer]
        }
      case .last, .overwrite: settled[layer] += fresh[loops - 1][layer]
      case .first: settled[layer] += fresh[0][layer]
      case .averaged:
        settled[layer] += tokens.indices.map { cell in
          func mean(_ part: (Int) -> [Double]) -> [Double] {
            let all = (0..<loops).map(part)
            return all[0].indices.map { i in all.reduce(0) { $0 + $1[i] } / Double(loops) }
          }
          return (mean { fresh[$0][layer][cell].key }, mean { fresh[$0][layer][cell].value })
        }
      }
    }
    return states
  }

  func logits(_ state: [Double]) -> [Double] { forward.readOut(state) }
}
