import Foundation
import Looping
import Reporting
import Testing

@Suite struct ReportingTests {
  @Test func tableAlignsNumbersRightAndTextLeft() {
    var table = TextTable(header: ["name", "n"])
    table.add(["a", "1"])
    table.add(["long", "23"])
    #expect(table.text == "name   n\n────────\na      1\nlong  23\n")
    #expect(table.markdown == "| name | n |\n| --- | --- |\n| a | 1 |\n| long | 23 |\n")
  }

  @Test func pagesEscapeWhatTheyShow() {
    var page = HTMLPage(title: "<a> & \"b\"")
    page.paragraph("<script>alert('x')</script>")
    #expect(!page.text.contains("<script>alert"))
    #expect(page.text.contains("&lt;a&gt; &amp; &quot;b&quot;"))
  }

  @Test(
    arguments: [
      [], [(1.0, 1.0)], [(1, .nan), (2, .infinity)], [(0, -1), (0, -1)], [(1, 1e-300), (1e300, 1)],
    ] as [[(Double, Double)]])
  func chartsSurviveDegenerateData(points: [(Double, Double)]) {
    for isLogarithmic in [false, true] {
      let chart = SVGChart(
        title: "t", xLabel: "x", yLabel: "<y>", logarithmicX: isLogarithmic, logarithmicY: isLogarithmic,
        series: [.init(name: "s", points: points.map { (x: $0.0, y: $0.1) })])
      #expect(chart.text.hasPrefix("<svg") && chart.text.hasSuffix("</svg>"))
      #expect(!chart.text.contains("nan") && !chart.text.contains("<y>"))
      let shown = points.filter {
        $0.0.isFinite && $0.1.isFinite && (!isLogarithmic || ($0.0 > 0 && $0.1 > 0))
      }
      #expect(chart.text.components(separatedBy: "<circle").count - 1 == shown.count)
    }
  }

  @Test func bandsAreShadesThatTheAxisHolds() {
    var series = SVGChart.Series(name: "s", points: [(1, 2), (2, 3)])
    series.band = [(1, 1, 4), (2, 2, 40)]
    let chart = SVGChart(title: "t", xLabel: "x", yLabel: "y", series: [series])
    let polygon = chart.text.components(separatedBy: "<polygon").last!.prefix { $0 != ">" }
    #expect(polygon.contains("points=") && polygon.filter { $0 == "," }.count == 4)
    #expect(chart.text.contains(">40<") && !chart.text.contains("nan"))
  }

  @Test func progressSaysHowFarAndHowLong() {
    let line = ProgressBar.line(done: 25, total: 100, what: "loops", seconds: 30)
    #expect(line.contains("25 %") && line.contains("25 of 100 loops") && line.contains("1:30 left"))
  }

  static let header = TraceHeader(
    family: "SUBLEQ", program: "p </script>", network: "n", layers: 3, width: 9, parameters: 5, digest: "ab",
    columns: ["0", "1"], values: [1, -2])
  static let step = TraceStep(
    loop: 1, position: 0, summary: "a -= b", jumped: true, changes: [.init(column: 1, before: -2, after: 3)],
    output: "x", attention: [.init(head: "h", query: "q", columns: ["c"], weights: [1])])

  static func lines(_ write: (TraceWriter) throws -> Void) rethrows -> Data {
    nonisolated(unsafe) var data = Data()
    try write(TraceWriter { data += $0 })
    return data
  }

  @Test func tracesComeBackAsTheyWere() throws {
    let data = try Self.lines {
      try $0.record(Self.header)
      try $0.record(Self.step)
      try $0.record(TraceEnd(loops: 1, halt: "halted"))
    }
    let trace = try Trace(jsonLines: data)
    #expect(trace == Trace(header: Self.header, steps: [Self.step], end: TraceEnd(loops: 1, halt: "halted")))
    let page = try TraceViewer.page(trace)
    #expect(page.components(separatedBy: "</script>").count == 2, "only the viewer's own script element ends")
  }

  @Test func brokenTracesAreRefusedWithTheirLine() throws {
    let good = try Self.lines {
      try $0.record(Self.header)
      try $0.record(Self.step)
    }
    #expect(throws: TraceError(line: 1, message: "the trace is empty")) { try Trace(jsonLines: Data()) }
    #expect(throws: TraceError.self) { try Trace(jsonLines: Data("{}".utf8)) }
    #expect(throws: TraceError(line: 2, message: "neither a step nor an end record; was the file cut off?")) {
      try Trace(jsonLines: good.dropLast(20))
    }
    var wrong = Self.step
    wrong.changes[0].column = 7
    let contradictory = try Self.lines {
      try $0.record(Self.header)
      try $0.record(wrong)
    }
    #expect(throws: TraceError.self) { try Trace(jsonLines: contradictory) }
    #expect(throws: TraceError.self) { try Trace(jsonLines: Data(repeating: 0xff, count: 1000)) }
  }
}
