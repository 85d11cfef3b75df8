/// What is wrong with a tokenizer or its file, and where.
///
///     tokenizer.json: error: pre_tokenizer.type: "CharDelimiterSplit" is not supported
///     hint: …
public struct TokenizerError: Error, Equatable, CustomStringConvertible {
  public var file: String
  /// The keys that lead to the place, such as `model.merges[3]`; empty if the file as a whole is meant.
  public var place: String
  public var message: String
  public var hint: String?

  public init(file: String, place: String = "", message: String, hint: String? = nil) {
    self.file = file
    self.place = place
    self.message = message
    self.hint = hint
  }

  public var description: String {
    "\(file): error: " + (place.isEmpty ? "" : "\(place): ") + message + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
