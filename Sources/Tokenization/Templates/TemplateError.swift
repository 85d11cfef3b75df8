/// What is wrong with a template, or with what it was given, and where.
///
///     chat template:12: error: there is no filter "frobnicate"
///     hint: …
public struct TemplateError: Error, Equatable, CustomStringConvertible {
  /// Counted from 1.
  public var line: Int
  public var message: String
  public var hint: String?
  /// Whether the template itself refused what it was given, with `raise_exception`.
  public var isRaisedByTemplate = false

  public var description: String {
    "chat template:\(line): error: \(message)" + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
