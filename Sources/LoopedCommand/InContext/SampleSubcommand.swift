import ArgumentParser
import Foundation
import InContext
import Tensors

/// `looped icl sample`
struct SampleSubcommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Print prompts of a recipe, and what its network and its baselines make of them.",
    discussion: """
      For checking tasks, baselines and networks with other programs: --json writes every token, target and prediction.

        looped icl sample Recipes/linear-looped-tiny.yaml --json
      """)

  @Argument(help: "The folder of a run, a checkpoint, an exported model, or a recipe: its untrained network.")
  var model: String
  @Option(help: "KEY=VALUE over the recipe; may be repeated.") var set: [String] = []
  @Option(help: "How many prompts.") var prompts = 4
  @Flag(help: "Prompts as training draws them; without, prompts for measuring.") var training = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard (1...65_536).contains(prompts) else { throw ValidationError("--prompts is 1 to 65536") }
  }

  private struct Sample: Encodable {
    struct Reading: Encodable {
      /// The first token that predicts, and the distance to the next.
      var first: Int
      var step: Int
      /// [prompt][place][output].
      var targets: [[[Float]]]
      var classes: [Int32]?
    }
    var name: String
    var family: String
    var parameters: Int
    var printedParameters: Int
    var normaliser: Double
    /// [prompt][token][coordinate].
    var tokens: [[[Float]]]
    var readings: [Reading]
    /// Of the answer, after 1, 2, … loops: [loop][prompt][place][output].
    var predictions: [[[[Float]]]]
    /// [prompt][place] by name.
    var baselines: [String: [[Double?]]]
  }

  func run() throws {
    let run = try TrainingRun.fromModelOrRecipe(model, settings: set)
    let recipe = run.recipe
    var random = RandomStream(
      seed: UInt64(bitPattern: Int64(recipe.seed)),
      stream: (training ? Recipe.Stream.data : Recipe.Stream.heldOut).rawValue)
    let batch =
      training
      ? run.task.batch(size: prompts, points: recipe.points, active: nil, random: &random)
      : run.task.heldOutBatch(size: prompts, points: recipe.points, random: &random)
    var sample = Sample(
      name: recipe.name, family: recipe.family.rawValue, parameters: run.model.parameterCount,
      printedParameters: run.model.printedParameterCount, normaliser: run.task.normaliser,
      tokens: Self.nested(batch.tokens),
      readings: batch.readings.map {
        .init(first: $0.first, step: $0.step, targets: Self.nested($0.targets), classes: $0.classes)
      },
      predictions: [], baselines: [:])
    run.model.predictions(batch, loops: recipe.loops) { sample.predictions.append(Self.nested($1)) }
    for (name, predictions) in Evaluator(run).baselinePredictions(batch) {
      sample.baselines[name] = predictions.map { $0.map { $0.isFinite ? $0 : nil } }
    }
    guard json else {
      for (prompt, tokens) in sample.tokens.enumerated() {
        print("prompt \(prompt)")
        for token in tokens { print("  " + token.map { String(format: "%9.4f", $0) }.joined(separator: " ")) }
      }
      return
    }
    print(try jsonText(sample))
  }

  private static func nested(_ tensor: Tensor) -> [[[Float]]] {
    let (rows, columns) = (tensor.shape[1], tensor.shape[2])
    return (0..<tensor.shape[0]).map { outer in
      (0..<rows).map { row in (0..<columns).map { tensor.pointer[(outer * rows + row) * columns + $0] } }
    }
  }
}
