import Foundation
import LanguageModel
import Tensors
import Tokenization

/// Errors of ours: printed as compilers print theirs, `error: …` with a hint below.
public protocol ReportedError: Error {}

extension ReportedError {
  /// Writes the error to standard error.
  public func report() {
    // Errors in a file begin with its name, as compilers print them.
    let text = "\(self)".contains(": error: ") ? "\(self)" : "error: \(self)"
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}

/// What went wrong outside of a source text.
public struct CommandError: ReportedError, CustomStringConvertible {
  public let message: String
  public let hint: String?

  public init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  public var description: String { message + (hint.map { "\nhint: \($0)" } ?? "") }
}

extension ContextLimitError: ReportedError {}
extension ModelShapeError: ReportedError {}
extension PromptError: ReportedError {}
extension SettingError: ReportedError {}
extension PromptCacheError: ReportedError {}
extension DraftSharingError: ReportedError {}
extension RequestMemoryError: ReportedError {}
extension ModelFileError: ReportedError {}
extension GGUFError: ReportedError {}
extension TokenizerError: ReportedError {}
extension TemplateError: ReportedError {}
