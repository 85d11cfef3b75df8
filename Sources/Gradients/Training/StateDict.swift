import Tensors

/// Parameters by name, in and out of safetensors files: what other tools read, and what a checkpoint holds more of.
public enum StateDict {
  /// The parameters as they stand in a file. - Precondition: every parameter has a name of its own.
  public static func tensors(_ parameters: [Parameter], prefix: String = "") -> [StoredTensor] {
    parameters.map { StoredTensor(prefix + $0.name, shape: $0.shape, $0.value.values) }
  }

  /// Writes the parameters to a file, atomically. - Throws: `AtomicFile.Failure`.
  public static func save(_ parameters: [Parameter], to path: String) throws {
    try AtomicFile.write(SafetensorsFile.parts(tensors(parameters)), to: path)
  }

  /// Reads the parameters from a file that has exactly these, in f32.
  ///
  /// - Throws: `SafetensorsError` or `CheckpointError`; then no parameter was changed.
  public static func load(into parameters: [Parameter], from path: String) throws {
    let file = try SafetensorsFile(path: path)
    let values = try read(parameters.map { ($0.name, $0.value) }, from: file)
    for (parameter, tensor) in zip(parameters, values) { parameter.value.assign(from: tensor) }
  }

  /// Tensors of the wanted names and shapes, from a file that has no others.
  static func read(_ wanted: [(name: String, shape: Tensor)], from file: SafetensorsFile) throws -> [Tensor] {
    func failure(_ problem: CheckpointError.Problem) -> CheckpointError {
      CheckpointError(file: file.file, problem: problem)
    }
    let names = Set(wanted.map(\.name))
    if let other = file.entries.first(where: { !names.contains($0.name) }) {
      throw failure(.unexpected(other.name))
    }
    return try wanted.map { name, tensor in
      guard let entry = file[name] else { throw failure(.missing(name)) }
      guard entry.shape == tensor.shape else {
        throw failure(.shape(name, wanted: tensor.shape, found: entry.shape))
      }
      guard let values: [Float] = try file.tensor(name).values() else {
        throw failure(.type(name, found: entry.type.rawValue))
      }
      return Tensor(values, shape: entry.shape)
    }
  }
}

/// Why a file cannot be resumed from, or loaded into this model.
public struct CheckpointError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    /// A safetensors file, but without what a checkpoint says of itself.
    case notACheckpoint(String)
    case missing(String)
    case unexpected(String)
    case shape(String, wanted: [Int], found: [Int])
    case type(String, found: String)
    /// The bytes are not those that were written.
    case damaged
  }

  public let file: String
  public let problem: Problem

  public var description: String {
    let text =
      switch problem {
      case .notACheckpoint(let why): "is no checkpoint of a training run: \(why)"
      case .missing(let name): "has no tensor \(name); is it of another model?"
      case .unexpected(let name): "has a tensor \(name) that this model has not"
      case .shape(let name, let wanted, let found):
        "tensor \(name) has shape \(found), this model needs \(wanted)"
      case .type(let name, let found): "tensor \(name) is \(found), not F32"
      case .damaged: "is damaged: its bytes do not have the checksum it was written with"
      }
    return "\(file): error: \(text)"
  }
}
