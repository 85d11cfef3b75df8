import Foundation
import LanguageModel
import Reporting
import Tokenization

/// An inspection as text, JSON and a page.
struct InspectionReport {
  let inspection: LoopInspection
  let tokenizer: Tokenizer

  /// A token as one would point at it: line breaks and blanks visible.
  func shown(_ id: TokenID) -> String {
    let text = tokenizer.decode([id], skipSpecialTokens: false)
    return "'"
      + text.unicodeScalars.map { scalar in
        switch scalar {
        case "\n": "\\n"
        case "\t": "\\t"
        case "\r": "\\r"
        case _ where scalar.value < 32 || scalar.value == 127: "\\x" + String(scalar.value, radix: 16)
        default: String(scalar)
        }
      }.joined() + "'"
  }

  private func percent(_ share: Float) -> String { String(format: "%.1f %%", share * 100) }

  /// A line for each token and loop, and what they come to.
  var text: String {
    let hasGate = !inspection.exitProbabilities.isEmpty
    var table = TextTable(
      header: ["token", "loop", "next", "probability", "others", "bits", "moved"] + (hasGate ? ["exit"] : []))
    for (position, cells) in inspection.cells.enumerated() {
      for (loop, cell) in cells.enumerated() {
        let others = cell.top.dropFirst().map { "\(shown($0.token)) \(percent(exp($0.logProbability)))" }
        table.add(
          [
            loop == 0 ? shown(inspection.tokens[position]) : "", "\(loop + 1)",
            shown(cell.top[0].token) + (inspection.isSettled(position, loop) ? "" : " ≠"),
            percent(exp(cell.top[0].logProbability)), others.joined(separator: " "),
            cell.nextLogProbability.map { String(format: "%.2f", Self.bits($0)) } ?? "",
            String(format: "%.3f", cell.stateChange),
          ] + (hasGate ? [percent(inspection.exitProbabilities[position][loop])] : []))
      }
    }
    return table.text + "\n" + summary + "\n"
  }

  /// The information in an event of this log-probability (nats), in bits.
  static func bits(_ logProbability: Float) -> Float { -logProbability / log(2) }

  private var summary: String {
    var lines = [
      "prediction equal to the last loop's, by loop: "
        + inspection.agreement.map(percent).joined(separator: "  ")
    ]
    if !inspection.bitsPerToken.isEmpty {
      lines.append(
        "bits per token, by loop: "
          + inspection.bitsPerToken.map { String(format: "%.3f", $0) }.joined(separator: "  "))
    }
    if let expected = inspection.expectedLoops {
      lines.append(String(format: "loops the gate expects: %.2f of %d", expected, inspection.loops))
    }
    return lines.joined(separator: "\n")
  }

  /// - Throws: what `JSONEncoder` throws, for numbers that are not finite.
  var json: String {
    get throws {
      try jsonText(Document(self))
    }
  }

  /// What the JSON looks like.
  private struct Document: Encodable {
    struct Prediction: Encodable {
      let id: Int32
      let text: String
      let probability: Float
    }
    struct Step: Encodable {
      let loop: Int
      let top: [Prediction]
      let entropyBits: Float
      let nextBits: Float?
      let agreesWithLast: Bool
      let stateChange: Float
      let gate: Float?
      let exitProbability: Float?
    }
    struct Token: Encodable {
      let id: Int32
      let text: String
      let loops: [Step]
    }
    let loops: Int
    let agreement: [Float]
    let bitsPerToken: [Float]
    let expectedLoops: Float?
    let tokens: [Token]

    init(_ report: InspectionReport) {
      let inspection = report.inspection
      func text(_ id: TokenID) -> String { report.tokenizer.decode([id], skipSpecialTokens: false) }
      loops = inspection.loops
      agreement = inspection.agreement
      bitsPerToken = inspection.bitsPerToken
      expectedLoops = inspection.expectedLoops
      tokens = inspection.cells.enumerated().map { position, cells in
        let id = inspection.tokens[position]
        return Token(
          id: id, text: text(id),
          loops: cells.enumerated().map { loop, cell in
            Step(
              loop: loop + 1,
              top: cell.top.map {
                Prediction(id: $0.token, text: text($0.token), probability: exp($0.logProbability))
              },
              entropyBits: InspectionReport.bits(-cell.entropy),
              nextBits: cell.nextLogProbability.map(InspectionReport.bits),
              agreesWithLast: inspection.isSettled(position, loop), stateChange: cell.stateChange,
              gate: cell.gate,
              exitProbability: inspection.exitProbabilities.isEmpty
                ? nil : inspection.exitProbabilities[position][loop])
          })
      }
    }
  }
}

extension LoopInspection {
  var loops: Int { cells.first?.count ?? 0 }

  /// Whether the prediction after a loop is already the last loop's.
  func isSettled(_ position: Int, _ loop: Int) -> Bool {
    cells[position][loop].top.first?.token == cells[position].last?.top.first?.token
  }

  /// The share of tokens whose prediction after a loop is the last loop's: what a draft from there would hit.
  var agreement: [Float] {
    (0..<loops).map { loop in
      Float(cells.indices.count { isSettled($0, loop) }) / Float(max(cells.count, 1))
    }
  }

  /// Bits per token of the text after every loop; empty for fewer than two tokens.
  var bitsPerToken: [Float] {
    guard cells.count > 1 else { return [] }
    return (0..<loops).map { loop in
      cells.dropLast().reduce(0) { $0 + InspectionReport.bits($1[loop].nextLogProbability ?? 0) }
        / Float(cells.count - 1)
    }
  }

  /// The mean of Σ t · p_t; `nil` without a gate.
  var expectedLoops: Float? {
    guard !exitProbabilities.isEmpty else { return nil }
    let sum = exitProbabilities.reduce(Float(0)) { sum, exits in
      exits.enumerated().reduce(sum) { $0 + Float($1.offset + 1) * $1.element }
    }
    return sum / Float(exitProbabilities.count)
  }
}
