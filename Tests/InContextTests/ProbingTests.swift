import Foundation
import Gradients
import InContext
import Layers
import Tensors
import Testing

@Suite struct ProbingTests {
  private func prompts(_ count: Int, dimension: Int, points: Int) -> [RegressionPrompt] {
    let task = FunctionTask(LinearFunctions(), dimension: dimension)
    var random = RandomStream(seed: 9)
    return (0..<count).map { _ in task.prompt(points: points, random: &random) }
  }

  @Test func targetsAreWhatTheyAreCalled() {
    #expect(ProbeTarget.moment.prefixes(dimension: 3, points: 5) == [1, 2, 3, 4, 5])
    #expect(ProbeTarget.leastSquares.prefixes(dimension: 3, points: 5) == [1, 2, 3])
    #expect(ProbeTarget.leastSquares.prefixes(dimension: 9, points: 5) == [1, 2, 3, 4, 5])
    for prompt in prompts(5, dimension: 3, points: 5) {
      // By the definition, one prefix at a time.
      for (j, value) in zip(1..., ProbeTarget.moment.values(prompt, prefixes: Array(1...5))) {
        for c in 0..<3 {
          let sum = (0..<j).reduce(Float(0)) { $0 + prompt.x[$1 * 3 + c] * prompt.y[$1] }
          #expect(abs(value[c] - sum / 5) < 1e-5)
        }
      }
      // The weights answer the points they were made of; those of one point are along it.
      let weights = ProbeTarget.leastSquares.values(prompt, prefixes: [1, 2, 3])
      for (j, w) in zip(1..., weights) {
        for i in 0..<j {
          #expect(abs(dot(prompt.x[i * 3..<(i + 1) * 3], w[...]) - prompt.y[i]) < 1e-3)
        }
      }
      let cross = weights[0][0] * prompt.x[1] - weights[0][1] * prompt.x[0]
      #expect(abs(cross) < 1e-4 * (1 + abs(prompt.y[0])))
    }
  }

  @Test func hiddenStatesLeadToThePredictions() {
    // The final norm and the read-out of the last hidden state are the network's own predictions.
    for architecture in [Architecture.standard, .looped, .tied] {
      let run = TrainingRun(
        tinyRecipe {
          $0.architecture = architecture
          $0.layers = 2
        })
      let batch = RegressionPrompt.batch(prompts(3, dimension: 2, points: 5)[...])
      let states = run.model.hiddenStates(batch.tokens, loops: 4)
      #expect(states.count == (architecture == .standard ? 3 : 5))
      #expect(states.allSatisfy { $0.shape == [3, 10, 16] })
      let read = run.model.core.readOut(
        takingTokens(run.model.core.backbone.normed(Variable(states.last!)), by: 2))
      var wanted: [Float] = []
      run.model.predictions(batch, loops: 4) { wanted = $1.values }
      #expect(read.value.values == wanted)
    }
  }

  @Test func probesReadWhatIsThereAndTheControlDoesNot() throws {
    // An untrained network's embedding holds the prompt: x₁ y₁ can be made, roughly, of a pooled vector of both tokens by
    // a small network; the control has only seen y = x₁ + x₂.
    let run = TrainingRun(
      tinyRecipe { ($0.points, $0.loops, $0.width, $0.prompts) = (2, 1, 8, 128) })
    var prober = try Prober(run)
    (prober.steps, prober.batch, prober.prompts, prober.rate) = (150, 48, 192, 2e-2)
    prober.targets = [.moment]
    // Parameters: scores of 4 tokens, 64 · 8 + 64 and 2 · 64 + 2 for each of two probes and depths, in eight copies.
    #expect(prober.bytes > 4 * 2 * 8 * 2 * (4 + 64 * 8 + 2 * 64) && prober.bytes < 4 << 20)
    var calls = 0
    let probing = try #require(
      try prober.probe {
        calls = $0
        return true
      })
    #expect(calls == 300)
    #expect(probing.depthUnit == "loops" && probing.parts.map(\.target) == [.moment])
    let part = probing.parts[0]
    #expect(part.errors.count == 2 && part.control.count == 2 && part.prefixes == [1, 2])
    #expect((part.errors + part.control).allSatisfy { $0.count == 2 && $0.allSatisfy(\.isFinite) })
    // E[(x₁ y)²]/n² for one point of y = w·x with two coordinates: E[x₁² (w₁x₁ + w₂x₂)²] = 4, n = 2.
    #expect(abs(part.squares[0] - 1) < 0.5)
    #expect(part.errors[0][0] < 0.8 * part.squares[0])
    #expect(part.meanErrors[0] < 0.9 * part.bestControl)
    let data = try JSONEncoder().encode(probing)
    #expect(try JSONDecoder().decode(Probing.self, from: data) == probing)
    // The same again, bit by bit; and interrupted.
    (prober.steps, prober.prompts) = (3, 8)
    #expect(try prober.probe() == prober.probe())
    #expect(try prober.probe { $0 < 5 } == nil)
  }

  @Test func onlyLinearFunctionsHaveWeightsToLookFor() {
    #expect(throws: NotProbed.self) { try Prober(TrainingRun(tinyRecipe { $0.family = .tree })) }
    #expect(throws: NotProbed.self) {
      try Prober(
        TrainingRun(
          tinyRecipe {
            $0.family = .autoregression
            $0.order = 2
          }))
    }
  }
}
