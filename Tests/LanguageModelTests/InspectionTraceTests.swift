import Foundation
import LanguageModel
import Looping
import Testing

/// Inspections in the format of all traces.
@Suite struct InspectionTraceTests {
  private static func loaded(_ family: ModelConfiguration.Family, loops: Int) throws -> LoadedModel {
    try LoadedModel.random(
      ModelConfiguration(
        family: family, vocabularySize: 320, hiddenSize: 64, layers: 2, heads: 4, keyValueHeads: 4,
        headSize: 16, intermediateSize: 96, loops: loops, contextLength: 64, ropeBase: 1e4,
        hasExitGate: family == .ouro))
  }

  private static func trace(_ loaded: LoadedModel, _ text: String) throws -> (LoopInspection, Trace) {
    let inspection = try LoopInspection(
      LoopExecutor(loaded.model), loaded.tokenizer.encode(text), top: 4)
    return (inspection, inspection.trace(of: loaded.model, loaded.tokenizer, name: "m", trainedLoops: 2))
  }

  @Test func saysWhatTheInspectionSays() throws {
    let loaded = try Self.loaded(.ouro, loops: 3)
    let (inspection, trace) = try Self.trace(loaded, "a b\né")
    let header = trace.header
    #expect(header.text == .init(tokens: ["a", " ", "b", "\n", "\\xC3", "\\xA9"], trainedLoops: 2))
    #expect(header.columns == ["0", "1", "2", "3", "4", "5"])
    #expect(header.values == Array(repeating: log2(320), count: 6))
    #expect(header.program == "a b é" && header.family == "language-model" && header.network == "m")
    #expect(header.layers == 2 && header.width == 64 && header.digest == loaded.model.fingerprint())
    #expect(header.parameters == loaded.model.configuration.parameterCount)
    #expect(trace.steps.map(\.loop) == [1, 2, 3] && trace.end == TraceEnd(loops: 3, halt: "fixed count"))
    var values = header.values
    var left = 0.0
    for (loop, step) in trace.steps.enumerated() {
      for change in step.changes {
        #expect(values[change.column] == change.before)
        values[change.column] = change.after
      }
      let predictions = try #require(step.predictions)
      for (position, cells) in inspection.cells.enumerated() {
        let (cell, prediction) = (cells[loop], predictions[position])
        #expect(abs(values[position] - Double(cell.entropy) / log(2)) < 1e-9)
        #expect(prediction.tokens.count == 4)
        for (alternative, shown) in zip(cell.top, zip(prediction.tokens, prediction.probabilities)) {
          let text = loaded.tokenizer.decode([alternative.token])
          #expect(shown.0 == text || text.contains("\u{FFFD}") && shown.0.hasPrefix("\\x"))
          #expect(abs(shown.1 - Double(exp(alternative.logProbability))) < 1e-6)
        }
        #expect(prediction.exit == Double(inspection.exitProbabilities[position][loop]))
      }
      // The words are the numbers'.
      let exits = predictions.reduce(0) { $0 + ($1.exit ?? 0) } / 6
      left += exits
      let bits = String(format: "%.2f bits on average", values.reduce(0, +) / 6)
      let share = String(format: "%.1f %% leaves, %.1f %% has left", 100 * exits, 100 * left)
      #expect(step.summary.hasSuffix("\(bits); \(share)"), "\(step.summary)")
      if loop > 0 {
        let changed = inspection.cells.count { $0[loop].top[0].token != $0[loop - 1].top[0].token }
        #expect(step.summary.hasPrefix("\(changed) of 6 predictions change; "), "\(step.summary)")
      }
    }
    #expect(abs(left - 1) < 1e-6)
  }

  @Test func comesBackFromAFile() throws {
    let (_, trace) = try Self.trace(try Self.loaded(.ouro, loops: 2), "hello")
    var data = Data()
    let writer = TraceWriter { data += $0 }
    try writer.record(trace.header)
    for step in trace.steps { try writer.record(step) }
    try writer.record(#require(trace.end))
    #expect(try Trace(jsonLines: data) == trace)
  }

  @Test func withoutAGateNothingLeaves() throws {
    let (_, trace) = try Self.trace(try Self.loaded(.llama, loops: 1), "x")
    #expect(trace.steps.count == 1 && trace.steps[0].predictions?[0].exit == nil)
    #expect(trace.steps[0].summary.hasSuffix("bits on average"))
  }

  @Test func titlesAreALine() throws {
    let (_, trace) = try Self.trace(
      try Self.loaded(.llama, loops: 1), " one\n\ttwo  " + String(repeating: "y", count: 50))
    #expect(trace.header.program == "one two " + String(repeating: "y", count: 50))
    let (_, long) = try Self.trace(try Self.loaded(.llama, loops: 1), String(repeating: "z", count: 61))
    #expect(long.header.program == String(repeating: "z", count: 59) + "…")
  }
}
