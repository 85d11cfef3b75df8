import Foundation
import Gradients
import LanguageModel
import Layers
import Tensors

extension PretrainingRun {
  /// The run of a recipe as its folder's checkpoint left it, or a new one where there is none.
  ///
  /// A recipe of no steps is a model as it is, and has no checkpoint.
  /// - Throws: `DataError` if the folder holds a run that trains otherwise; what `init` and `resume` throw.
  public static func opened(_ recipe: PretrainingRecipe, folder: String) throws -> PretrainingRun {
    let path = folder + "/recipe.yaml"
    guard let bytes = FileManager.default.contents(atPath: path) else {
      let run = try PretrainingRun(recipe, folder: folder)
      // Whose data are in the folder, even if nothing is trained.
      try AtomicFile.write([Array(recipe.yaml.utf8)], to: path)
      return run
    }
    let before = try PretrainingRecipe(yaml: Array(bytes), file: path)
    var settings: [String] = []
    for field in PretrainingRecipe.fields where field.get(before) != field.get(recipe) {
      guard PretrainingRecipe.isUntrained(key: field.key) else {
        throw DataError(
          file: folder, message: "holds a run with another \(field.key)",
          hint: "remove it, or choose another --runs")
      }
      settings.append("\(field.key)=\(field.get(recipe))")
    }
    guard FileManager.default.fileExists(atPath: checkpoint(in: folder)) else {
      return try PretrainingRun(recipe, folder: folder)
    }
    return try resume(folder, settings: settings)
  }

  /// What every loop says of the held-out documents, read from the beginning: right tokens, losses, agreement, exits.
  ///
  /// The first sequences of `evaluation.sequences`, or all. Complexity: a readout and its exponentials for every token and
  /// loop.
  /// - Parameter goesOn: asked before every batch; `false` ends without a result.
  /// - Returns: `nil` where it was ended.
  /// - Throws: `DataError` where no document was held out.
  public func measure(goesOn: () -> Bool = { true }) throws -> TaskEvaluation? {
    guard let heldOut = data.heldOut else {
      throw DataError(
        file: folder, message: "has no held-out documents",
        hint: "data.held-out-every in the recipe keeps some back")
    }
    let length = min(recipe.sequence, max(1, heldOut.count - 1))
    let source = try TokenSource([heldOut], length: length, seed: 0, shuffles: false)
    let limit = recipe.evaluationSequences
    let sequences = limit > 0 ? min(limit, source.sequencesPerEpoch) : source.sequencesPerEpoch
    let step = max(0, recipe.steps - 1)
    let (loops, table) = (loops(at: step), table(at: step))
    var result = TaskEvaluation(seed: recipe.seed, steps: recipe.steps, groups: ["held-out"], loops: loops)
    (result.name, result.parameters) = (recipe.name, model.parameterCount)
    for first in stride(from: 0, to: sequences, by: recipe.batch) {
      guard goesOn() else { return nil }
      let batch = source.batch(from: first, count: min(recipe.batch, sequences - first))
      let rows = batch.targets.indices.filter { batch.targets[$0] >= 0 }
      let targets = rows.map { batch.targets[$0] }
      let readings = Tape.withoutRecording {
        model.readings(model.states(batch, loops: loops, table: table), rows: rows, targets: targets)
      }
      for (reading, target) in zip(readings, targets) { result.add(reading, answer: target, group: 0) }
    }
    result.divide()
    return result
  }
}
