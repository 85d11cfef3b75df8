import Foundation
import InContext
import Reporting
import Tensors

/// Measurements of one or several runs as tables, charts and a page.
struct EvaluationReport {
  let evaluations: [Evaluation]
  /// Beside those of the loops, which the evaluations bring themselves.
  var maps: [SVGHeatMap] = []

  init(_ evaluations: [Evaluation]) { self.evaluations = evaluations }

  var json: String {
    ((try? jsonText(evaluations, [.sortedKeys, .prettyPrinted])) ?? "[]") + "\n"
  }

  func write(svg: String?, html: String?) throws {
    let pictures: [any StackedPicture] = charts.map(\.chart) + allMaps
    if let svg { try AtomicFile.write([Array(SVGChart.stack(pictures).utf8)], to: svg) }
    if let html { try AtomicFile.write([Array(page.utf8)], to: html) }
  }

  var text: String {
    var text = ""
    for evaluation in evaluations { text += summary(evaluation) + "\n\n" }
    for section in charts { text += section.chart.title + "\n" + section.table.text + "\n" }
    return text
  }

  private func summary(_ evaluation: Evaluation) -> String {
    "\(evaluation.name): \(evaluation.parameters) parameters (\(evaluation.printedParameters) as papers count), "
      + "\(evaluation.steps) steps"
  }

  private var page: String {
    var page = HTMLPage(title: evaluations.count == 1 ? evaluations[0].name : "Learning in context")
    for evaluation in evaluations {
      page.paragraph(summary(evaluation))
      if !evaluation.expected.isEmpty { page.paragraph("Expected: " + evaluation.expected) }
    }
    page.paragraph(
      (measure.map { "Errors are the \($0)" } ?? "Errors are squared errors over those of predicting zero")
        + ", on prompts the network has never seen; bands are the "
        + "5th to 95th percentile of the mean under resampling of the prompts.")
    for section in charts {
      page.heading(section.chart.title)
      page.raw(section.chart.text)
      page.table(header: section.table.header, rows: section.table.rows)
    }
    for map in allMaps {
      page.heading(map.title)
      page.raw(map.text)
    }
    for evaluation in evaluations {
      page.heading("Recipe")
      page.preformatted(evaluation.recipe)
    }
    return page.text
  }

  /// The charts as SVG.
  var pictures: [String] { charts.map(\.chart.text) }

  private var allMaps: [SVGHeatMap] { maps + evaluations.compactMap(loopMap) }

  /// Loops × context: where in the prompt which loop lowers the error.
  private func loopMap(_ evaluation: Evaluation) -> SVGHeatMap? {
    guard let map = evaluation.loopMap, let width = map.errors.first?.count, width > 0 else { return nil }
    return SVGHeatMap(
      title: "Error by loops and context: \(evaluation.name)", xLabel: "points in the context",
      yLabel: "loops",
      valueLabel: "error", columns: (0..<width).map { "\($0)" }, rows: map.loops.map { "\($0)" },
      values: map.errors,
      logarithmic: true)
  }

  private struct Section {
    var chart: SVGChart
    var table: TextTable
  }

  /// One section per kind of prompts, then the loop curve.
  private var charts: [Section] {
    var sections: [Section] = []
    var kinds: [String] = []
    for part in evaluations.flatMap(\.parts) where !kinds.contains(part.name) { kinds.append(part.name) }
    for kind in kinds {
      sections.append(
        section(
          "Error by context, \(kind)", x: "points in the context", first: 0,
          evaluations.map { ($0, $0.parts.first { $0.name == kind }?.curves ?? []) }))
    }
    let loops = evaluations.map { ($0, $0.loopCurves) }
    if loops.contains(where: { !$0.1.isEmpty }) {
      sections.append(section("Error at the last point by loops", x: "loops", first: 1, loops))
    }
    return sections
  }

  /// The networks of all runs; the baselines, which are the same for the same task, of the first that has them.
  private func section(
    _ title: String, x: String, first: Int, _ runs: [(Evaluation, [Curve])]
  ) -> Section {
    var curves: [Curve] = []
    for (evaluation, some) in runs {
      guard var network = some.first else { continue }
      if evaluations.count > 1 { network.name = evaluation.name }
      curves.append(network)
    }
    for curve in runs.flatMap({ $0.1.dropFirst() }) where !curves.contains(where: { $0.name == curve.name }) {
      curves.append(curve)
    }
    var chart = SVGChart(
      title: title, xLabel: x, yLabel: measure ?? "error / error of zero", logarithmicY: measure == nil,
      series: curves.map { curve in
        var series = SVGChart.Series(
          name: curve.name,
          points: curve.mean.enumerated().compactMap { i, y in
            y.flatMap { isShown($0) ? (Double(i + first), $0) : nil }
          })
        series.band = curve.mean.indices.compactMap { i in
          guard let low = curve.low[safe: i] ?? nil, let high = curve.high[safe: i] ?? nil, isShown(low)
          else { return nil }
          return (Double(i + first), low, high)
        }
        return series
      })
    if let trained = evaluations.first?.trainedLoops, first == 1 { chart.title += " (trained: \(trained))" }
    var table = TextTable(header: [x] + curves.map(\.name))
    for i in 0..<(curves.map(\.mean.count).max() ?? 0)
    where Self.isListed(i, of: curves.map(\.mean.count).max()!) {
      table.add(
        ["\(i + first)"] + curves.map { ($0.mean[safe: i] ?? nil).map { String(format: "%.4g", $0) } ?? "" })
    }
    return Section(chart: chart, table: table)
  }

  /// Least squares' rounding errors of 1e-28 would squeeze everything else into a line.
  private func isShown(_ error: Double) -> Bool { measure != nil || error > 1e-6 }

  /// What errors are, where all runs agree that they are not squares.
  private var measure: String? {
    evaluations.allSatisfy { $0.measure == evaluations.first?.measure } ? evaluations.first?.measure : nil
  }

  private static func isListed(_ row: Int, of count: Int) -> Bool {
    count <= 24 || row == count - 1 || row % ((count + 19) / 20) == 0
  }
}

extension Array {
  subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
