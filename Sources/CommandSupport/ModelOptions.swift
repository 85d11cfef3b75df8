import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

/// Which model, and how it is held in memory: shared by every verb that runs one.
public struct ModelOptions: ParsableArguments, Sendable {
  @Option(
    name: [.customShort("m"), .long],
    help: ArgumentHelp(
      "A Hugging Face directory, a GGUF file, or a name.",
      discussion: "Without it a small looped model of this project's own; `looped models` lists the names."))
  public var model: String?

  @Option(help: ArgumentHelp("How often the block is applied, 1 to 8.", valueName: "n"))
  public var loops: Int?

  @Option(help: "Weights in memory: f32, f16, bf16, int8, int4 or int4-affine. Without it as in the file.")
  public var weights: WeightMatrix.Format?

  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: ArgumentHelp("The longest sequence, in tokens.", valueName: "tokens"))
  public var contextSize: Int?

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp("Threads, as many as processors without it.", valueName: "n"))
  public var threads: Int?

  public init() {}

  public func validate() throws {
    if let loops, !(1...8).contains(loops) {
      throw ValidationError("--loops \(loops): it must be from 1 to 8")
    }
    if let contextSize, contextSize < 1 {
      throw ValidationError("--ctx-size \(contextSize): it must be 1 or more")
    }
    if let threads, threads < 1 { throw ValidationError("--threads \(threads): it must be 1 or more") }
  }

  /// Where the model is.
  /// - Throws: `CommandError` if it has a name and is not here.
  public var path: String { get throws { try NamedModel.path(model) } }

  public var pool: WorkerPool { threads.map(WorkerPool.init(threads:)) ?? .shared }

  /// Opens the model; a bar on a terminal says how far that is.
  /// - Throws: `ModelFileError` and what the parts of a model throw.
  public func load(pool: WorkerPool) throws -> LoadedModel { try load(path: path, pool: pool) }

  /// Opens the model, and says how many seconds that took.
  /// - Throws: as `load(pool:)`.
  public func timedLoad(pool: WorkerPool) throws -> (LoadedModel, seconds: Double) {
    let start = ContinuousClock.now
    let loaded = try load(pool: pool)
    return (loaded, (ContinuousClock.now - start) / .seconds(1))
  }

  /// Opens the model that lies at a path found before.
  /// - Throws: as `load(pool:)`.
  public func load(path: String, pool: WorkerPool) throws -> LoadedModel {
    var bar = ProgressBar(total: 1000, what: "‰ of the weights")
    defer { bar.finish() }
    return try ModelFiles.load(path, loops: loops, weights: weights, pool: pool) { done, total in
      bar.update(Int(1000 * Double(done) / Double(max(total, 1))))
    }
  }
}

extension WeightMatrix.Format: ExpressibleByArgument {}
