import Foundation
import LanguageModel
import Reporting
import Tensors

/// Opening a checkpoint of the 1.4B shape that is in the page cache, by the command as users run it, and the most
/// memory that the command then holds.
///
/// Expected before measuring: bf16 and f32 weights are used where they lie in the file, so that opening costs what
/// config.json and tokenizer.json cost, a few hundredths of a second, and the memory is weights + keys and values + the
/// rows of a prompt (512 · 5632 · 4 bytes, a few times). int8 and int4 are packed while loading: 2.9 GB are read and
/// rounded, a second or two on two cores.
struct FilesBenchmark {
  var repetitions: Int
  var configuration: ModelConfiguration
  var promptTokens = 512
  /// A file with the tokenizer that Ouro has.
  let tokenizer: String
  /// The command itself, without the script that builds it.
  let command = URL(fileURLWithPath: "../.build/release/looped")

  /// What `looped generate --json` says of one answer.
  private struct Answer: Decodable {
    let loadSeconds: Double
    let peakMemoryBytes, cacheBytes, promptTokens: Int
  }

  func run() throws -> BenchmarkResult {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("looped-files-\(getpid())")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let checkpoint = folder.appendingPathComponent("checkpoint").path
    try writeCheckpoint(to: checkpoint)
    var figures: [String: String] = [:]
    let rows = try [WeightMatrix.Format.bfloat16, .int8, .int4].map { format in
      let weights = LanguageModel.random(configuration, format: format).byteCount
      var values: [String: [Double]] = [:]
      for repetition in 0...repetitions {
        var answer: Answer?
        let seconds = try Clock.seconds { answer = try generate(checkpoint, format) }
        // The first run brings the file into the page cache.
        guard repetition > 0, let answer else { continue }
        values["load", default: []].append(answer.loadSeconds)
        values["whole command", default: []].append(seconds)
        values["peak memory", default: []].append(Double(answer.peakMemoryBytes))
        values["keys and values", default: []].append(Double(answer.cacheBytes))
        values["beyond weights, keys and values", default: []].append(
          Double(answer.peakMemoryBytes - weights - answer.cacheBytes))
      }
      var measurements = values.reduce(into: [String: Measurement]()) { measurements, entry in
        let isTime = entry.key == "load" || entry.key == "whole command"
        measurements[entry.key] = Measurement(unit: isTime ? "seconds" : "bytes", values: entry.value)
      }
      measurements["weights"] = Measurement(unit: "bytes", values: [Double(weights)])
      if let load = measurements["load"], let beyond = measurements["beyond weights, keys and values"] {
        figures["files.\(format.rawValue).load"] = String(format: "%.2f", load.median)
        figures["files.\(format.rawValue).beyond"] = String(format: "%.0f", beyond.median / 1e6)
      }
      return ResultRow(
        size: format == .bfloat16 ? 16 : format == .int8 ? 8 : 4, measurements: measurements, comparisons: [:]
      )
    }
    return BenchmarkResult(
      name: "files",
      what: "Opening a bf16 checkpoint of Ouro's 1.4B shape (random weights) that is in the page cache",
      date: today(), machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: [
        "`looped generate --json` on a prompt of \(promptTokens) tokens, one token generated, \(configuration.loops) loops.",
        "Weights in 16 bits are mapped; in 8 and 4 bits they are packed while the file is read.",
        "Peak memory counts pages of the mapped file.",
        "load average at the end: \(ThisMachine.load)",
      ], figures: figures)
  }

  private func writeCheckpoint(to path: String) throws {
    var conversion = try ModelConversion(
      LanguageModel.random(configuration, format: .bfloat16), name: "ouro-1.4b-shape", tokenizer: tokenizer)
    conversion.type = .bf16
    _ = try conversion.write(to: path)
  }

  private func generate(_ checkpoint: String, _ format: WeightMatrix.Format) throws -> Answer {
    let prompt = String(repeating: "a ", count: promptTokens / 2)
    let data = try Command.run(
      command,
      [
        "generate", "-m", checkpoint, "--weights", format.rawValue, "--ignore-chat-template", "-p", prompt,
        "-n",
        "1", "--json",
      ])
    return try JSONDecoder().decode(Answer.self, from: data)
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    var table = TextTable(header: [
      "bits", "load, s", "whole command, s", "weights, MB", "keys and values, MB", "peak memory, MB",
      "beyond both, MB",
    ])
    for row in result.rows {
      func median(_ name: String, _ scale: Double, _ format: String) -> String {
        row.measurements[name].map { String(format: format, $0.median / scale) } ?? ""
      }
      table.add([
        "\(row.size)", median("load", 1, "%.3f"), median("whole command", 1, "%.2f"),
        median("weights", 1e6, "%.0f"),
        median("keys and values", 1e6, "%.0f"), median("peak memory", 1e6, "%.0f"),
        median("beyond weights, keys and values", 1e6, "%.0f"),
      ])
    }
    return heading(result) + table.markdown
  }
}
