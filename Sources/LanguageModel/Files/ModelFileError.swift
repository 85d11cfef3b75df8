/// What is wrong with a model's files: which file, where in it, and what to do about it.
///
/// Faults in the file formats themselves are `SafetensorsError` and `GGUFError`.
public struct ModelFileError: Error, Equatable, CustomStringConvertible {
  public let file: String
  /// A key of a configuration, or a tensor.
  public let place: String?
  public let message: String
  public let hint: String?

  public init(file: String, place: String? = nil, _ message: String, hint: String? = nil) {
    self.file = file
    self.place = place
    self.message = message
    self.hint = hint
  }

  public var description: String {
    "\(file): error: " + (place.map { "\($0): " } ?? "") + message + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
