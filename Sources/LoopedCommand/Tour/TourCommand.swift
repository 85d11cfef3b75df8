import ArgumentParser
import Construction
import Foundation
import Looping
import Reporting

struct TourCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tour", abstract: "Run every family on real input and check the results.",
    discussion: """
      Prints a table, and writes a report with pictures that opens in any browser.

        looped tour --report tour.html
      """)

  @Option(help: "Where the report goes.")
  var report = "looped-tour.html"

  private static let stops: [any TourStop] = [
    MachineStop(), FleqStop(), GraphStop(), InContextStop(), LanguageModelStop(),
  ]

  func run() throws {
    var page = HTMLPage(title: "A tour of looped transformers")
    page.paragraph(
      "One block of layers, applied again and again: output = coda(body(… body(body(prelude(input))) …)). Every line "
        + "of the table was computed on such a network a moment ago, and checked as it says.")
    var table = TextTable(header: TourRow.header)
    var sections: [TourSection] = []
    let start = ContinuousClock.now
    var progress = ProgressBar(total: Self.stops.count, what: "families")
    for (index, stop) in Self.stops.enumerated() {
      var section = TourSection(title: stop.title)
      try stop.run(&section)
      for row in section.rows { table.add(row.cells) }
      sections.append(section)
      progress.update(index + 1)
    }
    progress.finish()
    page.table(header: TourRow.header, rows: table.rows)
    for section in sections {
      page.heading(section.title)
      page.raw(section.markup)
    }
    do {
      try Data(page.text.utf8).write(to: URL(fileURLWithPath: report), options: .atomic)
    } catch {
      throw CommandError(
        "cannot write \(report): \(error.localizedDescription)", hint: "--report names another place")
    }
    print(table.text, terminator: "")
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    print(String(format: "\nEverything checked in %.1f seconds. Pictures: %@", seconds, report))
  }
}

/// One family's part of the tour.
protocol TourStop: Sendable {
  var title: String { get }
  /// Runs real input on the family's networks.
  /// - Throws: `TourFailure` if a result is not what it must be.
  func run(_ section: inout TourSection) throws
}

/// What a stop has to show.
struct TourSection {
  let title: String
  private(set) var rows: [TourRow] = []
  /// HTML.
  private(set) var markup = ""

  init(title: String) { self.title = title }

  mutating func add(_ row: TourRow) { rows.append(row) }
  mutating func paragraph(_ text: String) { markup += "<p>\(HTMLPage.escape(text))</p>\n" }
  mutating func preformatted(_ text: String) { markup += "<pre>\(HTMLPage.escape(text))</pre>\n" }
  mutating func picture(_ markup: String) { self.markup += markup + "\n" }
}

/// One line of the tour's table.
struct TourRow {
  var what: String
  var result: String
  var loops: Int
  var layers: Int
  var width: Int
  var parameters: Int
  var checkedAgainst: String
  var seconds: Double

  static let header = [
    "what ran", "result", "loops", "layers", "width", "weights", "checked against", "seconds",
  ]

  var cells: [String] {
    [
      what, result, String(loops), String(layers), String(width), String(parameters), checkedAgainst,
      String(format: "%.2f", seconds),
    ]
  }

  init(
    _ what: String, result: String, loops: Int, layers: Int, width: Int, parameters: Int,
    checkedAgainst: String,
    seconds: Double
  ) {
    self.what = what
    self.result = result
    self.loops = loops
    self.layers = layers
    self.width = width
    self.parameters = parameters
    self.checkedAgainst = checkedAgainst
    self.seconds = seconds
  }

  init(
    _ what: String, result: String, loops: Int, network: ConstructedNetwork, checkedAgainst: String,
    seconds: Double
  ) {
    self.init(
      what, result: result, loops: loops, layers: network.layers.count, width: network.width,
      parameters: network.parameterCount, checkedAgainst: checkedAgainst, seconds: seconds)
  }
}

/// A result of the tour that is not what it must be.
struct TourFailure: ReportedError, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }

  static func unless(_ isRight: Bool, _ description: @autoclosure () -> String) throws {
    if !isRight { throw TourFailure(description()) }
  }
}

/// Seconds that `work` takes, and what it returns.
func timed<Result>(_ work: () throws -> Result) rethrows -> (result: Result, seconds: Double) {
  let start = ContinuousClock.now
  let result = try work()
  return (result, (ContinuousClock.now - start) / .seconds(1))
}
