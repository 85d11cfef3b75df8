import Foundation
import Gradients
import Layers
import Tensors
import Testing

@Suite struct TrainingTests {
  @Test func parameterCountsAreThoseOfThePapers() {
    var random = RandomStream(seed: 0)
    func printed(_ width: Int, _ depth: Int) -> Int {
      GPT2Backbone(tokens: 203, width: width, heads: 8, depth: depth, random: &random).printedParameterCount
    }
    #expect(printed(256, 12) == 9_477_632)
    #expect(printed(256, 1) == 790_272)
    #expect(printed(64, 1) == 50_112)
    #expect(printed(64, 12) == 599_936)
    // With positions, read-in (20 coordinates) and read-out.
    let looped = LoopedGPT2(inputs: 20, tokens: 203, width: 256, heads: 8, random: &random)
    #expect(looped.parameterCount == 847_873)
  }

  @Test func namesFollowTheProperties() {
    var random = RandomStream(seed: 0)
    let model = LoopedGPT2(
      inputs: 2, tokens: 4, width: 4, heads: 1, depth: 2, injection: .scaled, random: &random)
    let names = model.namedParameters().map(\.name)
    #expect(names.count == Set(names).count && names.count == 2 + 1 + 2 * 12 + 2 + 2 + 1)
    #expect(names.first == "readIn.weight" && names.last == "injectionScale")
    #expect(names.contains("backbone.blocks.1.attention.qkv.weight"))
    #expect(names.contains("backbone.norm.gain") && names.contains("backbone.positions.weight"))
  }

  @Test func initialisationIsThePapers() {
    var random = RandomStream(seed: 3)
    let model = LoopedGPT2(inputs: 20, tokens: 203, width: 128, heads: 4, depth: 2, random: &random)
    func deviation(_ parameter: Parameter) -> Double {
      let values = parameter.value.values.map(Double.init)
      return (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    }
    let block = model.backbone.blocks[1]
    for (parameter, wanted) in [
      (block.attention.qkv.weight, 0.02), (block.attention.output.weight, 0.01),
      (block.mlp.expand.weight, 0.02),
      (block.mlp.contract.weight, 0.01), (model.backbone.positions!.weight, 0.02),
      (model.readIn.weight, 1 / (3 * 20).squareRoot()),
    ] { #expect(abs(deviation(parameter) / wanted - 1) < 0.05) }
    #expect(model.readIn.weight.value.values.allSatisfy { abs($0) <= 1 / Float(20).squareRoot() })
    #expect(model.readOut.bias!.value.values[0] != 0 && deviation(block.mlp.expand.bias!) == 0)
    #expect(block.mlpNorm.gain.value.values.allSatisfy { $0 == 1 } && deviation(block.mlpNorm.bias) == 0)
  }

  /// Three steps by hand, in f64, from the definition.
  @Test(arguments: [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3)]) func adamIsAdam(_ decay: Double, _ l2: Double) {
    let parameter = Parameter(Tensor([1, -2, 0.5], shape: [1, 3]))
    var settings = Adam.Settings()
    (settings.decay, settings.l2) = (Float(decay), Float(l2))
    let adam = Adam([parameter], settings: settings)
    var (value, first, second) = ([1, -2, 0.5], [0.0, 0, 0], [0.0, 0, 0])
    for t in 1...3 {
      let gradient = [0.3 * Double(t), -1, 0.02]
      adam.clearGradients()
      parameter.slot!.accumulate(Tensor(gradient.map { Float($0) }, shape: [1, 3]))
      adam.step(rate: 0.01, gradientScale: 0.5)
      for i in 0..<3 {
        let g = 0.5 * gradient[i] + l2 * value[i]
        value[i] *= 1 - 0.01 * decay
        first[i] = 0.9 * first[i] + 0.1 * g
        second[i] = 0.999 * second[i] + 0.001 * g * g
        let (m, v) = (first[i] / (1 - pow(0.9, Double(t))), second[i] / (1 - pow(0.999, Double(t))))
        value[i] -= 0.01 * m / (v.squareRoot() + 1e-8)
        #expect(abs(Double(parameter.value.pointer[i]) - value[i]) < 2e-6)
      }
    }
    // A bias does not decay.
    #expect(Parameter(Tensor([1])).decays == false && parameter.decays)
  }

  @Test func schedulesAndCurricula() {
    let cosine = LearningRate(peak: 1, shape: .cosine, warmup: 4, steps: 104, floor: 0.1)
    #expect([0, 3, 4].map(cosine.at) == [0.25, 1, 1])
    #expect(
      abs(cosine.at(54) - 0.55) < 1e-6 && abs(cosine.at(104) - 0.1) < 1e-6 && cosine.at(900) == cosine.at(104)
    )
    #expect(LearningRate(peak: 2, shape: .linear, steps: 10).at(5) == 1)
    #expect(LearningRate(peak: 2).at(1_000_000) == 2)
    let points = Curriculum(start: 11, end: 41, increment: 2, interval: 5000)
    #expect([0, 4999, 5000, 9999, 74_999, 75_000, 500_000].map(points.at) == [11, 11, 13, 13, 39, 41, 41])
    #expect(Curriculum(constant: 7).at(99) == 7)
    #expect(Curriculum(start: 9, end: 4, increment: -2, interval: 1).at(3) == 4)
  }

  @Test func accumulationIsOneLargeBatchAndClippingShortens() throws {
    func run(accumulation: Int, clipping: Double?) throws -> (Trainer.Report, [Float]) {
      let model = LoopedTrainingTests.model()
      var data = LoopedTrainingTests.prompts(batch: 4)
      let (prompts, targets) = data.next()
      let trainer = Trainer(
        model.parameters, rate: LearningRate(peak: 1e-2), clipping: clipping, accumulation: accumulation)
      let size = 4 / accumulation
      let report = try trainer.train { part in
        func cut(_ x: Tensor) -> Tensor {
          let row = x.count / 4
          return Tensor(
            Array(x.values[part * size * row..<(part + 1) * size * row]), shape: [size] + x.shape.dropFirst())
        }
        return model.loss(cut(prompts), targets: cut(targets), window: LoopWindow(loops: 2, window: 2))
      }
      return (report, model.parameters.flatMap { $0.gradient!.values })
    }
    let (whole, gradient) = try run(accumulation: 1, clipping: nil)
    let (parts, sum) = try run(accumulation: 2, clipping: nil)
    #expect(abs(whole.loss - parts.loss) < 1e-5 && abs(whole.gradientNorm - parts.gradientNorm) < 1e-4)
    #expect(zip(gradient, sum).allSatisfy { abs($0 - $1) < 1e-4 * (1 + abs($0)) })
    #expect(whole.clipped == false)
    #expect(try run(accumulation: 1, clipping: whole.gradientNorm / 3).0.clipped)
    let length = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(length - whole.gradientNorm) < 1e-5 * length)
  }

  @Test func divergenceStopsWithAReportAndChangesNothing() throws {
    let model = LoopedTrainingTests.model()
    let trainer = Trainer(model.parameters, rate: LearningRate(peak: 1e-3))
    var data = LoopedTrainingTests.prompts()
    let (prompts, targets) = data.next()
    let before = model.parameters.map(\.value.values)
    targets[0, 1, 0] = .nan
    let error = #expect(throws: Divergence.self) {
      try trainer.train { _ in model.loss(prompts, targets: targets, window: LoopWindow(loops: 2, window: 1))
      }
    }
    #expect(error?.step == 1 && error?.brokenParameters == [] && trainer.step == 0)
    #expect(model.parameters.map(\.value.values) == before)
    targets[0, 1, 0] = 0
    model.backbone.blocks[0].mlp.expand.weight.value[3, 2] = .infinity
    let second = #expect(throws: Divergence.self) {
      try trainer.train { _ in model.loss(prompts, targets: targets, window: LoopWindow(loops: 2, window: 1))
      }
    }
    #expect(second?.brokenParameters == ["backbone.blocks.0.mlp.expand.weight"])
    #expect("\(second!)".contains("diverged at step 1"))
    // A gradient that overflows though the loss is finite.
    let parameter = Parameter(Tensor([0]))
    parameter.name = "wide"
    let wide: Float = 1e30
    let third = #expect(throws: Divergence.self) {
      try Trainer([parameter], rate: LearningRate(peak: 1)).train { _ in
        squaredError(wide * (wide * parameter), Tensor([1]))
      }
    }
    #expect(third?.loss == 1 && third?.gradientNorm == .infinity && third?.brokenGradients == ["wide"])
  }
}
