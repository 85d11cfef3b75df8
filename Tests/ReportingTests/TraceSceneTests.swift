import Foundation
import Looping
import Reporting
import Testing

/// Traces that say what their columns belong to.
@Suite struct TraceSceneTests {
  private static func header() -> TraceHeader {
    var header = TraceHeader(
      family: "graph", program: "p", network: "n", layers: 1, width: 2, parameters: 3, digest: "",
      columns: ["a", "b"], values: [-1, -1])
    header.graph = .init(
      isDirected: true, edges: [.init(source: 0, target: 1, weight: 2.5)], value: .distance, source: 0,
      places: [0, 0, 1, 1])
    header.listing = .init(text: "</script><script>alert(1)", lines: [1, 0])
    header.regression = .init(
      points: [1, 2], queries: [0, 1], leastSquares: [0, 2], dimension: 5, trainedLoops: 30)
    header.text = .init(tokens: ["</script>", " b"], trainedLoops: 4)
    return header
  }

  private static let step = TraceStep(
    loop: 1, position: nil, summary: "visits a", jumped: false,
    changes: [.init(column: 1, before: -1, after: 2.5, predecessor: 0)], output: nil, attention: nil,
    visited: [0],
    predictions: [
      .init(tokens: ["</script><script>alert(2)", "d"], probabilities: [0.5, 0.25], exit: 0.125),
      .init(tokens: ["e"], probabilities: [1], exit: nil),
    ])

  private static func read(_ header: TraceHeader, _ step: TraceStep = step) throws -> Trace {
    try Trace(
      jsonLines: ReportingTests.lines {
        try $0.record(header)
        try $0.record(step)
      })
  }

  @Test func comeBackAsTheyWere() throws {
    #expect(try Self.read(Self.header()) == Trace(header: Self.header(), steps: [Self.step]))
  }

  @Test func olderTracesHaveNone() throws {
    let line = """
      {"columns":["a"],"digest":"","family":"SUBLEQ","format":"looped-trace","layers":1,"network":"n",\
      "parameters":0,"program":"p","values":[0],"version":1,"width":1}
      """
    let step = #"{"changes":[],"jumped":false,"loop":1,"summary":"nothing"}"#
    let trace = try Trace(jsonLines: Data("\(line)\n\(step)\n".utf8))
    let header = trace.header
    #expect(header.graph == nil && header.listing == nil && header.regression == nil && header.text == nil)
    #expect(trace.steps[0].visited == nil && trace.steps[0].predictions == nil)
  }

  @Test func contradictionsAreRefused() throws {
    for spoil in [
      { $0.graph?.edges[0].target = 2 }, { $0.graph?.edges[0].source = -1 }, { $0.graph?.source = 2 },
      { $0.graph?.places = [0, 0, 1] }, { $0.listing?.lines = [1] }, { $0.regression?.points = [1] },
      { $0.regression?.queries = [1] }, { $0.regression?.leastSquares = [] },
      { $0.text?.tokens = ["a"] }, { $0.text?.tokens = ["a", "b", "c"] },
    ] as [(inout TraceHeader) -> Void] {
      var header = Self.header()
      spoil(&header)
      #expect(throws: TraceError.self) { try Self.read(header) }
    }
    for spoil in [
      { $0.visited = [2] }, { $0.visited = [-1] }, { $0.changes[0].predecessor = 2 },
      { $0.changes[0].column = -1 }, { $0.predictions = [] }, { $0.predictions?.removeLast() },
      { $0.predictions?.append(.init(tokens: ["f"], probabilities: [1], exit: nil)) },
      { $0.predictions?[1].tokens = [] },
      { $0.predictions?[1] = .init(tokens: [], probabilities: [], exit: nil) },
      { $0.predictions?[0].probabilities = [0.5] }, { $0.predictions?[0].probabilities[1] = -0.1 },
      { $0.predictions?[0].probabilities[0] = 1e300 }, { $0.predictions?[0].exit = 1.5 },
      { $0.predictions?[1].exit = -1 },
    ] as [(inout TraceStep) -> Void] {
      var step = Self.step
      spoil(&step)
      #expect(throws: TraceError.self) { try Self.read(Self.header(), step) }
    }
  }

  @Test func pagesHoldEverythingAndNothingElse() throws {
    let page = try TraceViewer.page(Trace(header: Self.header(), steps: [Self.step]))
    #expect(page.components(separatedBy: "</script>").count == 2 && !page.contains("<script>alert"))
    #expect(page.contains("LoopedViewer.mount(document.getElementById(\"trace\")"))
    #expect(
      page.replacing("http://www.w3.org/2000/svg", with: "").firstMatch(of: /https?:|src=|href=/) == nil)
    // The end of a style element in the style, or of a script in the script, would end the page's.
    #expect(!String(decoding: TraceViewer.script, as: UTF8.self).contains("</"))
    #expect(!String(decoding: TraceViewer.style, as: UTF8.self).contains("</"))
  }

  @Test func longTracesAreCut() throws {
    var steps = [TraceStep](repeating: Self.step, count: TraceViewer.largestStepCount + 1)
    for index in steps.indices { steps[index].loop = index + 1 }
    let page = try TraceViewer.markup(Trace(header: Self.header(), steps: steps))
    #expect(page.contains("The first 20000 of 20001 loops are shown."))
    #expect(page.components(separatedBy: "\"visits a\"").count == TraceViewer.largestStepCount + 1)
  }
}
