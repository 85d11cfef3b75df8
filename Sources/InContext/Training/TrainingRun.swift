import Foundation
import Gradients
import Layers
import RecipeFiles
import Tensors

/// A recipe being trained: model, optimiser, data; can be saved, and resumed bit by bit.
public final class TrainingRun {
  public let recipe: Recipe
  public let task: any PromptTask
  public let model: InContextModel
  public let trainer: Trainer
  private var data: RandomStream
  /// What an exported model says: it has no optimiser that would know.
  private var exportedSteps: Int?
  /// Steps of training behind the parameters.
  public var trainedSteps: Int { exportedSteps ?? trainer.step }
  /// The mean of the normalised loss over the last steps, for people.
  public private(set) var smoothedLoss = Double.nan

  /// - Precondition: the recipe has no contradiction.
  public init(_ recipe: Recipe) {
    self.recipe = recipe
    task = recipe.task
    var random = recipe.stream(.initialisation)
    model = InContextModel(recipe.modelConfiguration(of: task), random: &random)
    trainer = Trainer(
      model.parameters, rate: recipe.learningRate, clipping: recipe.clipping > 0 ? recipe.clipping : nil)
    data = recipe.stream(.data)
  }

  public var isDone: Bool { trainer.step >= recipe.steps }

  /// One step of training.
  ///
  /// - Returns: loss, gradient, rate, the loss over that of predicting zero, and the sizes of the curricula.
  /// - Throws: `Divergence`.
  public func step() throws -> LogEntry {
    let sizes = recipe.sizes(at: trainer.step)
    let window = LoopWindow(
      loops: sizes.loops, window: recipe.window, checkpoints: recipe.checkpointsLoops)
    let report = try trainer.train { _ in
      let batch = task.batch(size: recipe.batch, points: sizes.points, active: sizes.dimension, random: &data)
      return model.loss(batch, window: window, every: recipe.superviseEvery)
    }
    let normalised = report.loss / task.normaliser
    smoothedLoss = smoothedLoss.isFinite ? 0.98 * smoothedLoss + 0.02 * normalised : normalised
    return LogEntry(
      report,
      [
        ("normalised_loss", normalised), ("loops", Double(sizes.loops)), ("points", Double(sizes.points)),
        ("dimension", Double(sizes.dimension)),
      ] + (evaluates(after: trainer.step) ? heldOutErrors() : []))
  }

  /// Whether the log entry of the step with this number, counted from 1, has errors on held-out prompts.
  public func evaluates(after step: Int) -> Bool {
    recipe.evaluateEvery > 0 && (step % recipe.evaluateEvery == 0 || step >= recipe.steps)
  }

  /// Errors after all loops on prompts of the recipe's full size, the same at every call and never trained on: the mean
  /// over the positions, and that of the last, over the error of predicting zero.
  ///
  /// They come from a random stream of their own, so that measuring changes nothing in the training.
  package func heldOutErrors() -> [(name: String, value: Double)] {
    var random = recipe.stream(.heldOut)
    var (all, last, count) = (0.0, 0.0, 0)
    while count < recipe.evaluationPrompts {
      let size = min(128, recipe.evaluationPrompts - count)
      let batch = task.heldOutBatch(size: size, points: recipe.points, random: &random)
      for row in Evaluator(self).errors(of: [batch]) {
        all += row.reduce(0, +) / Double(max(row.count, 1))
        last += row.last ?? .nan
      }
      count += size
    }
    let scale = 1 / (Double(count) * task.normaliser)
    return [("held_out", all * scale), ("held_out_last", last * scale)]
  }

  // MARK: Files

  /// Writes everything needed to go on. - Throws: `AtomicFile.Failure`.
  public func save(to path: String) throws {
    try Checkpoint.save(trainer, streams: ["data": data], notes: ["recipe": recipe.yaml], to: path)
  }

  static let modelFormat = "looped-in-context-model-1"

  /// Writes the parameters and the recipe alone: a third of a checkpoint. - Throws: `AtomicFile.Failure`.
  public func export(to path: String) throws {
    let metadata = ["format": Self.modelFormat, "step": "\(trainedSteps)", "note.recipe": recipe.yaml]
    try AtomicFile.write(
      SafetensorsFile.parts(StateDict.tensors(trainer.adam.parameters), metadata: metadata), to: path)
  }

  /// A run as a checkpoint, or an exported model, left it.
  ///
  /// - Parameter settings: over the recipe in the file, as `training.steps=20000`; those of the model must not change.
  /// - Throws: `SafetensorsError`, `CheckpointError`, `NotAnExperiment` or `SourceError`, which name the file.
  public static func load(_ path: String, settings: [String] = []) throws -> TrainingRun {
    let file = try SafetensorsFile(path: path)
    guard let text = file.metadata["note.recipe"] else {
      throw NotAnExperiment(file: path, reason: "it holds no recipe of an in-context experiment")
    }
    let recipe = try Recipe(yaml: Array(text.utf8), file: "recipe in \(path)", settings: settings)
    // The model is made before its tensors are compared: its size must be what the file holds.
    let rows = 12 * recipe.width * recipe.layers + recipe.task.tokens(points: recipe.points)
    let claimed = recipe.width * rows
    guard claimed <= file.entries.reduce(0, { $0 + $1.range.count / 4 }) else {
      throw NotAnExperiment(file: path, reason: "its recipe is of a larger model than it holds")
    }
    let run = TrainingRun(recipe)
    if file.metadata["format"] == modelFormat {
      try StateDict.load(into: run.trainer.adam.parameters, from: path)
      run.exportedSteps = file.metadata["step"].flatMap(Int.init)
    } else {
      let checkpoint = try Checkpoint.resume(run.trainer, from: path)
      guard let state = checkpoint.streams["data"] else {
        throw NotAnExperiment(file: path, reason: "it has no random stream of the data")
      }
      run.data = RandomStream(state: state)
    }
    return run
  }
}

extension Recipe {
  func stream(_ stream: Stream) -> RandomStream {
    RandomStream(seed: UInt64(bitPattern: Int64(seed)), stream: stream.rawValue)
  }
}

/// A tensor file that does not hold an experiment that could go on.
public struct NotAnExperiment: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let reason: String
  public var description: String { "\(file): error: \(reason)" }
}
