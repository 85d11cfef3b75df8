import Collectives
import Foundation
import Gradients
import LanguageModel
import Layers
import RecipeFiles
import Tensors

/// A recipe being trained: model, optimiser, data; can be saved, and resumed bit by bit.
///
///     recipe.yaml  checkpoint.safetensors  log.jsonl  evaluation.jsonl  samples.txt  events/  data/  model/
public final class PretrainingRun {
  public let recipe: PretrainingRecipe
  public let folder: String
  public let data: PretrainingData
  public let model: LoopedDecoder
  public let trainer: Trainer
  /// The ranks that train together: each differentiates its sequences of every batch.
  public let communicator: any Communicator
  private let source: TokenSource
  private var table: (base: Double, table: RotaryTable)?
  /// The mean of the loss over the last steps, for people.
  public private(set) var smoothedLoss = Double.nan

  /// A new run, at step 0. Makes the folder and the data.
  /// - Parameter communicator: ranks that call this together, and see the same folder.
  /// - Precondition: the recipe has no contradiction.
  /// - Throws: what reading the data and the model to start from throws; `CollectiveError`.
  public convenience init(
    _ recipe: PretrainingRecipe, folder: String, communicator: any Communicator = SingleProcess()
  ) throws {
    let data = try PretrainingData(recipe, folder: folder + "/data", communicator)
    let model: LoopedDecoder
    if recipe.start.isEmpty {
      var random = recipe.stream(.initialisation)
      model = LoopedDecoder(
        recipe.configuration(vocabulary: data.tokenizer.vocabularySize), random: &random)
    } else {
      model = try DecoderFiles.load(recipe.start)
    }
    let shape = model.configuration
    guard shape.vocabularySize >= data.tokenizer.vocabularySize else {
      throw DataError(
        file: recipe.start,
        message: "has a vocabulary of \(shape.vocabularySize), the data of \(data.tokenizer.vocabularySize)",
        hint: "data.tokenizer must be the model's own")
    }
    guard recipe.maximumLoops(of: shape) == 1 || shape.hasExitGate else {
      throw DataError(
        file: recipe.start, message: "has no exit gate, so that it makes one loop",
        hint: "--set training.loops=1, or make it a looped one: looped pretrain upcycle")
    }
    // So that a run that resumes needs nothing outside its folder.
    if communicator.isFirst {
      try AtomicFile.write(
        [Array(shape.configurationFile(type: .float32).utf8)], to: folder + "/data/config.json")
    }
    try self.init(recipe, folder: folder, data: data, model: model, communicator: communicator)
  }

  private init(
    _ recipe: PretrainingRecipe, folder: String, data: PretrainingData, model: LoopedDecoder,
    communicator: any Communicator
  ) throws {
    guard recipe.batch >= communicator.size else {
      throw DataError(
        file: folder,
        message: "a batch of \(recipe.batch) sequences is too small for \(communicator.size) ranks",
        hint: "fewer ranks, or training.batch of as many; training.accumulation can be smaller then")
    }
    self.communicator = communicator
    (self.recipe, self.folder, self.data, self.model) = (recipe, folder, data, model)
    // Stage II holds the others too, so that its checkpoint is a whole model; what has no gradient stays as it is.
    trainer = Trainer(
      model.parameters, rate: recipe.learningRate, adam: recipe.adam,
      clipping: recipe.clipping > 0 ? recipe.clipping : nil, accumulation: recipe.accumulation,
      communicator: communicator)
    source = try TokenSource(
      [data.training], length: recipe.sequence, seed: UInt64(bitPattern: Int64(recipe.seed)))
  }

  public var isDone: Bool { trainer.step >= recipe.steps }

  /// Tokens of one step.
  public var tokensPerStep: Int { recipe.batch * recipe.accumulation * recipe.sequence }

  func loops(at step: Int) -> Int { recipe.loops(at: step, of: model.configuration) }

  func table(at step: Int) -> RotaryTable {
    let base = recipe.ropeBase(at: step, of: model.configuration)
    if let table, table.base == base { return table.table }
    let made = RotaryTable(positions: recipe.sequence, headSize: model.configuration.headSize, base: base)
    table = (base, made)
    return made
  }

  /// One step of training. Of several ranks, all call this, and get the same.
  ///
  /// - Returns: loss, gradient, rate; the loss after each loop, the mean exit, the entropy, and the epoch.
  /// - Throws: `Divergence`.
  public func step() throws -> LogEntry {
    let step = trainer.step
    let (loops, beta) = (loops(at: step), recipe.entropyWeight.at(step))
    let table = table(at: step)
    var parts: [ExitStatistics] = []
    let report = try trainer.train { batch in
      let number = step * recipe.accumulation + batch
      let own = communicator.share(of: recipe.batch)
      let tokens = source.batch(
        from: number * recipe.batch + own.lowerBound, count: own.count,
        noise: recipe.noise.at(step))
      let counted = tokens.countedTargets
      let all = Int(try communicator.sum([Double(counted)])[0])
      // A batch of questions alone teaches nothing.
      guard counted > 0 else { return Variable(Tensor(scalar: 0)) }
      if recipe.stage == .gate {
        let loss = recipe.precision.forProducts {
          model.gateLoss(tokens, loops: loops, table: table, objective: recipe.gateObjective).loss
        }
        return counted == all ? loss : Float(counted) / Float(all) * loss
      }
      let (loss, statistics) = recipe.precision.forProducts {
        model.loss(
          tokens, loops: loops, table: table, entropyWeight: beta, priorRatio: recipe.exitPrior,
          checkpoints: recipe.checkpointsLoops, counted: all)
      }
      parts.append(statistics)
      return loss
    }
    smoothedLoss = smoothedLoss.isFinite ? 0.95 * smoothedLoss + 0.05 * report.loss : report.loss
    var values: [(String, Double)] = [("loops", Double(loops))]
    if let statistics = try ExitStatistics.mean(parts, loops: loops, communicator) {
      for (loop, loss) in statistics.losses.enumerated() { values.append(("loss_\(loop + 1)", loss)) }
      values += [("exit", statistics.meanExit), ("entropy", statistics.entropy)]
    }
    values.append(
      ("epoch", Double(trainer.step * recipe.batch * recipe.accumulation) / Double(source.sequencesPerEpoch)))
    return LogEntry(report, values)
  }

  // MARK: Files

  public static func checkpoint(in folder: String) -> String { folder + "/checkpoint.safetensors" }

  /// Writes everything needed to go on. Of several ranks, all call this. - Throws: `AtomicFile.Failure`.
  public func save() throws {
    try Checkpoint.save(trainer, notes: ["pretraining": recipe.yaml], to: Self.checkpoint(in: folder))
  }

  /// Writes the model as a Hugging Face folder, with its tokenizer. - Throws: `AtomicFile.Failure`.
  ///
  /// - Parameter isPrecise: f32 instead of bf16.
  public func export(to path: String, isPrecise: Bool = false) throws {
    var configuration = model.configuration
    configuration.loops = loops(at: trainer.step)
    configuration.ropeBase = recipe.ropeBase(at: trainer.step, of: model.configuration)
    configuration.contextLength = max(recipe.sequence, recipe.start.isEmpty ? 0 : configuration.contextLength)
    try DecoderFiles.save(
      model, to: path, precision: isPrecise ? .float32 : .bfloat16, configuration: configuration)
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      guard let bytes = FileManager.default.contents(atPath: folder + "/data/" + name) else { continue }
      try AtomicFile.write([Array(bytes)], to: path + "/" + name)
    }
    let ends = data.tokenizer.endOfTurnTokens(configured: [data.beginning])
    try DecoderFiles.write(
      [
        "bos_token_id": data.beginning, "eos_token_id": ends.map { Int($0) }, "pad_token_id": data.beginning,
      ], to: path + "/generation_config.json")
  }

  /// A run as its folder's checkpoint left it.
  ///
  /// - Parameters:
  ///   - settings: over the recipe in the checkpoint, as `training.steps=20000`.
  ///   - communicator: ranks that call this together, as many as there may be now; they see the same folder.
  /// - Throws: `SafetensorsError`, `CheckpointError`, `DataError` or `SourceError`, which name the file.
  public static func resume(
    _ folder: String, settings: [String] = [], communicator: any Communicator = SingleProcess()
  ) throws -> PretrainingRun {
    let path = checkpoint(in: folder)
    let file = try SafetensorsFile(path: path)
    guard let text = file.metadata["note.pretraining"] else {
      throw DataError(file: path, message: "holds no recipe of a language model's training")
    }
    let before = try PretrainingRecipe(yaml: Array(text.utf8), file: "recipe in \(path)")
    let recipe = try PretrainingRecipe(yaml: Array(text.utf8), file: "recipe in \(path)", settings: settings)
    for field in PretrainingRecipe.fields where field.get(before) != field.get(recipe) {
      // What is in the folder already, and would not follow.
      guard !field.key.hasPrefix("data."), !field.key.hasPrefix("model."),
        !["seed", "training.stage"].contains(field.key)
      else {
        throw DataError(
          file: folder, message: "\(field.key) cannot change within a run",
          hint: "start another run, from \(folder)/model with --start")
      }
    }
    let data = try PretrainingData(recipe, folder: folder + "/data", communicator)
    let configuration = try TrainableFiles.configuration(
      at: folder + "/data/config.json", hasExitGate: file["model.gate.weight"] != nil)
    // The model is made before its tensors are compared: its size must be what the file holds.
    guard configuration.parameterCount <= file.entries.reduce(0, { $0 + $1.range.count / 4 }),
      configuration.vocabularySize >= data.tokenizer.vocabularySize
    else { throw DataError(file: path, message: "is of another model than \(folder)/data/config.json") }
    var random = RandomStream(seed: 0)
    let run = try PretrainingRun(
      recipe, folder: folder, data: data, model: LoopedDecoder(configuration, random: &random),
      communicator: communicator)
    _ = try Checkpoint.resume(run.trainer, from: path)
    return run
  }
}

extension ExitStatistics {
  /// The mean over the batches of all ranks, each by its tokens; `nil` of none.
  static func mean(
    _ parts: [ExitStatistics], loops: Int, _ communicator: any Communicator
  ) throws -> ExitStatistics? {
    let own = mean(parts)
    guard communicator.size > 1 else { return own }
    var mean = own ?? ExitStatistics(loops: loops)
    let values = mean.losses + mean.exits + [mean.expectedLoss, mean.entropy]
    let sums = try communicator.sum([Double(mean.tokens)] + values.map { $0 * Double(mean.tokens) })
    guard sums[0] > 0 else { return nil }
    mean.tokens = Int(sums[0])
    let means = sums.dropFirst().map { $0 / sums[0] }
    (mean.losses, mean.exits) = (Array(means[..<loops]), Array(means[loops..<2 * loops]))
    (mean.expectedLoss, mean.entropy) = (means[2 * loops], means[2 * loops + 1])
    return mean
  }

  /// The mean over batches, each by its tokens; `nil` of none.
  static func mean(_ parts: [ExitStatistics]) -> ExitStatistics? {
    guard let first = parts.first else { return nil }
    var mean = ExitStatistics(loops: first.losses.count)
    mean.tokens = parts.reduce(0) { $0 + $1.tokens }
    for part in parts {
      let share = Double(part.tokens) / Double(max(mean.tokens, 1))
      for loop in mean.losses.indices {
        mean.losses[loop] += share * part.losses[loop]
        mean.exits[loop] += share * part.exits[loop]
      }
      mean.expectedLoss += share * part.expectedLoss
      mean.entropy += share * part.entropy
    }
    return mean
  }
}
