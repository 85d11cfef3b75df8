import Foundation
import Gradients
import LanguageModel
import Layers
import Tensors

/// A recipe of a controlled experiment being trained; can be saved, and resumed bit by bit.
///
///     recipe.yaml  checkpoint.safetensors  log.jsonl
///
/// Stage II, where the recipe has one, comes after the other steps and trains the gate alone.
public final class TaskRun {
  public let recipe: TaskRecipe
  public let task: any TokenTask
  public let model: LoopedDecoder
  public let trainer: Trainer
  let table: RotaryTable

  /// A new run, at step 0. - Precondition: the recipe has no contradiction.
  public init(_ recipe: TaskRecipe) {
    self.recipe = recipe
    task = recipe.task()
    var random = recipe.stream(.initialisation)
    model = LoopedDecoder(
      recipe.configuration(vocabulary: task.vocabulary, context: task.longest), random: &random)
    trainer = Trainer(
      model.parameters, rate: recipe.learningRate, adam: recipe.adam,
      clipping: recipe.clipping > 0 ? recipe.clipping : nil)
    // All questions of a step stand in one sequence; rotary positions are relative, so where each begins is no matter.
    table = RotaryTable(
      positions: recipe.batch * task.longest, headSize: model.configuration.headSize,
      base: model.configuration.ropeBase)
  }

  public var isDone: Bool { trainer.step >= recipe.steps + recipe.gateSteps }

  /// One step.
  ///
  /// - Returns: loss, gradient, rate, and the loss after each loop that the objective reads.
  /// - Throws: `Divergence`.
  public func step() throws -> LogEntry {
    let step = trainer.step
    let isGate = step >= recipe.steps
    trainer.rate = isGate ? LearningRate(peak: Float(recipe.gateRate)) : recipe.learningRate
    var random = recipe.stream(.training, step: step)
    let batch = TokenBatch((0..<recipe.batch).map { _ in task.trainingQuestion(&random) })
    var values: [(String, Double)] = []
    let report = try trainer.train { _ in
      if isGate {
        return model.gateLoss(batch, loops: recipe.loops, table: table, objective: GateObjective()).loss
      }
      let states = model.states(batch, loops: recipe.loops, table: table)
      let all = recipe.objective == .expected
      let (loss, statistics) = expectedLoss(
        states: all ? states : [states[states.count - 1]], gates: all ? model.gates(states) : [],
        readout: model.readoutWeight, targets: batch.targets, entropyWeight: recipe.entropyWeight.at(step))
      if all {
        for (loop, loss) in statistics.losses.enumerated() { values.append(("loss_\(loop + 1)", loss)) }
        values += [("exit", statistics.meanExit), ("entropy", statistics.entropy)]
      }
      return loss
    }
    return LogEntry(report, values)
  }

  /// Trains up to the last step, or until `goesOn` says no; a kill loses what came after the last checkpoint.
  ///
  /// - Parameter tell: gets every step that is logged.
  /// - Returns: whether the run is done.
  /// - Throws: `Divergence`, `DataError`; `AtomicFile.Failure` and `LogError` of the files.
  public func train(
    into folder: String, goesOn: () -> Bool = { true }, tell: (LogEntry) -> Void = { _ in }
  ) throws -> Bool {
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw DataError(file: folder, message: "cannot be made: \(error.localizedDescription)")
    }
    try AtomicFile.write([Array(recipe.yaml.utf8)], to: folder + "/recipe.yaml")
    let start = trainer.step
    let log = try JSONLinesLog(path: folder + "/log.jsonl", resumingAfter: start > 0 ? start : nil)
    defer { try? log.close() }
    while !isDone, goesOn() {
      let entry = try step()
      if trainer.step % recipe.logEvery == 0 || isDone {
        try log.write(entry)
        tell(entry)
      }
      if trainer.step % recipe.checkpointEvery == 0 || isDone { try save(into: folder) }
    }
    if !isDone, trainer.step > start { try save(into: folder) }
    return isDone
  }

  // MARK: Files

  public static func checkpoint(in folder: String) -> String { folder + "/checkpoint.safetensors" }

  private func save(into folder: String) throws {
    try Checkpoint.save(trainer, notes: ["task": recipe.yaml], to: Self.checkpoint(in: folder))
  }

  /// The run of a recipe as its folder's checkpoint left it, or a new one where there is none.
  ///
  /// - Throws: `DataError` if the folder holds a run that trains otherwise; `SafetensorsError` or `CheckpointError`.
  public convenience init(_ recipe: TaskRecipe, resuming folder: String) throws {
    let path = Self.checkpoint(in: folder)
    guard FileManager.default.fileExists(atPath: path) else {
      self.init(recipe)
      return
    }
    guard let text = try SafetensorsFile(path: path).metadata["note.task"] else {
      throw DataError(file: path, message: "holds no recipe of a controlled experiment")
    }
    let before = try TaskRecipe(yaml: Array(text.utf8), file: "recipe in \(path)")
    for field in TaskRecipe.fields
    where field.get(before) != field.get(recipe) && !TaskRecipe.isUntrained(key: field.key) {
      throw DataError(
        file: folder, message: "holds a run with another \(field.key)",
        hint: "remove it, or choose another --runs")
    }
    self.init(recipe)
    _ = try Checkpoint.resume(trainer, from: path)
  }
}
