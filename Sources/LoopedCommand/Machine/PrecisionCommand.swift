import ArgumentParser
import Construction
import Foundation
import Machine
import Reporting

struct PrecisionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "precision",
    abstract: "Measure where each network stays exact: temperature, word size, data type.",
    discussion: """
      SUBLEQ networks run in lockstep with the interpreter, in ever wider words, up to the first state that differs. \
      FLEQ's function blocks run on a grid, and their errors are held against their bounds. Graph networks run in \
      lockstep with hard attention in float64, on ever larger graphs.

        looped precision --subleq
      """)

  /// What can be measured; each kind makes one section of the report.
  enum Kind: String, EnumerableFlag {
    case subleq, fleq, graph

    static func help(for kind: Kind) -> ArgumentHelp? {
      switch kind {
      case .subleq: "The SUBLEQ networks. (All kinds if none is named.)"
      case .fleq: "The function blocks of FLEQ."
      case .graph: "The paper's graph networks."
      }
    }
  }

  @Flag var kinds: [Kind] = []
  @Flag(help: "A few points of each curve: seconds instead of half a minute.")
  var quick = false
  @Option(help: "SUBLEQ: random programs of 60 instructions at each point.")
  var programs = 1
  @Flag(name: .shortAndLong, help: "Show every first failure.")
  var verbose = false
  @Option(help: "Write the plots to FILE.")
  var svg: String?
  @Option(help: "Write the whole report, with plots, to FILE.")
  var html: String?
  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func validate() throws {
    guard (1...10_000).contains(programs) else { throw ValidationError("--programs is 1 to 10000") }
  }

  func run() throws {
    Interrupt.install()
    var sections: [(kind: Kind, section: PrecisionSection)] = []
    for kind in kinds.isEmpty ? Kind.allCases : kinds where !Interrupt.isRequested {
      switch kind {
      case .subleq: sections.append((kind, try .subleq(quick: quick, programs: programs)))
      case .fleq: sections.append((kind, try .fleq(quick: quick)))
      case .graph: sections.append((kind, try .graph(quick: quick)))
      }
      if !json, let section = sections.last?.section { show(section) }
    }
    if json {
      let report = Dictionary(
        sections.map { ($0.kind.rawValue, $0.section.measurements) }, uniquingKeysWith: { first, _ in first })
      print(try jsonText(report))
    }
    try write(SVGChart.stack(sections.flatMap(\.section.charts)), to: svg)
    try write(page(sections.map(\.section)), to: html)
    if Interrupt.isRequested { throw ExitCode(130) }
  }

  private func show(_ section: PrecisionSection) {
    print(section.title + "\n")
    print(section.table.text)
    if verbose { print(section.details.text) }
    print(section.notes.map { $0 + "\n" }.joined())
  }

  private func page(_ sections: [PrecisionSection]) -> String {
    var page = HTMLPage(title: "Where constructed networks stay exact")
    for section in sections {
      page.heading(section.title)
      for chart in section.charts { page.raw(chart.text) }
      for table in [section.table, section.details] { page.table(header: table.header, rows: table.rows) }
      for note in section.notes { page.paragraph(note) }
    }
    return page.text
  }

  private func write(_ text: String, to path: String?) throws {
    guard let path else { return }
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CommandError("cannot write \(path): \(error.localizedDescription)")
    }
  }
}

/// One kind of network in the report.
struct PrecisionSection {
  var title: String
  var table: TextTable
  /// Every measurement in one row.
  var details: TextTable
  var notes: [String]
  var charts: [SVGChart]
  /// The measurements themselves, for machines.
  var measurements: AnyEncodable
}

/// A value whose type nobody needs to know any more.
struct AnyEncodable: Encodable {
  let value: any Encodable & Sendable
  func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}
