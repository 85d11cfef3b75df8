import TextFiles

/// Fields of comma-separated lines, with their places. Source: RFC 4180; semicolons and tabs separate as well.
struct CSVRows {
  struct Field {
    var text: String
    /// Of the field's first byte in the file.
    var offset: Int
  }

  private let source: [UInt8]
  private let file: String
  private let separator: UInt8
  private var position = 0

  init(_ source: [UInt8], file: String) {
    self.source = source
    self.file = file
    // A mark of UTF-8, as spreadsheets write it.
    if source.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    // What stands in quotes separates nothing.
    var isQuoted = false
    let line = source[position...].prefix { $0 != 10 }.filter { byte in
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      return !isQuoted
    }
    separator = [UInt8(ascii: ","), UInt8(ascii: ";"), 9].first(where: line.contains) ?? UInt8(ascii: ",")
  }

  func error(_ offset: Int, _ message: String, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: source, offset: offset, message: message, hint: hint)
  }

  /// The next line that is not empty; `nil` at the end.
  mutating func next() throws -> [Field]? {
    while position < source.count, source[position] == 10 || source[position] == 13 { position += 1 }
    guard position < source.count else { return nil }
    var fields: [Field] = []
    while true {
      fields.append(try field())
      guard fields.count <= NumericTable.columnLimit else {
        throw error(position, "more than \(NumericTable.columnLimit) columns")
      }
      guard position < source.count, source[position] == separator else { break }
      position += 1
    }
    return fields
  }

  private mutating func field() throws -> Field {
    while position < source.count, source[position] == 32 { position += 1 }
    let start = position
    guard position < source.count, source[position] == UInt8(ascii: "\"") else {
      while position < source.count, source[position] != separator, source[position] != 10 { position += 1 }
      var end = position
      while end > start, source[end - 1] == 32 || source[end - 1] == 13 { end -= 1 }
      return Field(text: try text(source[start..<end], start), offset: start)
    }
    position += 1
    var bytes: [UInt8] = []
    while true {
      guard position < source.count else {
        throw error(start, "the quote is not closed")
      }
      if source[position] == UInt8(ascii: "\"") {
        position += 1
        guard position < source.count, source[position] == UInt8(ascii: "\"") else { break }
      }
      bytes.append(source[position])
      position += 1
    }
    while position < source.count, source[position] == 32 || source[position] == 13 { position += 1 }
    guard position == source.count || source[position] == separator || source[position] == 10 else {
      throw error(position, "text behind a quoted field")
    }
    return Field(text: try text(bytes[...], start), offset: start)
  }

  private func text(_ bytes: ArraySlice<UInt8>, _ start: Int) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error(start, "the text is not UTF-8")
    }
    return text
  }
}
