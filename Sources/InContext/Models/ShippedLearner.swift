import Foundation
import Tensors

/// The learner that comes with looped: linear regression in 5 dimensions, one layer of width 32, trained with 30 loops
/// (Recipes/linear-looped-small.yaml).
public enum ShippedLearner {
  /// Reads it anew: a run of one's own.
  /// - Throws: `AtomicFile.Failure` if the temporary folder cannot be written.
  public static func load() throws -> TrainingRun {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("looped-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try AtomicFile.write([PackageResources.linear_looped_small_safetensors], to: path)
    return try TrainingRun.load(path)
  }
}
