/// What is wrong with a text that a person wrote, and where: printed as compilers do.
///
///     sum.asq:3:7: error: no label named 'totl'
///       one totl
///           ^
///     hint: …
public struct SourceError: Error, Equatable, CustomStringConvertible {
  public var file: String
  /// Counted from 1.
  public var line: Int
  /// Counted from 1, in bytes.
  public var column: Int
  public var message: String
  public var hint: String?
  /// The line of the source, shortened around the column if it is long.
  public var excerpt: String
  /// Where the caret goes in `excerpt`, counted from 0.
  public var caret: Int

  /// - Parameter offset: the byte of `source` the error is about; may be its end.
  public init(file: String, source: [UInt8], offset: Int, message: String, hint: String? = nil) {
    let offset = min(max(offset, 0), source.count)
    let start = source[..<offset].lastIndex(of: 10).map { $0 + 1 } ?? 0
    let end = source[offset...].firstIndex(of: 10) ?? source.count
    self.file = file
    line = source[..<offset].reduce(1) { $0 + ($1 == 10 ? 1 : 0) }
    column = offset - start + 1
    self.message = message
    self.hint = hint
    // Long lines are cut: garbage can be one line of many megabytes.
    let first = max(start, offset - 60)
    let shown = source[first..<min(end, offset + 60)]
    excerpt = String(decoding: shown.map { $0 < 32 || $0 == 127 ? 32 : $0 }, as: UTF8.self)
    caret = String(decoding: source[first..<offset], as: UTF8.self).count
  }

  public var description: String {
    "\(file):\(line):\(column): error: \(message)\n  \(excerpt)\n  \(String(repeating: " ", count: caret))^"
      + (hint.map { "\nhint: \($0)" } ?? "")
  }
}
