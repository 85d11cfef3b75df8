import Foundation
import Pretraining
import Reporting

/// A controlled experiment's measurements in Markdown: the claims and whether they hold, tables, figures.
struct TaskExperimentReport {
  let experiment: TaskExperiment
  let evaluations: [TaskEvaluation]
  /// What makes the report again.
  let command: String

  var document: ExperimentDocument {
    ExperimentDocument(
      name: experiment.name, setting: experiment.setting, command: command,
      claims: experiment.claims.map { claim in
        ExperimentDocument.Claim(
          says: claim.says,
          comparisons: claim.comparisons.map { (line($0), $0.outcome(in: evaluations)?.holds) })
      },
      runs: runs,
      remark:
        "Means over \(experiment.seeds.count) seeds, and in brackets the least and the greatest, of "
        + "\(evaluations.first?.questions ?? 0) questions of each kind; an answer is right where the likeliest token is "
        + "the answer.",
      figures: experiment.figures.compactMap(drawn))
  }

  private func line(_ comparison: TaskClaim.Comparison) -> String {
    guard let outcome = comparison.outcome(in: evaluations) else {
      return "`\(comparison.text)`: not measured"
    }
    return "`\(comparison.text)`: \(Self.number(outcome.left)) \(comparison.isLess ? "<" : ">") "
      + "\(Self.number(outcome.right)): \(outcome.holds ? "yes" : "no") "
      + "(\(outcome.seeds.holding) of \(outcome.seeds.all) seeds)"
  }

  private var runs: TextTable {
    var table = TextTable(header: ["run", "recipe", "parameters", "steps"] + experiment.table)
    for run in experiment.runs {
      let recipe = ([ExperimentDocument.link(recipe: run.file)] + run.settings.map { "`\($0)`" }).joined(
        separator: " ")
      let measured = evaluations(of: run.name)
      guard let first = measured.first else {
        table.add([run.name, recipe, "", "not run"] + experiment.table.map { _ in "" })
        continue
      }
      table.add(
        [run.name, recipe, "\(first.parameters)", "\(first.steps)"]
          + experiment.table.map { name in
            let values = measured.compactMap { $0.value(name) }
            guard let least = values.min(), let greatest = values.max() else { return "" }
            let mean = Self.number(Self.mean(values))
            return values.count == 1 ? mean : "\(mean) (\(Self.number(least))–\(Self.number(greatest)))"
          })
    }
    return table
  }

  private func evaluations(of run: String) -> [TaskEvaluation] { evaluations.filter { $0.name == run } }

  // MARK: Figures

  /// - Returns: `nil` if none of its runs was measured.
  private func drawn(_ figure: TaskExperiment.Figure) -> ExperimentDocument.Figure? {
    guard let (series, xLabel, yLabel) = series(figure) else { return nil }
    var chart = SVGChart(title: figure.title, xLabel: xLabel, yLabel: yLabel, series: series)
    chart.movesLegend = true
    return ExperimentDocument.Figure(
      name: figure.name, title: figure.title, chart: chart, table: table(series, xLabel))
  }

  private func series(
    _ figure: TaskExperiment.Figure
  ) -> (series: [SVGChart.Series], xLabel: String, yLabel: String)? {
    let chosen = figure.runs.isEmpty ? experiment.runs.map(\.name) : figure.runs
    var (series, xLabel, yLabel) = ([SVGChart.Series](), "loops", "right answers")
    switch figure.axis {
    case .loops:
      series = chosen.map { run in
        line(run, evaluations(of: run).map { $0.accuracy.last ?? [] })
      }
    case .groups:
      xLabel = "kind of question"
      series = chosen.map { run in line(run, evaluations(of: run).map { $0.accuracy.compactMap(\.last) }) }
    case .agreement:
      yLabel = "as the last loop"
      series = chosen.map { run in line(run, evaluations(of: run).map { $0.agreement.compactMap(\.last) }) }
    case .exits:
      xLabel = "mean loops"
      series = chosen.flatMap { exits($0, isOnly: chosen.count == 1) }
    case .key(let key, let lines):
      xLabel = key
      series = points(chosen, key, lines)
    }
    series.removeAll { $0.points.isEmpty }
    return series.isEmpty ? nil : (series, xLabel, yLabel)
  }

  /// The mean over seeds by position, counted from 1, with the range.
  private func line(_ name: String, _ curves: [[Double]]) -> SVGChart.Series {
    var series = SVGChart.Series(name: name, points: [])
    for i in 0..<(curves.map(\.count).min() ?? 0) {
      Self.add(Double(i + 1), curves.map { $0[i] }, to: &series)
    }
    return series
  }

  private static func add(_ x: Double, _ values: [Double], to series: inout SVGChart.Series) {
    guard let least = values.min(), let greatest = values.max() else { return }
    series.points.append((x, mean(values)))
    series.band.append((x, least, greatest))
  }

  /// A line for every rule of leaving early: means over seeds of loops and right answers by threshold.
  private func exits(_ run: String, isOnly: Bool) -> [SVGChart.Series] {
    let measured = evaluations(of: run)
    var series: [SVGChart.Series] = []
    for (place, exit) in (measured.first?.exits ?? []).enumerated() {
      let same = measured.compactMap { $0.exits.indices.contains(place) ? $0.exits[place] : nil }
      let name = isOnly ? exit.rule : "\(run): \(exit.rule)"
      series[series.place(of: name)].points.append(
        (Self.mean(same.map(\.meanLoops)), Self.mean(same.map(\.accuracy))))
    }
    for index in series.indices { series[index].points.sort { $0.x < $1.x } }
    return series
  }

  private func points(_ chosen: [String], _ key: String, _ lines: String?) -> [SVGChart.Series] {
    let fields = Dictionary(uniqueKeysWithValues: TaskRecipe.fields.map { ($0.key, $0) })
    var series: [SVGChart.Series] = []
    for run in experiment.runs where chosen.contains(run.name) {
      guard let x = fields[key].flatMap({ Double($0.get(run.recipe)) }) else { continue }
      let name = lines.flatMap { fields[$0] }.map { "\($0.key) \($0.get(run.recipe))" } ?? "right answers"
      let place = series.place(of: name)
      Self.add(x, evaluations(of: run.name).compactMap { $0.accuracy.last?.last }, to: &series[place])
    }
    for index in series.indices {
      series[index].points.sort { $0.x < $1.x }
      series[index].band.sort { $0.x < $1.x }
    }
    return series
  }

  /// The chart's numbers.
  private func table(_ series: [SVGChart.Series], _ xLabel: String) -> TextTable {
    var table = TextTable(header: [xLabel] + series.map(\.name))
    for x in Set(series.flatMap { $0.points.map(\.x) }).sorted() {
      table.add(
        [Self.number(x)]
          + series.map { series in
            series.points.first { $0.x == x }.map { Self.number($0.y) } ?? ""
          })
    }
    return table
  }

  private static func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(max(values.count, 1))
  }

  static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(format: "%.3f", value)
  }
}
