import Foundation
import Pretraining
import Reporting

/// A controlled experiment's measurements in Markdown: the claims and whether they hold, tables, figures.
struct TaskExperimentReport {
  let experiment: TaskExperiment
  let evaluations: [TaskEvaluation]
  /// What makes the report again.
  let command: String

  /// One line per claim.
  var summary: String { experiment.claims.map { "\(verdict($0)): \($0.says)\n" }.joined() }

  private func verdict(_ claim: TaskClaim) -> String {
    let all = claim.comparisons.map { $0.outcome(in: evaluations)?.holds }
    if all.contains(nil) { return "not measured" }
    return all.allSatisfy { $0 == true } ? "holds" : "differs"
  }

  var markdown: String {
    var text = "# \(experiment.name)\n\nMade by `\(command)`.\n"
    if !experiment.setting.isEmpty { text += "\n\(experiment.setting)\n" }
    if !experiment.claims.isEmpty {
      text += "\n## What was claimed, and what came out\n"
      for claim in experiment.claims {
        text += "\n**\(verdict(claim)).** \(claim.says)\n\n"
        for comparison in claim.comparisons { text += "- \(line(comparison))\n" }
      }
    }
    text += "\n## Runs\n\n" + runs.markdown
    let questions = evaluations.first?.questions ?? 0
    text +=
      "\nMeans over \(experiment.seeds.count) seeds, and in brackets the least and the greatest, of \(questions) questions "
      + "of each kind; an answer is right where the likeliest token is the answer.\n"
    for figure in experiment.figures {
      guard let (series, xLabel, _) = series(figure) else { continue }
      text += "\n## \(figure.title)\n\n![\(figure.title)](\(figure.name).svg)\n\n"
      text += table(series, xLabel).markdown
    }
    return text
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
      let recipe = ([Self.link(run.file)] + run.settings.map { "`\($0)`" }).joined(separator: " ")
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

  /// Recipes are named from the experiment's file, and the report is one folder below.
  private static func link(_ file: String) -> String {
    let name = file.split(separator: "/").last.map(String.init) ?? file
    return "[\(name)](\(file.hasPrefix("/") ? file : "../" + file))"
  }

  private func evaluations(of run: String) -> [TaskEvaluation] { evaluations.filter { $0.name == run } }

  // MARK: Figures

  /// - Returns: `nil` if none of its runs was measured.
  func chart(_ figure: TaskExperiment.Figure) -> SVGChart? {
    guard let (series, xLabel, yLabel) = series(figure) else { return nil }
    var chart = SVGChart(title: figure.title, xLabel: xLabel, yLabel: yLabel, series: series)
    chart.movesLegend = true
    return chart
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
      let index =
        series.firstIndex { $0.name == name }
        ?? {
          series.append(SVGChart.Series(name: name, points: []))
          return series.count - 1
        }()
      series[index].points.append((Self.mean(same.map(\.meanLoops)), Self.mean(same.map(\.accuracy))))
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
      let index =
        series.firstIndex { $0.name == name }
        ?? {
          series.append(SVGChart.Series(name: name, points: []))
          return series.count - 1
        }()
      Self.add(x, evaluations(of: run.name).compactMap { $0.accuracy.last?.last }, to: &series[index])
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
