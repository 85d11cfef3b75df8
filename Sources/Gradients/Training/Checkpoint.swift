import Tensors

/// The whole state of a training run in one safetensors file: parameters, Adam's moments, steps, random streams.
///
/// A run that resumes from it makes the same numbers, bit by bit, as one that never stopped. The file appears whole
/// or not at all (`AtomicFile`), so a kill at any moment leaves the checkpoint before.
///
///     model.NAME  adam.first.NAME  adam.second.NAME                    tensors, F32
///     format = looped-checkpoint-1, step, adam.steps, crc32c           metadata
///     stream.NAME = key counter left, note.NAME                        random streams, and the caller's notes
public struct Checkpoint: Equatable, Sendable {
  static let format = "looped-checkpoint-1"

  /// Steps done.
  public var step: Int
  /// Where the random streams of the run stand, by name.
  public var streams: [String: RandomStream.State]
  /// What the caller wants to find again: the recipe, the state of a curriculum.
  public var notes: [String: String]

  /// Writes the state of a run; of several ranks, which all call this, the first writes what one process would have
  /// written: any number of ranks may resume. - Precondition: every parameter has a name of its own.
  /// - Throws: `AtomicFile.Failure`; the file before, if any, is then still there. `CollectiveError`.
  public static func save(
    _ trainer: Trainer, streams: [String: RandomStream] = [:], notes: [String: String] = [:], to path: String
  ) throws {
    guard let moments = try trainer.allMoments() else { return }
    let tensors = places(trainer, moments).map {
      StoredTensor($0.name, shape: $0.shape.shape, $0.shape.values)
    }
    var metadata = ["format": format, "step": "\(trainer.step)", "adam.steps": "\(trainer.adam.steps)"]
    for (name, stream) in streams {
      metadata["stream.\(name)"] = "\(stream.state.key) \(stream.state.counter) \(stream.state.left)"
    }
    for (name, note) in notes { metadata["note.\(name)"] = note }
    metadata["crc32c"] = "\(checksum(tensors, metadata))"
    try AtomicFile.write(SafetensorsFile.parts(tensors, metadata: metadata), to: path)
  }

  /// Puts a run into the state of the file.
  ///
  /// - Returns: the step, the random streams and the notes.
  /// - Throws: `SafetensorsError` or `CheckpointError`, which name the file; then nothing was changed.
  public static func resume(_ trainer: Trainer, from path: String) throws -> Checkpoint {
    let file = try SafetensorsFile(path: path)
    func failure(_ problem: CheckpointError.Problem) -> CheckpointError {
      CheckpointError(file: path, problem: problem)
    }
    guard file.metadata["format"] == format else {
      throw failure(.notACheckpoint("its metadata say no format \(format)"))
    }
    func number(_ key: String) throws -> Int {
      // Far beyond any run, and far from where counting overflows.
      guard let value = file.metadata[key].flatMap(Int.init), 0...1 << 53 ~= value else {
        throw failure(.notACheckpoint("its metadata have no number \(key)"))
      }
      return value
    }
    let (step, adamSteps, crc) = (try number("step"), try number("adam.steps"), try number("crc32c"))
    var checkpoint = Checkpoint(step: step, streams: [:], notes: [:])
    for (key, value) in file.metadata {
      if key.hasPrefix("note.") { checkpoint.notes[String(key.dropFirst(5))] = value }
      guard key.hasPrefix("stream.") else { continue }
      let words = value.split(separator: " ").compactMap { UInt64($0) }
      guard words.count == 3 else {
        throw failure(.notACheckpoint("its \(key) is no state of a random stream"))
      }
      checkpoint.streams[String(key.dropFirst(7))] = .init(key: words[0], counter: words[1], left: words[2])
    }
    // Of several ranks, each reads all, and keeps its part.
    let moments = trainer.momentsToRead()
    let wanted = places(trainer, moments)
    let values = try StateDict.read(wanted, from: file)
    let read = zip(wanted, values).map { StoredTensor($0.name, shape: $1.shape, $1.values) }
    guard Int(checksum(read, file.metadata)) == crc else { throw failure(.damaged) }
    for ((_, place), value) in zip(wanted, values) { place.assign(from: value) }
    trainer.sharing?.keep(moments)
    trainer.step = step
    trainer.adam.steps = adamSteps
    return checkpoint
  }

  /// Every tensor of the state with its name, in an order of its own.
  private static func places(
    _ trainer: Trainer, _ moments: [(first: Tensor, second: Tensor)]
  ) -> [(name: String, shape: Tensor)] {
    zip(trainer.adam.parameters, moments).flatMap { parameter, moments in
      [
        ("model.\(parameter.name)", parameter.value), ("adam.first.\(parameter.name)", moments.first),
        ("adam.second.\(parameter.name)", moments.second),
      ]
    }
  }

  /// Of the metadata but the checksum itself, by name, and of the tensors' names and bytes, in order.
  private static func checksum(_ tensors: [StoredTensor], _ metadata: [String: String]) -> UInt32 {
    var crc = CRC32C()
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != "crc32c" {
      crc.update(Array("\(key)=\(value)\n".utf8))
    }
    for tensor in tensors {
      crc.update(Array(tensor.name.utf8))
      crc.update(tensor.bytes)
    }
    return crc.value
  }
}
