import Foundation

/// A graph as SVG: circles, lines with arrows, weights, and what an algorithm found.
public struct GraphDrawing {
  public struct Edge: Sendable {
    public var source: Int
    public var target: Int
    public var label: String
    /// Whether it belongs to the tree, the cycle or whatever else the picture is about.
    public var isMarked: Bool

    public init(source: Int, target: Int, label: String, isMarked: Bool) {
      self.source = source
      self.target = target
      self.label = label
      self.isMarked = isMarked
    }
  }

  /// More than this nobody can make out.
  public static let largestNodeCount = 2_000
  public static let largestEdgeCount = 20_000

  public var title: String
  public var names: [String]
  /// What stands below a node's name: a distance, a rank.
  public var values: [String]
  /// Nodes of one group have one colour; -1 for none.
  public var groups: [Int]
  public var edges: [Edge]
  public var isDirected: Bool
  public var layout: GraphLayout
  /// Whether the values are left out, but for the room they need.
  var hidesValues = false

  public init(
    title: String, names: [String], values: [String], groups: [Int], edges: [Edge], isDirected: Bool,
    root: Int = 0
  ) {
    precondition(
      names.count == values.count && names.count == groups.count, "one name, value and group per node")
    self.title = title
    self.names = names
    self.values = values
    self.groups = groups
    self.edges = edges
    self.isDirected = isDirected
    layout = GraphLayout(
      nodeCount: names.count, edges: edges.map { ($0.source, $0.target) }, isDirected: isDirected, root: root)
  }

  private static let colors = [
    "#0969da", "#bf8700", "#1a7f37", "#8250df", "#cf222e", "#1b7c83", "#bf3989", "#57606a",
  ]
  private var width: Double { max(480, min(2400, 130 * Double(names.count).squareRoot())) }
  private var height: Double { max(width * 0.72, Double(layout.layerCount) * 96) }
  private var radius: Double { names.count > 400 ? 4 : names.count > 60 ? 9 : 15 }
  private var showsText: Bool { names.count <= 150 }
  private var showsWeights: Bool { edges.count <= 150 }

  private func at(_ node: Int) -> (x: Double, y: Double) {
    let margin = radius + 22
    let point = layout.points[node]
    return (margin + point.x * (width - 2 * margin), margin + point.y * (height - 2 * margin))
  }

  private func shown(_ number: Double) -> String { String(format: "%.1f", number) }

  /// - Parameter id: of the svg element; arrow heads need a name of their own on a page.
  public func text(id: String = "graph") -> String {
    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" id="\(id)" viewBox="0 0 \(shown(width)) \(shown(height))" role="img"
      font-family="system-ui, sans-serif" font-size="11" style="max-width:\(shown(width))px">
      <title>\(HTMLPage.escape(title))</title>
      <style>
      #\(id) { --node: #fff; --line: #8c959f; --ink: #1c2128; --tree: #1a7f37; --now: #cf222e; --halo: #fff;
        background: transparent; }
      @media (prefers-color-scheme: dark) { #\(id) { --node: #21262d; --line: #6e7681; --ink: #e6edf3;
        --tree: #3fb950; --now: #ff7b72; --halo: #0d1117; } }
      #\(id) .edge { stroke: var(--line); stroke-width: 1.2; fill: none; }
      #\(id) .edge.marked { stroke: var(--tree); stroke-width: 3; }
      #\(id) .node circle { fill: var(--node); stroke: var(--line); stroke-width: 1.5; }
      #\(id) text { fill: var(--ink); text-anchor: middle; stroke: var(--halo); stroke-width: 3px; paint-order: stroke; }
      #\(id) text.weight { font-size: 10px; opacity: .8; }
      #\(id) .node text.inside { stroke: none; }
      #\(id) text.value { font-weight: 600; }
      #\(id) marker path { fill: var(--line); }
      </style>
      <defs><marker id="\(id)-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"
      markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>

      """
    // Edges both ways are bent away from each other, or share one line if they say the same.
    var labels: [[Int]: Set<String>] = [:]
    for edge in edges { labels[[edge.source, edge.target], default: []].insert(edge.label) }
    // Marked edges last, so that nothing crosses over them.
    for index in edges.indices.sorted(by: { !edges[$0].isMarked && edges[$1].isMarked }) {
      let edge = edges[index]
      let back = isDirected && edge.source != edge.target ? labels[[edge.target, edge.source]] : nil
      let isShared = back == [edge.label] && labels[[edge.source, edge.target]] == [edge.label]
      let (path, middle) = path(edge, isBent: back != nil && !isShared)
      svg +=
        "<path class=\"edge\(edge.isMarked ? " marked" : "")\" data-edge=\"\(index)\" d=\"\(path)\""
        + (isDirected ? " marker-end=\"url(#\(id)-arrow)\"" : "") + "/>\n"
      if showsWeights && !edge.label.isEmpty && !(isShared && edge.source > edge.target) {
        svg +=
          "<text class=\"weight\" x=\"\(shown(middle.x))\" y=\"\(shown(middle.y))\">\(HTMLPage.escape(edge.label))</text>\n"
      }
    }
    for node in names.indices {
      let (x, y) = at(node)
      let color =
        groups[node] < 0
        ? "" : " style=\"stroke:\(Self.colors[groups[node] % Self.colors.count]);stroke-width:4\""
      svg += "<g class=\"node\" data-node=\"\(node)\"><title>\(HTMLPage.escape(names[node]))"
      svg += values[node].isEmpty || hidesValues ? "</title>" : ": \(HTMLPage.escape(values[node]))</title>"
      svg += "<circle cx=\"\(shown(x))\" cy=\"\(shown(y))\" r=\"\(shown(radius))\"\(color)/>"
      if showsText {
        let name = names[node].count > 14 ? names[node].prefix(13) + "…" : names[node][...]
        // Short names fit into the circle, otherwise short values do.
        let isNameInside = name.count <= 3 && radius >= 15
        let isValueInside = !isNameInside && radius >= 15 && values[node].count <= 4
        svg +=
          "<text\(isNameInside ? " class=\"inside\"" : "") x=\"\(shown(x))\" "
          + "y=\"\(shown(isNameInside ? y + 4 : y - radius - 4))\">\(HTMLPage.escape(String(name)))</text>"
          + "<text class=\"value\(isValueInside ? " inside" : "")\" x=\"\(shown(x))\" "
          + "y=\"\(shown(isValueInside ? y + 4 : y + radius + 12))\">\(hidesValues ? "" : HTMLPage.escape(values[node]))</text>"
      }
      svg += "</g>\n"
    }
    return svg + "</svg>"
  }

  /// A line from rim to rim, bent if another edge runs the other way, or a loop above the node.
  private func path(_ edge: Edge, isBent: Bool) -> (path: String, middle: (x: Double, y: Double)) {
    let (from, to) = (at(edge.source), at(edge.target))
    guard edge.source != edge.target else {
      let r = radius
      let path =
        "M\(shown(from.x + r * 0.7)) \(shown(from.y - r * 0.7)) c\(shown(r * 1.6)) \(shown(-r * 1.4)) "
        + "\(shown(r * 1.9)) \(shown(r * 1.1)) \(shown(r * 0.3)) \(shown(r * 0.7))"
      return (path, (from.x + r * 2.2, from.y - r * 0.5))
    }
    let (dx, dy) = (to.x - from.x, to.y - from.y)
    let length = max((dx * dx + dy * dy).squareRoot(), 1e-9)
    let (ux, uy) = (dx / length, dy / length)
    let bend = isBent ? min(24, length * 0.16) : 0
    let middle = (x: (from.x + to.x) / 2 - uy * bend, y: (from.y + to.y) / 2 + ux * bend)
    func rim(_ centre: (x: Double, y: Double)) -> (x: Double, y: Double) {
      let (vx, vy) = (middle.x - centre.x, middle.y - centre.y)
      let distance = max((vx * vx + vy * vy).squareRoot(), 1e-9)
      return (centre.x + vx / distance * (radius + 1), centre.y + vy / distance * (radius + 1))
    }
    let (start, end) = (rim(from), rim(to))
    let path =
      bend == 0
      ? "M\(shown(start.x)) \(shown(start.y)) L\(shown(end.x)) \(shown(end.y))"
      : "M\(shown(start.x)) \(shown(start.y)) Q\(shown(middle.x - uy * bend * 0.6)) \(shown(middle.y + ux * bend * 0.6)) "
        + "\(shown(end.x)) \(shown(end.y))"
    return (path, (middle.x - uy * 6, middle.y + ux * 6 + 3))
  }
}
