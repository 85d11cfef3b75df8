import Foundation
import InContext
import RecipeFiles
import Reporting

/// An experiment's measurements in Markdown: the claims and whether they hold, tables, figures.
struct ExperimentReport {
  let experiment: Experiment
  let evaluations: [Evaluation]
  /// What makes the report again.
  let command: String

  var document: ExperimentDocument {
    ExperimentDocument(
      name: experiment.name, setting: experiment.setting, command: command,
      claims: experiment.claims.map { claim in
        ExperimentDocument.Claim(
          says: claim.says, comparisons: claim.comparisons.map { (line($0), $0.holds(in: evaluations)) })
      },
      runs: runs,
      remark:
        "Errors are squared errors over those of predicting zero, on prompts the network has never seen. One seed a "
        + "run, so a difference of a tenth says little.",
      figures: experiment.figures.compactMap(drawn))
  }

  private func line(_ comparison: Claim.Comparison) -> String {
    func value(_ term: Claim.Term) -> String {
      term.value(in: evaluations).map(Self.number) ?? "not measured"
    }
    let values =
      "\(value(comparison.left)) \(comparison.isLess ? "<" : ">") \(value(comparison.right))"
    let verdict =
      switch comparison.holds(in: evaluations) {
      case true?: "yes"
      case false?: "no"
      case nil: "not measured"
      }
    return "`\(comparison.text)`: \(values): \(verdict)"
  }

  private var runs: TextTable {
    var table = TextTable(
      header: ["run", "recipe", "parameters", "as papers count", "steps"]
        + experiment.places.map(\.description))
    for run in experiment.runs {
      let recipe = ([ExperimentDocument.link(recipe: run.file)] + run.settings.map { "`\($0)`" }).joined(
        separator: " ")
      guard let evaluation = evaluations.first(where: { $0.name == run.name }) else {
        table.add([run.name, recipe, "", "", "not run"] + experiment.places.map { _ in "" })
        continue
      }
      table.add(
        [
          run.name, recipe, "\(evaluation.parameters)", "\(evaluation.printedParameters)",
          "\(evaluation.steps)",
        ] + experiment.places.map { evaluation.error(at: $0).map(Self.number) ?? "" })
    }
    return table
  }

  // MARK: Figures

  /// - Returns: `nil` if none of its runs was measured.
  private func drawn(_ figure: Experiment.Figure) -> ExperimentDocument.Figure? {
    guard let (all, xLabel) = series(figure) else { return nil }
    let shown = all.map { series in
      var series = series
      series.points.removeAll { !Self.isShown($0.y) }
      series.band.removeAll { !Self.isShown($0.low) || !Self.isShown($0.high) }
      return series
    }
    var chart = SVGChart(
      title: figure.title, xLabel: xLabel, yLabel: "error / error of zero", logarithmicY: xLabel != "depth",
      series: shown)
    chart.movesLegend = true
    if case .key = figure.axis {
      let x = shown.flatMap { $0.points.map(\.x) }
      chart.logarithmicX = (x.min() ?? 0) > 0 && (x.max() ?? 0) >= 100 * (x.min() ?? 1)
    }
    return ExperimentDocument.Figure(
      name: figure.name, title: figure.title, chart: chart, table: table(all, xLabel))
  }

  /// All that was measured of a figure.
  private func series(_ figure: Experiment.Figure) -> (series: [SVGChart.Series], xLabel: String)? {
    let chosen = figure.runs.isEmpty ? experiment.runs.map(\.name) : figure.runs
    let shown = chosen.compactMap { name in evaluations.first { $0.name == name } }
    let series: [SVGChart.Series]
    let xLabel: String
    switch figure.axis {
    case .context(let part):
      series = curves(shown, part: part, baselines: figure.baselines, first: 0)
      xLabel = ProbeTarget.allCases.contains { $0.partName == part } ? "depth" : "points in the context"
    case .loops:
      series = curves(shown, part: "loops", baselines: figure.baselines, first: 1)
      xLabel = "loops"
    case .key(let key, let place, let lines):
      series = points(shown, key, place, lines)
      xLabel = key
    }
    return series.contains { !$0.points.isEmpty } ? (series, xLabel) : nil
  }

  private func curves(
    _ shown: [Evaluation], part: String, baselines: [String], first: Int
  ) -> [SVGChart.Series] {
    var curves: [Curve] = []
    for evaluation in shown {
      guard var network = evaluation.curves(part: part).first else { continue }
      network.name = evaluation.name
      curves.append(network)
    }
    for name in baselines {
      let all = shown.flatMap { $0.curves(part: part).dropFirst() }
      if let curve = all.first(where: { $0.name == name }) { curves.append(curve) }
    }
    return curves.map { curve in
      var series = SVGChart.Series(name: curve.name, points: [])
      for (i, mean) in curve.mean.enumerated() {
        guard let mean else { continue }
        let x = Double(i + first)
        series.points.append((x, mean))
        if curve.low.indices.contains(i), curve.high.indices.contains(i), let low = curve.low[i],
          let high = curve.high[i]
        {
          series.band.append((x, low, high))
        }
      }
      return series
    }
  }

  /// Rounding errors of 1e-28 would squeeze everything else into a line.
  private static func isShown(_ error: Double) -> Bool { error > 1e-5 && error < 1e5 }

  private func points(
    _ shown: [Evaluation], _ key: String, _ place: Place, _ lines: String?
  ) -> [SVGChart.Series] {
    var series: [SVGChart.Series] = []
    for evaluation in shown {
      guard let recipe = experiment.runs.first(where: { $0.name == evaluation.name })?.recipe,
        let x = Self.value(of: key, in: recipe), let y = evaluation.error(at: place)
      else { continue }
      let name = lines.map { "\($0) \(recipe.yamlValues[$0] ?? "")" } ?? "error, \(place)"
      series[series.place(of: name)].points.append((x, y))
    }
    for index in series.indices { series[index].points.sort { $0.x < $1.x } }
    return series
  }

  /// A key's value as a coordinate. Where no prompt comes twice, the pool is as large as the training.
  private static func value(of key: String, in recipe: Recipe) -> Double? {
    if key == "task.pool", recipe.pool == 0 { return Double(recipe.steps) * Double(recipe.batch) }
    return recipe.yamlValues[key].flatMap(Double.init)
  }

  /// The chart's numbers: at most about twenty rows.
  private func table(_ series: [SVGChart.Series], _ xLabel: String) -> TextTable {
    var table = TextTable(header: [xLabel] + series.map(\.name))
    let all = Set(series.flatMap { $0.points.map(\.x) }).sorted()
    for (row, x) in all.enumerated()
    where all.count <= 24 || row == all.count - 1 || row % ((all.count + 19) / 20) == 0 {
      table.add(
        [Self.number(x)]
          + series.map { series in
            series.points.first { $0.x == x }.map { Self.number($0.y) } ?? ""
          })
    }
    return table
  }

  static func number(_ value: Double) -> String {
    abs(value) < 1e-5
      ? "0"
      : value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(format: "%.4g", value)
  }
}
