import Foundation
import Reporting
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct GraphDrawingTests {
  private func drawing(names: [String], edges: [(Int, Int)], isDirected: Bool = true) -> GraphDrawing {
    GraphDrawing(
      title: "a <title>", names: names, values: names.map { _ in "1 & 2" }, groups: names.map { _ in -1 },
      edges: edges.map { .init(source: $0.0, target: $0.1, label: "<7>", isMarked: $0.0 == 0) },
      isDirected: isDirected)
  }

  private func isWellFormed(_ markup: String) -> Bool { XMLParser(data: Data(markup.utf8)).parse() }

  @Test func acyclicGraphsPointDown() {
    let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (4, 2)]
    let points = GraphLayout(nodeCount: 5, edges: edges, isDirected: true).points
    for (source, target) in edges { #expect(points[source].y < points[target].y) }
  }

  @Test func treesGrowFromTheRoot() {
    let points = GraphLayout(nodeCount: 4, edges: [(0, 1), (1, 2), (1, 3)], isDirected: false, root: 2).points
    #expect(points[2].y < points[1].y && points[1].y < points[0].y && points[0].y == points[3].y)
  }

  @Test func everyNodeHasAPlaceOfItsOwn() {
    for (count, isDirected) in [(1, true), (2, false), (30, true), (200, false)] {
      let edges = (0..<count).flatMap { [($0, ($0 + 1) % count), ($0, ($0 * 7) % count)] }
      let layout = GraphLayout(nodeCount: count, edges: edges, isDirected: isDirected)
      #expect(layout.points.allSatisfy { (0...1).contains($0.x) && (0...1).contains($0.y) })
      #expect(Set(layout.points.map { "\($0.x) \($0.y)" }).count == count)
      #expect(layout == GraphLayout(nodeCount: count, edges: edges, isDirected: isDirected))
    }
    #expect(GraphLayout(nodeCount: 0, edges: [], isDirected: true).points.isEmpty)
  }

  @Test func drawingsAreWellFormed() {
    let hostile = ["</svg><script>", "a\"b", "&amp;", "ü", ""]
    let edges = [(0, 1), (1, 0), (2, 2), (3, 4)]
    for isDirected in [true, false] {
      let svg = drawing(names: hostile, edges: edges, isDirected: isDirected).text()
      #expect(isWellFormed(svg))
      #expect(!svg.contains("<script>"))
      #expect(svg.contains("edge marked"))
    }
    #expect(isWellFormed(drawing(names: [], edges: []).text()))
  }

  @Test func animationsEscapeNames() throws {
    let frames = [
      GraphAnimation.Frame(
        number: 7, visited: [0], changes: [.init(node: 1, value: "</script>", predecessor: 0)])
    ]
    let markup = try GraphAnimation.markup(
      drawing(names: ["</script><b>", "b"], edges: [(0, 1)]), frames: frames)
    #expect(markup.components(separatedBy: "</script>").count == 2)
    #expect(markup.contains("max=\"1\""))
  }
}
