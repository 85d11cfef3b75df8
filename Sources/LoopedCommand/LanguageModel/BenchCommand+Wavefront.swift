import CommandSupport
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

extension BenchCommand {
  /// `nil` if what was given means nothing.
  var agreementValues: [Double]? {
    guard let agreement else { return nil }
    let words = agreement.split(separator: ",")
    let values = words.compactMap { Double($0) }
    return values.count == words.count && values.allSatisfy { (0...1).contains($0) } ? values : nil
  }

  /// Plain decoding and the wavefront in turns, and what came out of it.
  func measureWavefront(_ model: LanguageModel, loaded: LoadedModel?, name: String, pool: WorkerPool) throws {
    let loops = try loopCounts(model.configuration.loops)
    guard loops.count == 1, let limit = loops.first else {
      throw CommandError("--wavefront measures one number of loops at a time, not \(loops.count)")
    }
    let settings = GenerationSettings(
      exit: ExitPolicy(.fixed, loops: limit), maximumTokens: generationTokens, endTokens: [])
    let benchmark = WavefrontBenchmark(
      LoopExecutor(model, pool: pool), prompt: try wavefrontPrompt(model, loaded), settings: settings,
      cacheFormat: cacheFormat, repetitions: trials)
    let report = try benchmark.run(.adaptive, agreement: agreementValues)
    let result = WavefrontReport(
      model: name, weights: model.layers[0].query.format.rawValue, loops: limit, threads: pool.threads,
      report: report)
    print(try result.text(output), terminator: "")
  }

  private func wavefrontPrompt(_ model: LanguageModel, _ loaded: LoadedModel?) throws -> [TokenID] {
    guard let prompt else {
      // Any tokens do for the time of passes.
      return (0..<max(depth, 16)).map { TokenID(($0 * 7919 + 13) % model.configuration.vocabularySize) }
    }
    guard let loaded else { throw CommandError("--prompt needs a model with a tokenizer, not --random") }
    return loaded.tokenizer.encode(try PromptText.read(prompt), addSpecialTokens: true)
  }
}

/// What `looped bench --wavefront` prints.
struct WavefrontReport: Encodable {
  let model: String
  let weights: String
  let loops: Int
  let threads: Int
  let report: WavefrontBenchmark.Report

  func text(_ format: BenchCommand.Format) throws -> String {
    switch format {
    case .json, .jsonl:
      return try jsonText(self) + "\n"
    case .md, .csv:
      var table = TextTable(
        header: ["model", "weights", "threads", "loops", "decoding", "t/s", "passes/token", "rows/pass"])
      for (name, way) in [("plain", report.plain), ("wavefront", report.wavefront)] {
        table.add([
          model, weights, "\(threads)", "\(loops)", "\(name) \(way.tokens)",
          String(format: "%.2f", way.tokensPerSecond),
          String(format: "%.2f", way.passesPerToken), String(format: "%.1f", way.rowsPerPass),
        ])
      }
      if format == .csv {
        return ([table.header] + table.rows).map { $0.joined(separator: ",") + "\n" }.joined()
      }
      return table.markdown + "\n" + summary
    }
  }

  private var summary: String {
    let kind =
      report.forcedAgreement == nil ? "agreed with the last loop" : "were made to agree with the last loop"
    let acceptance = report.wavefront.acceptance.dropLast().enumerated().compactMap { loop, value in
      value.map { String(format: "%.0f %% after loop %d", 100 * $0, loop + 1) }
    }
    return String(format: "%.2f times as fast, the same tokens", report.speedup)
      + (acceptance.isEmpty ? "" : "; readouts \(kind): " + acceptance.joined(separator: ", ")) + "\n"
  }
}
