import Collectives
import Foundation
import Gradients
import Tensors

extension PretrainingRun {
  /// What a session tells its caller, who prints it.
  public enum Event {
    /// A step that is logged.
    case logged(LogEntry)
    /// Any step, with steps per second since the session began.
    case progressed(step: Int, speed: Double)
    case evaluated(HeldOutEvaluation, sample: String)
  }

  /// Trains up to the recipe's last step, or until `goesOn` says no; writes checkpoints, logs, evaluations and at last
  /// the model. A kill at any moment loses what came after the last checkpoint, and that is made again by `resume`.
  ///
  /// Of several ranks, all call this. The first writes, and evaluates while the others wait; where `goesOn` says no on
  /// one, all stop after the same step.
  ///
  /// - Returns: whether the run is done.
  /// - Throws: `Divergence`; `AtomicFile.Failure` and `LogError` of the files.
  public func train(goesOn: () -> Bool = { true }, tell: (Event) -> Void = { _ in }) throws -> Bool {
    guard communicator.isFirst else { return try follow(goesOn) }
    try AtomicFile.write([Array(recipe.yaml.utf8)], to: folder + "/recipe.yaml")
    let start = trainer.step
    let resumed = start > 0 ? start : nil
    let log = try JSONLinesLog(path: folder + "/log.jsonl", resumingAfter: resumed)
    let measured = try JSONLinesLog(path: folder + "/evaluation.jsonl", resumingAfter: resumed)
    let events = try EventFile(folder: folder + "/events")
    defer {
      try? log.close()
      try? measured.close()
      try? events.close()
    }
    let clock = ContinuousClock()
    let begin = clock.now
    while !isDone, try communicator.agrees(goesOn()) {
      var entry = try step()
      let step = trainer.step
      let speed = Double(step - start) / max((clock.now - begin) / .seconds(1), 1e-9)
      if step % recipe.logEvery == 0 || isDone {
        entry.values.append(("tokens_per_second", speed * Double(tokensPerStep)))
        try log.write(entry)
        try events.write(entry)
        tell(.logged(entry))
      }
      tell(.progressed(step: step, speed: speed))
      let isLast = isDone
      if step % recipe.checkpointEvery == 0 || isLast { try save() }
      guard isLast || recipe.evaluateEvery > 0 && step % recipe.evaluateEvery == 0 else { continue }
      if let evaluation = try evaluate(goesOn: goesOn) {
        try measured.write(evaluation.entry)
        let sample = recipe.sample > 0 ? self.sample(prompt: recipe.prompt, count: recipe.sample) : ""
        try write(sample: sample)
        tell(.evaluated(evaluation, sample: sample))
      }
      if !isLast { try export(to: folder + "/model") }
    }
    if !isDone, trainer.step > start { try save() }
    try export(to: folder + "/model")
    try communicator.barrier()
    return isDone
  }

  /// The same steps on the other ranks, which write nothing.
  private func follow(_ goesOn: () -> Bool) throws -> Bool {
    let start = trainer.step
    while !isDone, try communicator.agrees(goesOn()) {
      _ = try step()
      if trainer.step % recipe.checkpointEvery == 0 || isDone { try save() }
    }
    if !isDone, trainer.step > start { try save() }
    // Whoever ends before the first has written everything might seem to have failed.
    try communicator.barrier()
    return isDone
  }

  /// Appends to samples.txt, which is for people alone.
  private func write(sample: String) throws {
    guard !sample.isEmpty else { return }
    let path = folder + "/samples.txt"
    if !FileManager.default.fileExists(atPath: path) {
      guard FileManager.default.createFile(atPath: path, contents: nil) else {
        throw DataError(file: path, message: "cannot be opened for writing")
      }
    }
    guard let file = FileHandle(forWritingAtPath: path) else {
      throw DataError(file: path, message: "cannot be opened for writing")
    }
    try file.seekToEnd()
    try file.write(contentsOf: Data("--- step \(trainer.step)\n\(sample)\n".utf8))
    try file.close()
  }
}
