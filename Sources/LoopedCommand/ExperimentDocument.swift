import Reporting

/// An experiment's report: the claims and whether they hold, the runs, the figures with their numbers.
struct ExperimentDocument {
  struct Claim {
    var says: String
    /// Every comparison as it was written and what came out; `nil` where something was not measured.
    var comparisons: [(line: String, holds: Bool?)]

    var verdict: String {
      let all = comparisons.map(\.holds)
      if all.contains(nil) { return "not measured" }
      return all.allSatisfy { $0 == true } ? "holds" : "differs"
    }
  }

  struct Figure {
    /// Of its file.
    var name: String
    var title: String
    var chart: SVGChart
    /// The chart's numbers.
    var table: TextTable
  }

  var name: String
  var setting: String
  /// What makes the report again.
  var command: String
  var claims: [Claim]
  var runs: TextTable
  /// What the table's numbers are.
  var remark: String
  var figures: [Figure]

  /// One line per claim.
  var summary: String { claims.map { "\($0.verdict): \($0.says)\n" }.joined() }

  var markdown: String {
    var text = "# \(name)\n\nMade by `\(command)`.\n"
    if !setting.isEmpty { text += "\n\(setting)\n" }
    if !claims.isEmpty {
      text += "\n## What was claimed, and what came out\n"
      for claim in claims {
        text += "\n**\(claim.verdict).** \(claim.says)\n\n"
        for comparison in claim.comparisons { text += "- \(comparison.line)\n" }
      }
    }
    text += "\n## Runs\n\n" + runs.markdown + "\n\(remark)\n"
    for figure in figures {
      text += "\n## \(figure.title)\n\n![\(figure.title)](\(figure.name).svg)\n\n" + figure.table.markdown
    }
    return text
  }

  /// A link to a run's recipe: recipes are named from the experiment's file, and the report is one folder below.
  static func link(recipe file: String) -> String {
    let name = file.split(separator: "/").last.map(String.init) ?? file
    return "[\(name)](\(file.hasPrefix("/") ? file : "../" + file))"
  }
}

extension [SVGChart.Series] {
  /// The place of the series of this name, which is begun where it is not there.
  mutating func place(of name: String) -> Int {
    if let place = firstIndex(where: { $0.name == name }) { return place }
    append(SVGChart.Series(name: name, points: []))
    return count - 1
  }
}
