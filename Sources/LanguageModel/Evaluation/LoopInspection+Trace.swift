import Foundation
import Looping
import Tensors
import Tokenization

extension LoopInspection {
  /// The inspection in the format of all traces: the columns are positions, their values the entropy of the readout there
  /// in bits, log₂ of the vocabulary before the first loop.
  ///
  /// - Parameters:
  ///   - model: the one that was inspected; the header says its shape and its fingerprint.
  ///   - name: of the model, for people.
  ///   - trainedLoops: of the model; `nil` for those of its configuration.
  /// - Complexity: one read of all weights, for the fingerprint.
  public func trace(
    of model: LanguageModel, _ tokenizer: Tokenizer, name: String, trainedLoops: Int? = nil,
    pool: WorkerPool = .shared
  ) -> Trace {
    let c = model.configuration
    let texts = tokens.map(tokenizer.visibleText)
    var header = TraceHeader(
      family: "language-model", program: Self.title(tokenizer.decode(tokens)), network: name,
      layers: c.layers, width: c.hiddenSize, parameters: c.parameterCount,
      digest: model.fingerprint(pool: pool),
      columns: tokens.indices.map(String.init),
      values: [Double](repeating: log2(Double(c.vocabularySize)), count: tokens.count))
    header.text = .init(tokens: texts, trainedLoops: trainedLoops ?? c.loops)
    let loops = cells.first?.count ?? 0
    var bits = header.values
    let steps = (0..<loops).map { loop -> TraceStep in
      let before = bits
      // Rounding may leave a certain prediction a little below 0.
      bits = cells.map { max(0, Double($0[loop].entropy) / log(2)) }
      return TraceStep(
        loop: loop + 1, position: nil, summary: summary(ofLoop: loop, bits: bits), jumped: false,
        changes: bits.indices.filter { bits[$0] != before[$0] }.map {
          .init(column: $0, before: before[$0], after: bits[$0])
        },
        output: nil, attention: nil,
        predictions: cells.indices.map { prediction($0, loop, tokenizer) })
    }
    return Trace(header: header, steps: steps, end: TraceEnd(loops: loops, halt: "fixed count"))
  }

  private func prediction(_ position: Int, _ loop: Int, _ tokenizer: Tokenizer) -> TraceStep.Prediction {
    let top = cells[position][loop].top
    return TraceStep.Prediction(
      tokens: top.map { tokenizer.visibleText(of: $0.token) },
      // Rounding may leave a logarithm a little above 0.
      probabilities: top.map { min(1, Double(exp($0.logProbability))) },
      exit: exitProbabilities.isEmpty ? nil : min(1, Double(exitProbabilities[position][loop])))
  }

  /// "3 of 9 predictions change; 3.02 bits on average; 12.0 % leaves, 31.0 % has left".
  private func summary(ofLoop loop: Int, bits: [Double]) -> String {
    var parts: [String] = []
    if loop > 0 {
      let changed = cells.count { $0[loop].top.first?.token != $0[loop - 1].top.first?.token }
      parts.append("\(changed) of \(cells.count) predictions change")
    }
    let count = Double(max(cells.count, 1))
    parts.append(String(format: "%.2f bits on average", bits.reduce(0, +) / count))
    if !exitProbabilities.isEmpty {
      func percent(_ loops: ClosedRange<Int>) -> String {
        let sum = exitProbabilities.reduce(0) { $0 + $1[loops].reduce(0) { $0 + Double($1) } }
        return String(format: "%.1f %%", 100 * sum / count)
      }
      parts.append("\(percent(loop...loop)) leaves, \(percent(0...loop)) has left")
    }
    return parts.joined(separator: "; ")
  }

  /// The text's beginning, in one line.
  private static func title(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count > 60 ? line.prefix(59) + "…" : line
  }
}

extension Tokenizer {
  /// What a token says by itself: bytes that are no text alone, as those of half a character, as `\xE2`, so that tokens
  /// that differ look different.
  func visibleText(of id: TokenID) -> String {
    let bytes = bytes(of: id)
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return bytes.map { $0 < 0x80 ? String(UnicodeScalar($0)) : String(format: "\\x%02X", $0) }.joined()
  }
}
