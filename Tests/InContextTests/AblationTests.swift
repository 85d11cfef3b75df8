import Gradients
import InContext
import Layers
import Tensors
import Testing

/// The choices that the papers leave open: where positions and norms are, what the blocks read.
@Suite struct AblationTests {
  static let choices: [(PositionPlace, NormPlace, Bool)] = PositionPlace.allCases.flatMap { positions in
    NormPlace.allCases.flatMap { norms in [false, true].map { (positions, norms, $0) } }
  }

  private func run(_ architecture: Architecture, _ choice: (PositionPlace, NormPlace, Bool)) -> TrainingRun {
    TrainingRun(
      tinyRecipe {
        $0.architecture = architecture
        $0.layers = 2
        ($0.positions, $0.norms, $0.injectsBlocks) = choice
      })
  }

  @Test(arguments: Architecture.allCases, AblationTests.choices.indices)
  func everyChoiceHasTheParametersItNamesAndLearns(_ architecture: Architecture, _ choice: Int) throws {
    let (positions, norms, injects) = Self.choices[choice]
    let run = run(architecture, (positions, norms, injects))
    let names = run.model.namedParameters().map(\.name)
    let stacks = architecture == .algoFormer ? 3 : 1
    #expect(names.filter { $0.hasSuffix("ositions.weight") }.count == (positions == .stacks ? stacks : 1))
    #expect(names.contains("inputPositions.weight") == (positions == .input))
    #expect(names.contains("outputNorm.gain") == (norms == .output))
    #expect(names.contains("core.backbone.norm.gain") == (norms == .stacks))
    let before = run.trainer.adam.parameters.map(\.value.values)
    for _ in 0..<2 { _ = try run.step() }
    for (parameter, old) in zip(run.trainer.adam.parameters, before) {
      #expect(parameter.value.values != old, "\(parameter.name)")
    }
  }

  @Test func positionsOfTheInputAreThoseOfAPreTransformer() throws {
    // With one table of positions before the pre-transformer, the same table inside it makes the same network.
    let recipe = tinyRecipe {
      $0.architecture = .algoFormer
      $0.positions = .input
    }
    let run = TrainingRun(recipe)
    var random = RandomStream(seed: 1)
    let tokens = run.task.batch(size: 2, points: 5, active: nil, random: &random).tokens
    let embedded = run.model.hiddenStates(tokens, loops: 1)[0]
    let pre = try #require(run.model.pre)
    let table = try #require(run.model.inputPositions)
    let read = run.model.core.readIn(Variable(tokens))
    var h = addingPositions(read, table.weight)
    for block in pre.blocks { h = block(h) }
    #expect(pre.normed(h).value.values == embedded.values)
  }

  @Test func withoutInjectionTheLoopStartsFromThePreTransformer() {
    let run = TrainingRun(
      tinyRecipe {
        $0.architecture = .algoFormer
        $0.injection = .none
      })
    var random = RandomStream(seed: 1)
    let tokens = run.task.batch(size: 2, points: 5, active: nil, random: &random).tokens
    let pre = run.model.pre!(run.model.core.readIn(Variable(tokens)))
    #expect(run.model.core.initialState(pre).value.values == pre.value.values)
    let states = run.model.hiddenStates(tokens, loops: 2)
    let first = run.model.core.backbone.hidden(pre)
    let second = run.model.core.backbone.hidden(run.model.core.backbone.normed(first))
    #expect(states[1].values == first.value.values && states[2].values == second.value.values)
  }

  @Test func everyBlockReadsTheInputWhereItIsInjected() {
    let run = run(.standard, (.stacks, .stacks, true))
    let backbone = run.model.core.backbone
    var random = RandomStream(seed: 1)
    let x = Variable(random.normal([2, 10, 16]))
    var h = addingPositions(x, backbone.positions!.weight)
    for block in backbone.blocks { h = block(h + x) }
    #expect(backbone(x).value.values == backbone.normed(h).value.values)
    let plain = self.run(.standard, (.stacks, .stacks, false)).model.core.backbone
    #expect(plain(x).value.values != backbone(x).value.values)
    #expect(plain.printedParameterCount == backbone.printedParameterCount)
  }
}
