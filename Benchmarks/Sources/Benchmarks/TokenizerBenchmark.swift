import Foundation
import Reporting
import Tokenization

/// Text into tokens on one core, by SmolLM2's tokenizer, which is Ouro's, beside the package `tokenizers`, in turns.
///
/// Expected before measuring: at least 5 MB/s. Nearly every word was seen before, so that a piece of text costs its
/// splitting and one look-up of its tokens.
struct TokenizerBenchmark {
  var repetitions: Int
  let python: String
  /// A GGUF file whose tokenizer is measured.
  let model: String

  func run() throws -> BenchmarkResult {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("looped-tokenizer-\(getpid())")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent("tokenizer.json").path
    try Command.looped(["convert", model, folder.appendingPathComponent("model").path])
    try FileManager.default.moveItem(
      atPath: folder.appendingPathComponent("model/tokenizer.json").path, toPath: file)
    let tokenizer = try Tokenizer(contentsOf: file)
    let texts = try Self.texts(folder)
    let rows = try texts.map { name, path in
      let documents = Self.documents(try String(contentsOfFile: path, encoding: .utf8))
      try JSONEncoder().encode(documents).write(to: URL(fileURLWithPath: path))
      let bytes = documents.reduce(0) { $0 + $1.utf8.count }
      guard let peer = ServedPeer("tokenizers_encode", python: python, arguments: [file, path]) else {
        throw PeerFailure(script: "tokenizers_encode.py")
      }
      defer { peer.stop() }
      var values: [String: [Double]] = [:]
      for repetition in 0...repetitions {
        var count = 0
        let ours = Clock.seconds { count = documents.reduce(0) { $0 + tokenizer.encode($1).count } }
        let theirs = try peer.measure("encode")
        guard try peer.measure("count") == Double(count) else {
          throw PeerFailure(script: "tokenizers_encode.py")
        }
        guard repetition > 0 else { continue }
        values["ours", default: []].append(Double(bytes) / ours / 1e6)
        values["tokenizers", default: []].append(Double(bytes) / theirs / 1e6)
      }
      let measurements = values.mapValues { Measurement(unit: "MB/s", values: $0) }
      return (
        name,
        ResultRow(
          size: bytes, measurements: measurements,
          comparisons: [name: Comparison(of: measurements["ours"]!, to: measurements["tokenizers"]!)])
      )
    }
    let slowest = rows.compactMap { $1.measurements["ours"]?.median }.min() ?? 0
    return BenchmarkResult(
      name: "tokenizer", what: "Text into tokens by SmolLM2's tokenizer, on one core", date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows.map(\.1),
      notes: [
        "Documents of some 4 kB, which the package `tokenizers` gets as one batch; one thread each. Both find the same "
          + "number of tokens in every run.",
        "load average at the end: \(ThisMachine.load)",
      ], figures: ["tokenizer.rate": String(format: "%.0f", slowest)])
  }

  /// Lines that belong together: longer texts slow the package down, which is not what is measured.
  private static func documents(_ text: String) -> [String] {
    var documents: [String] = [""]
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      documents[documents.count - 1] += line + "\n"
      if documents[documents.count - 1].utf8.count > 4096 { documents.append("") }
    }
    return documents
  }

  /// Prose, and source code.
  private static func texts(_ folder: URL) throws -> [(name: String, path: String)] {
    let prose = folder.appendingPathComponent("prose.txt").path
    try Command.run(URL(fileURLWithPath: "../Scripts/fetch-king-james-bible"), [prose])
    let code = folder.appendingPathComponent("code.txt")
    let sources = FileManager.default.enumerator(
      at: URL(fileURLWithPath: "../Sources"), includingPropertiesForKeys: nil)
    let files = (sources?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
    let text = try files.sorted { $0.path < $1.path }.map { try String(contentsOf: $0, encoding: .utf8) }
      .joined()
    try Data(text.utf8).write(to: code)
    return [("King James Bible", prose), ("our own sources", code.path)]
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    var table = TextTable(header: [
      "text", "MB", "ours, MB/s", "tokenizers, MB/s", "ours / tokenizers (spread)",
    ])
    for row in result.rows {
      for (name, comparison) in row.comparisons {
        table.add([
          name, String(format: "%.1f", Double(row.size) / 1e6),
          String(format: "%.1f", row.measurements["ours"]!.median),
          String(format: "%.1f", row.measurements["tokenizers"]!.median),
          String(
            format: "%.2f (%.2f–%.2f)", comparison.ratioOfMedians, comparison.smallest, comparison.largest),
        ])
      }
    }
    return heading(result) + table.markdown
  }
}
