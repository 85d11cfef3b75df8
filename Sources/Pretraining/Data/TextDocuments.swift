import Foundation
import Tensors

/// The documents of text files: separated by lines that hold `<|endoftext|>` alone; a file without one is a document.
public enum TextDocuments {
  static let separator = "<|endoftext|>"

  /// - Throws: `MappingError`, or `DataError` at the first byte that is no UTF-8.
  public static func read(_ path: String) throws -> [String] {
    let bytes = try SharedBytes.map(path)
    guard let text = String(validating: bytes.buffer, as: UTF8.self) else {
      let valid = String(decoding: bytes.buffer, as: UTF8.self).utf8
      let place = zip(valid, bytes.buffer).enumerated().first { $1.0 != $1.1 }?.offset ?? 0
      let line = bytes.buffer[..<place].reduce(1) { $0 + ($1 == 10 ? 1 : 0) }
      throw DataError(
        file: path, line: line, message: "byte \(place) is no UTF-8",
        hint: "convert the text first, for example with iconv -f latin1 -t utf-8")
    }
    var (documents, lines): ([String], [Substring]) = ([], [])
    func finish() {
      let document = lines.joined(separator: "\n").trimmingCharacters(in: .newlines)
      if !document.isEmpty { documents.append(document + "\n") }
      lines = []
    }
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == separator { finish() } else { lines.append(line) }
    }
    finish()
    return documents
  }
}
