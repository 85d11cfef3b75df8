import Foundation
import LanguageModel
import Reporting
import Tokenization

extension InspectionReport {
  /// The lens as a page: tokens from left to right, loops from top to bottom; a cell's colour is the probability of its
  /// prediction, a dashed border marks a prediction that later loops change.
  var page: String {
    var page = HTMLPage(title: "What the model thinks after every loop")
    page.paragraph(
      "Every column is a token of the text, every row a loop. A cell shows the most probable next token after that "
        + "loop; the fuller its colour, the more probable. A dashed border: a later loop changes its mind. Point at a "
        + "cell, or reach it with the tab key, for the other predictions.")
    page.raw(lens)
    page.heading("By loop")
    page.table(
      header: ["loop", "agrees with the last loop", "bits per token", "mean exit probability"], rows: loopRows
    )
    return page.text
  }

  /// The cells alone, for a page of other things.
  var lens: String { Self.style + grid }

  private var loopRows: [[String]] {
    (0..<inspection.loops).map { loop in
      let exits = inspection.exitProbabilities.map { $0[loop] }
      let mean = exits.isEmpty ? nil : exits.reduce(0, +) / Float(exits.count)
      return [
        "\(loop + 1)", number(inspection.agreement[loop]),
        inspection.bitsPerToken.isEmpty ? "" : number(inspection.bitsPerToken[loop]), mean.map(number) ?? "",
      ]
    }
  }

  private func number(_ value: Float) -> String { "\((value * 1000).rounded() / 1000)" }

  private var grid: String {
    let escape = HTMLPage.escape
    var rows = [
      "<tr><th></th>" + inspection.tokens.map { "<th>\(escape(shown($0)))</th>" }.joined() + "</tr>"
    ]
    for loop in 0..<inspection.loops {
      let cells = inspection.cells.indices.map { position in
        let cell = inspection.cells[position][loop]
        let share = Int((exp(cell.top[0].logProbability) * 70).rounded())
        let exit = inspection.exitProbabilities.isEmpty ? nil : inspection.exitProbabilities[position][loop]
        var about = ["after loop \(loop + 1)"]
        about += cell.top.map { "\(shown($0.token))  \(number(exp($0.logProbability)))" }
        about.append("moved by \(number(cell.stateChange))")
        if let exit { about.append("leaves here with probability \(number(exit))") }
        let text = escape(about.joined(separator: "\n"))
        return
          "<td tabindex=\"0\" class=\"\(inspection.isSettled(position, loop) ? "same" : "changes")\" style=\"--p:\(share)%\" "
          + "title=\"\(text)\" aria-label=\"\(text)\">\(escape(shown(cell.top[0].token)))"
          + (exit.map { "<i style=\"width:\(Int(($0 * 100).rounded()))%\"></i>" } ?? "")
          + "</td>"
      }
      rows.append("<tr><th>\(loop + 1)</th>\(cells.joined())</tr>")
    }
    return "<div class=\"scroll\"><table class=\"lens\">\(rows.joined(separator: "\n"))</table></div>"
  }

  private static let style = """
    <style>
    .lens td, .lens th { font: 12px/1.4 ui-monospace, monospace; padding: .25rem .4rem; white-space: pre; }
    .lens td { position: relative; border: 1px solid transparent; border-radius: 3px; max-width: 9rem; overflow: hidden;
      background: color-mix(in srgb, var(--mark) var(--p), transparent); }
    .lens td.changes { border: 1px dashed var(--bad); }
    .lens td:focus { outline: 2px solid var(--mark); }
    .lens td i { position: absolute; left: 0; bottom: 0; height: 2px; background: var(--good); }
    </style>
    """
}
