import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

/// Which model, and how it is held in memory: shared by every verb that runs one.
struct ModelOptions: ParsableArguments {
  @Option(
    name: [.customShort("m"), .long],
    help: ArgumentHelp(
      "A Hugging Face directory, a GGUF file, or a name.",
      discussion: "Without it a small looped model of this project's own; `looped models` lists the names."))
  var model: String?

  @Option(help: ArgumentHelp("How often the block is applied, 1 to 8.", valueName: "n"))
  var loops: Int?

  @Option(help: "Weights in memory: f32, f16, bf16, int8 or int4. Without it as in the file.")
  var weights: WeightMatrix.Format?

  @Option(
    name: [.customShort("c"), .customLong("ctx-size")],
    help: ArgumentHelp("The longest sequence, in tokens.", valueName: "tokens"))
  var contextSize: Int?

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp("Threads, as many as processors without it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
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
  var path: String { get throws { try NamedModel.path(model) } }

  var pool: WorkerPool { threads.map(WorkerPool.init(threads:)) ?? .shared }

  /// Opens the model; a bar on a terminal says how far that is.
  /// - Throws: `ModelFileError` and what the parts of a model throw.
  func load(pool: WorkerPool) throws -> LoadedModel {
    let path = try self.path
    var bar = ProgressBar(total: 1000, what: "‰ of the weights")
    defer { bar.finish() }
    return try ModelFiles.load(path, loops: loops, weights: weights, pool: pool) { done, total in
      bar.update(Int(1000 * Double(done) / Double(max(total, 1))))
    }
  }
}

extension WeightMatrix.Format: ExpressibleByArgument {}
