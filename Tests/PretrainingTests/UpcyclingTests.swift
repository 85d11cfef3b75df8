import Gradients
import LanguageModel
import Layers
import Tensors
import Testing

@testable import Pretraining

@Suite struct UpcyclingTests {
  @Test func layersAreRepeatedInBothOrders() {
    let model = LoopedDecoder.random(.tiny(layers: 3))
    for (order, sources) in [
      (Upcycling.Order.interleaved, [0, 0, 1, 1, 2, 2]), (.stacked, [0, 1, 2, 0, 1, 2]),
    ] {
      let larger = Upcycling.repeatingLayers(of: model, copies: 2, order: order)
      #expect(larger.configuration.layers == 6)
      for (index, source) in sources.enumerated() {
        let (copies, layer) = (larger.layers[index].parameters, model.layers[source].parameters)
        #expect(copies.map(\.value.values) == layer.map(\.value.values))
        #expect(!copies[0].value.sharesMemory(with: layer[0].value))
      }
      #expect(larger.gate?.weight.value.values == model.gate?.weight.value.values)
      #expect(larger.readout?.weight.value.values == model.readout?.weight.value.values)
    }
  }

  /// A loop of the stacked model is two of the small one, but for the norm between them.
  @Test func aStackedModelWithoutItsMiddleNormIsTwoLoops() {
    let model = LoopedDecoder.random(.tiny(loops: 2))
    model.norm.gain.value.fill(1)
    let larger = Upcycling.repeatingLayers(of: model, copies: 2, order: .stacked)
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    let batch = DecoderTests.batch
    let once = model.states(batch, loops: 1, table: table)[0]
    let second = model.layers.reduce(once) { $1($0, table: table, segments: batch.segments) }
    // The larger model's second half starts from the state before the norm: with that state normed, they agree.
    let half = larger.layers[2...].reduce(once) { $1($0, table: table, segments: batch.segments) }
    #expect(half.value.values == second.value.values)
  }

  @Test func aLlamaBecomesLooped() throws {
    let llama = LoopedDecoder.random(.tiny(.llama, loops: 1, keyValueHeads: 1, ties: true))
    let batch = DecoderTests.batch
    let looped = Upcycling.looped(llama, loops: 3, batch: batch)
    #expect(looped.configuration.family == .ouro && looped.configuration.loops == 3)
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    let (before, after) = (
      llama.states(batch, loops: 1, table: table)[0].value,
      looped.states(batch, loops: 1, table: table)[0].value
    )
    // Lengths of branches vary from token to token, directions do not change much: the states are alike.
    let like = zip(before.values, after.values).reduce(Float(0)) { $0 + $1.0 * $1.1 }
    let size = zip(before.values, before.values).reduce(Float(0)) { $0 + $1.0 * $1.1 }
    #expect(like / size > 0.7)
    // A branch of the same length everywhere is not changed at all.
    let one = TokenBatch(sequences: 1, length: 1, tokens: [3], targets: [4])
    let alone = Upcycling.looped(llama, loops: 2, batch: one)
    let (a, b) = (
      llama.states(one, loops: 1, table: table)[0].value, alone.states(one, loops: 1, table: table)[0].value
    )
    for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) < 1e-4) }
    #expect(looped.gates(looped.states(batch, loops: 3, table: table)).count == 3)
  }
}
