import Foundation
import Pretraining
import Reporting

/// A controlled experiment's measurements in Markdown: the claims and whether they hold, tables, figures.
struct TaskExperimentReport<Recipe: MeasuredRecipe> {
  let experiment: TaskExperiment<Recipe>
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
      remark: remark,
      figures: experiment.figures.compactMap(drawn))
  }

  private var remark: String {
    let (seeds, answers) = (Set(evaluations.map(\.seed)).count, evaluations.first?.answers.last ?? 0)
    let what =
      Recipe.trains == .text
      ? "\(answers) held-out tokens; losses are in nats a token, and a token is right where it is the likeliest."
      : "\(answers) answers of each kind; an answer is right where it is the likeliest token."
    return seeds > 1
      ? "Means over \(seeds) seeds, and in brackets the least and the greatest, of " + what
      : "Of one seed and " + what
  }

  private func line(_ comparison: TaskClaim.Comparison) -> String {
    guard let outcome = comparison.outcome(in: evaluations) else {
      return "`\(comparison.text)`: not measured"
    }
    return "`\(comparison.text)`: \(Self.exact(outcome.left)) \(comparison.isLess ? "<" : ">") "
      + "\(Self.exact(outcome.right)): \(outcome.holds ? "yes" : "no") "
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
  private func drawn(_ figure: TaskExperiment<Recipe>.Figure) -> ExperimentDocument.Figure? {
    guard let (series, xLabel, yLabel) = series(figure) else { return nil }
    var chart = SVGChart(title: figure.title, xLabel: xLabel, yLabel: yLabel, series: series)
    chart.movesLegend = true
    return ExperimentDocument.Figure(
      name: figure.name, title: figure.title, chart: chart,
      table: figure.axis == .exits ? exitTable(figure.runs) : table(series, xLabel))
  }

  private func series(
    _ figure: TaskExperiment<Recipe>.Figure
  ) -> (series: [SVGChart.Series], xLabel: String, yLabel: String)? {
    let chosen = figure.runs.isEmpty ? experiment.runs.map(\.name) : figure.runs
    var (series, xLabel, yLabel) = ([SVGChart.Series](), "loops", label(figure.shows))
    switch figure.axis {
    case .loops:
      series = chosen.map { run in line(run, evaluations(of: run).map { curve($0, figure.shows) }) }
    case .groups:
      xLabel = "kind of question"
      series = chosen.map { run in
        line(run, evaluations(of: run).map { table($0, figure.shows).compactMap(\.last) })
      }
    case .agreement:
      yLabel = "as the last loop"
      series = chosen.map { run in line(run, evaluations(of: run).map { $0.agreement.compactMap(\.last) }) }
    case .exits:
      xLabel = "mean loops"
      series = chosen.flatMap { exits($0, isOnly: chosen.count == 1, figure.shows) }
    case .key(let key, let lines):
      xLabel = key
      series = points(chosen, key, lines, figure.shows)
    }
    series.removeAll { $0.points.isEmpty }
    return series.isEmpty ? nil : (series, xLabel, yLabel)
  }

  private func label(_ shows: TaskExperiment<Recipe>.Figure.Quantity) -> String {
    switch shows {
    case .accuracy: Recipe.trains == .text ? "right tokens" : "right answers"
    case .loss: "nats"
    case .bits: "bits per parameter"
    }
  }

  /// [loop], of the hardest group.
  private func curve(
    _ evaluation: TaskEvaluation, _ shows: TaskExperiment<Recipe>.Figure.Quantity
  ) -> [Double] {
    shows == .bits
      ? evaluation.bits.map { $0 / Double(evaluation.parameters) }
      : table(evaluation, shows).last ?? []
  }

  /// [group][loop].
  private func table(
    _ evaluation: TaskEvaluation, _ shows: TaskExperiment<Recipe>.Figure.Quantity
  ) -> [[Double]] { shows == .loss ? evaluation.losses : evaluation.accuracy }

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

  /// Every rule and threshold, as means over seeds.
  private func exitTable(_ runs: [String]) -> TextTable {
    let chosen = runs.isEmpty ? experiment.runs.map(\.name) : runs
    var table = TextTable(header: ["run", "rule", "threshold", "mean loops", label(.accuracy), label(.loss)])
    for run in chosen {
      let measured = evaluations(of: run)
      for (place, exit) in (measured.first?.exits ?? []).enumerated() {
        let same = measured.compactMap { $0.exits.indices.contains(place) ? $0.exits[place] : nil }
        let means = [\TaskEvaluation.Exit.meanLoops, \.accuracy, \.loss].map { path in
          String(format: "%.4f", Self.mean(same.map { $0[keyPath: path] }))
        }
        table.add([run, exit.rule.rawValue, exit.rule == .agreement ? "" : "\(exit.threshold)"] + means)
      }
    }
    return table
  }

  /// A line for every rule of leaving early: means over seeds of loops and right answers by threshold.
  private func exits(
    _ run: String, isOnly: Bool, _ shows: TaskExperiment<Recipe>.Figure.Quantity
  ) -> [SVGChart.Series] {
    let measured = evaluations(of: run)
    let path: KeyPath<TaskEvaluation.Exit, Double> = shows == .loss ? \.loss : \.accuracy
    var series: [SVGChart.Series] = []
    for (place, exit) in (measured.first?.exits ?? []).enumerated() {
      let same = measured.compactMap { $0.exits.indices.contains(place) ? $0.exits[place] : nil }
      let name = isOnly ? exit.rule.rawValue : "\(run): \(exit.rule)"
      series[series.place(of: name)].points.append(
        (Self.mean(same.map(\.meanLoops)), Self.mean(same.map { $0[keyPath: path] })))
    }
    for index in series.indices { series[index].points.sort { $0.x < $1.x } }
    return series
  }

  private func points(
    _ chosen: [String], _ key: String, _ lines: String?, _ shows: TaskExperiment<Recipe>.Figure.Quantity
  ) -> [SVGChart.Series] {
    let fields = Dictionary(uniqueKeysWithValues: Recipe.fields.map { ($0.key, $0) })
    var series: [SVGChart.Series] = []
    for run in experiment.runs where chosen.contains(run.name) {
      guard let x = fields[key].flatMap({ Double($0.get(run.recipe)) }) else { continue }
      let name = lines.flatMap { fields[$0] }.map { "\($0.key) \($0.get(run.recipe))" } ?? label(shows)
      let place = series.place(of: name)
      Self.add(x, evaluations(of: run.name).compactMap { curve($0, shows).last }, to: &series[place])
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

  /// Claims may hold by little.
  private static func exact(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(format: "%.4f", value)
  }

  static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(format: "%.3f", value)
  }
}
