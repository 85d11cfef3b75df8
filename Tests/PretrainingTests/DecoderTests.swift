import Gradients
import LanguageModel
import Layers
import Tensors
import Testing

@testable import Pretraining

/// The trainable decoder against itself in f64: states, gates, and the gradients of both stages.
@Suite struct DecoderTests {
  static let batch = TokenBatch(
    sequences: 2, length: 5, tokens: [0, 3, 7, 0, 4, 12, 5, 6, 7, 8],
    targets: [3, 7, 0, 4, -1, 5, -1, 7, 8, 9], segments: [0..<3, 3..<5, 5..<10])

  private func reference(_ model: LoopedDecoder) -> DecoderReference {
    DecoderReference(
      configuration: model.configuration,
      weights: Dictionary(
        uniqueKeysWithValues: model.namedParameters().map {
          ($0.name, $0.parameter.value.values.map(Double.init))
        }))
  }

  @Test(arguments: [
    ModelConfiguration.tiny(), .tiny(loops: 1, ties: true), .tiny(.llama, loops: 1, keyValueHeads: 1),
    .tiny(loops: 4, keyValueHeads: 1, ties: true),
  ])
  func statesAndGradients(_ configuration: ModelConfiguration) throws {
    let (model, loops) = (LoopedDecoder.random(configuration), configuration.loops)
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    let exact = reference(model)
    let wanted = exact.run(Self.batch, loops: loops, base: 100)
    for (state, reference) in zip(model.states(Self.batch, loops: loops, table: table), wanted.states) {
      for (a, b) in zip(state.value.values, reference) { #expect(abs(Double(a) - b) < 2e-5) }
    }
    let beta = 0.2
    func loss(_ decoder: DecoderReference) -> Double {
      let (states, gates) = decoder.run(Self.batch, loops: loops, base: 100)
      return Reference.expectedLoss(
        states: states, gates: gates, readout: decoder.readout, width: configuration.hiddenSize,
        targets: Self.batch.targets, beta: beta)
    }
    let tape = Tape()
    let (value, _) = tape.record {
      model.loss(Self.batch, loops: loops, table: table, entropyWeight: beta)
    }
    #expect(abs(Double(value.value.scalar) - loss(exact)) < 1e-5)
    tape.backward(from: value)
    for (name, parameter) in model.namedParameters() {
      // With one loop the gate decides nothing.
      if loops == 1, name.hasPrefix("gate") {
        #expect(parameter.gradient == nil)
        continue
      }
      let gradient = try #require(parameter.gradient, "no gradient of \(name)")
      // Some elements of every parameter: the differences cost a whole pass each.
      for i in Swift.stride(from: 0, to: parameter.value.count, by: max(1, parameter.value.count / 7)) {
        let step = 1e-5
        var (above, below) = (exact, exact)
        above.weights[name]![i] += step
        below.weights[name]![i] -= step
        let difference = (loss(above) - loss(below)) / (2 * step)
        #expect(
          abs(Double(gradient.pointer[i]) - difference) < 2e-4 * (1 + abs(difference)),
          "\(name)[\(i)]: \(gradient.pointer[i]), \(difference)")
      }
    }
  }

  @Test(arguments: GateObjective.Reading.allCases)
  func theGateAloneIsTaughtInStageTwo(_ reading: GateObjective.Reading) throws {
    let configuration = ModelConfiguration.tiny()
    let model = LoopedDecoder.random(configuration)
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    let objective = GateObjective(reading: reading, slope: 3, threshold: 0.01)
    let exact = reference(model)
    let constants = exact.run(Self.batch, loops: 3, base: 100)
    let losses = constants.states.map {
      Reference.crossEntropies($0, readout: exact.readout, width: 8, targets: Self.batch.targets)
    }
    func loss(_ decoder: DecoderReference) -> Double {
      Reference.gateLoss(
        gates: decoder.run(Self.batch, loops: 3, base: 100).gates, losses: losses,
        targets: Self.batch.targets, objective: objective)
    }
    let tape = Tape()
    let (value, _) = tape.record {
      model.gateLoss(Self.batch, loops: 3, table: table, objective: objective)
    }
    #expect(abs(Double(value.value.scalar) - loss(exact)) < 1e-5)
    tape.backward(from: value)
    for (name, parameter) in model.namedParameters() {
      guard name.hasPrefix("gate") else {
        #expect(parameter.gradient == nil, "\(name) is a constant")
        continue
      }
      let gradient = try #require(parameter.gradient)
      for i in 0..<parameter.value.count {
        let step = 1e-5
        var (above, below) = (exact, exact)
        above.weights[name]![i] += step
        below.weights[name]![i] -= step
        let difference = (loss(above) - loss(below)) / (2 * step)
        #expect(abs(Double(gradient.pointer[i]) - difference) < 2e-5, "\(name)[\(i)]")
      }
    }
  }

  /// Products in bf16 have the gradients of f32, but for their rounding, in both stages.
  @Test(arguments: [
    ModelConfiguration.tiny(), .tiny(loops: 1, ties: true), .tiny(.llama, loops: 1, keyValueHeads: 1),
    .tiny(loops: 4, keyValueHeads: 1, ties: true),
  ])
  func gradientsOfProductsInBFloat16(_ configuration: ModelConfiguration) {
    let (model, loops) = (LoopedDecoder.random(configuration), configuration.loops)
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    func gradients(_ precision: ProductPrecision, _ loss: () -> Variable) -> [Float] {
      for parameter in model.parameters { parameter.clearGradient() }
      let tape = Tape()
      let value = precision.forProducts { tape.record(loss) }
      tape.backward(from: value)
      return model.parameters.flatMap { $0.gradient?.values ?? [] }
    }
    func distance(_ a: [Float], _ b: [Float]) -> Float {
      zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    // How far rounding moves these gradients depends on the model. So the measure is f32 itself, with weights that were
    // rounded before: bf16 rounds those too, and the activations and slopes that they are multiplied with.
    func expectClose(_ loss: () -> Variable) {
      let (ours, wanted) = (gradients(.bfloat16, loss), gradients(.float32, loss))
      let kept = model.parameters.map { $0.value.copy() }
      for parameter in model.parameters where parameter.shape.count == 2 {
        for i in 0..<parameter.value.count {
          let bits = parameter.value.pointer[i].bitPattern
          parameter.value.pointer[i] = Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
        }
      }
      let weights = distance(gradients(.float32, loss), wanted)
      for (parameter, value) in zip(model.parameters, kept) { parameter.value.assign(from: value) }
      let ratio = distance(ours, wanted) / weights
      #expect(ratio > 0.25 && ratio < 4, "\(ratio)")
    }
    expectClose { model.loss(Self.batch, loops: loops, table: table, entropyWeight: 0.2).loss }
    guard loops > 1 else { return }
    let objective = GateObjective(reading: .deciding, slope: 3, threshold: 0.01)
    expectClose { model.gateLoss(Self.batch, loops: loops, table: table, objective: objective).loss }
  }

  /// Loops that are computed again give the same gradients, bit by bit.
  @Test(arguments: ProductPrecision.allCases) func checkpointedLoops(_ precision: ProductPrecision) {
    let model = LoopedDecoder.random(.tiny(loops: 4))
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    func gradients(_ checkpoints: Bool) -> [[Float]] {
      for parameter in model.parameters { parameter.clearGradient() }
      let tape = Tape()
      let (loss, _) = precision.forProducts {
        tape.record {
          model.loss(Self.batch, loops: 4, table: table, entropyWeight: 0.1, checkpoints: checkpoints)
        }
      }
      tape.backward(from: loss)
      return model.parameters.map { $0.gradient!.values }
    }
    let same = gradients(false) == gradients(true)
    #expect(same)
  }

  /// Nothing of a document reaches another in the same sequence, and nothing of the future the past.
  @Test func documentsAndTheFutureAreNotSeen() {
    let model = LoopedDecoder.random(.tiny())
    let table = RotaryTable(positions: 5, headSize: 4, base: 100)
    let before = model.states(Self.batch, loops: 3, table: table).last!.value
    var changed = Self.batch
    changed.tokens[2] = 9
    let after = model.states(changed, loops: 3, table: table).last!.value
    for row in 0..<10 {
      let same = (0..<8).allSatisfy { before.pointer[row * 8 + $0] == after.pointer[row * 8 + $0] }
      #expect(same == (row != 2), "row \(row)")
    }
  }
}
