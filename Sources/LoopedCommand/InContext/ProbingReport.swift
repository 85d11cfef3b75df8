import Foundation
import InContext
import Reporting
import Tensors

/// What probes read from a network, as tables, charts, heat maps and a page.
struct ProbingReport {
  let probing: Probing

  init(_ probing: Probing) { self.probing = probing }

  var json: String {
    ((try? jsonText(probing, [.sortedKeys, .prettyPrinted])) ?? "{}") + "\n"
  }

  private var summary: String {
    "\(probing.name): probes of \(probing.steps) steps of \(probing.batch) prompts on a network of "
      + "\(probing.networkSteps) steps; \(probing.prompts) held-out prompts"
  }

  /// Error by depth: the mean over all prefixes, per coordinate.
  private func table(_ part: Probing.Part) -> TextTable {
    let shown = Array(
      Set([part.prefixes.first!, part.prefixes[part.prefixes.count / 2], part.prefixes.last!])
    ).sorted()
    var table = TextTable(
      header: [probing.depthUnit, "all", "control"] + shown.map { $0 == 1 ? "1 point" : "\($0) points" })
    for (depth, mean) in part.meanErrors.enumerated() {
      let control = part.control[depth].reduce(0, +) / Double(part.prefixes.count)
      table.add(
        ["\(depth)", Self.number(mean), Self.number(control)]
          + shown.map { Self.number(part.errors[depth][part.prefixes.firstIndex(of: $0)!]) })
    }
    return table
  }

  private func chart(_ part: Probing.Part) -> SVGChart {
    let means = part.meanErrors.enumerated().map { (x: Double($0.offset), y: $0.element) }
    let last = Double(means.count - 1)
    var control = SVGChart.Series(
      name: "control at its best depth", points: [(0, part.bestControl), (last, part.bestControl)])
    control.isDashed = true
    var zero = SVGChart.Series(name: "predicting zero", points: [(0, zero(part)), (last, zero(part))])
    zero.isDashed = true
    return SVGChart(
      title: "Probing for \(part.target.rawValue)", xLabel: probing.depthUnit, yLabel: "mean squared error",
      series: [.init(name: probing.name, points: means), control, zero])
  }

  private func zero(_ part: Probing.Part) -> Double {
    part.squares.reduce(0, +) / Double(part.squares.count)
  }

  /// Depth × prefix. Errors over the target's mean square: 0 is read exactly, 1 is no better than zero.
  private func map(_ part: Probing.Part) -> SVGHeatMap {
    SVGHeatMap(
      title: "Probing for \(part.target.rawValue), by depth and points", xLabel: "points, j",
      yLabel: probing.depthUnit,
      valueLabel: "error / square", columns: part.prefixes.map { "\($0)" },
      rows: part.errors.indices.map { "\($0)" },
      values: part.errors.map { zip($0, part.squares).map { $1 > 0 ? $0 / $1 : nil } })
  }

  var text: String {
    var text = summary + "\n\n"
    for part in probing.parts {
      text +=
        "\(part.target.rawValue): mean squared error per coordinate (predicting zero: \(Self.number(zero(part))))\n"
      text += table(part).text + "\n"
    }
    return text
  }

  func write(svg: String?, html: String?) throws {
    let pictures = probing.parts.flatMap { [chart($0), map($0)] as [any StackedPicture] }
    if let svg { try AtomicFile.write([Array(SVGChart.stack(pictures).utf8)], to: svg) }
    guard let html else { return }
    var page = HTMLPage(title: "Probing: " + probing.name)
    page.paragraph(summary)
    page.paragraph(
      "Each depth has a probe for each number of points, which pools the hidden state over the tokens with learned weights "
        + "and makes the target of it by a small network. The control has been trained on one function, y = Σ xᵢ, alone."
    )
    for part in probing.parts {
      page.heading("Target: \(part.target.rawValue)")
      page.raw(chart(part).text)
      page.raw(map(part).text)
      let table = table(part)
      page.table(header: table.header, rows: table.rows)
    }
    page.heading("Recipe")
    page.preformatted(probing.recipe)
    try AtomicFile.write([Array(page.text.utf8)], to: html)
  }

  private static func number(_ value: Double) -> String { String(format: "%.4g", value) }
}
