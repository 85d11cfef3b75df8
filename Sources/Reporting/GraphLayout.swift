import Foundation

/// Where the nodes of a graph go on a picture.
public struct GraphLayout: Equatable, Sendable {
  public struct Point: Equatable, Sendable {
    public var x: Double
    public var y: Double
  }

  /// In the unit square.
  public private(set) var points: [Point]
  /// How many layers lie below each other; 0 without layers.
  public private(set) var layerCount = 0

  /// Layers from top to bottom if every edge can point down (a directed graph without cycles) or the graph is a forest;
  /// otherwise by forces. The same picture every time.
  ///
  /// - Parameters:
  ///   - edges: pairs of nodes; self-loops are passed over.
  ///   - root: where a forest's first tree begins.
  /// - Complexity: layers O((nodes + edges) · sweeps), forces O(nodes² · rounds).
  public init(nodeCount: Int, edges: [(Int, Int)], isDirected: Bool, root: Int = 0) {
    let edges = edges.filter { $0.0 != $0.1 }
    points = []
    if let layers = isDirected
      ? Self.layersOfAcyclic(nodeCount, edges) : Self.layersOfForest(nodeCount, edges, root: root)
    {
      points = Self.layered(layers, edges)
      layerCount = (layers.max() ?? 0) + 1
    } else {
      points = Self.forces(nodeCount, edges)
    }
  }

  /// The length of the longest path to each node; `nil` if there is a cycle, or no edge to make layers of.
  private static func layersOfAcyclic(_ nodeCount: Int, _ edges: [(Int, Int)]) -> [Int]? {
    guard !edges.isEmpty else { return nil }
    var targets = [[Int]](repeating: [], count: nodeCount)
    var incoming = [Int](repeating: 0, count: nodeCount)
    for (source, target) in edges {
      targets[source].append(target)
      incoming[target] += 1
    }
    var layers = [Int](repeating: 0, count: nodeCount)
    var ready = (0..<nodeCount).filter { incoming[$0] == 0 }
    var done = 0
    while let node = ready.popLast() {
      done += 1
      for target in targets[node] {
        layers[target] = max(layers[target], layers[node] + 1)
        incoming[target] -= 1
        if incoming[target] == 0 { ready.append(target) }
      }
    }
    return done == nodeCount ? layers : nil
  }

  /// The depth of each node in its tree; `nil` if there is a cycle, or no edge.
  private static func layersOfForest(_ nodeCount: Int, _ edges: [(Int, Int)], root: Int) -> [Int]? {
    guard !edges.isEmpty, edges.count < nodeCount else { return nil }
    var neighbours = [[Int]](repeating: [], count: nodeCount)
    for (source, target) in edges {
      neighbours[source].append(target)
      neighbours[target].append(source)
    }
    var layers = [Int](repeating: -1, count: nodeCount)
    var trees = 0
    for start in [root] + Array(0..<nodeCount) where layers[start] < 0 {
      trees += 1
      layers[start] = 0
      var queue = [start]
      while let node = queue.popLast() {
        for next in neighbours[node] where layers[next] < 0 {
          layers[next] = layers[node] + 1
          queue.append(next)
        }
      }
    }
    return edges.count == nodeCount - trees ? layers : nil
  }

  /// Places within layers by repeated barycentres (Sugiyama, Tagawa and Toda 1981).
  private static func layered(_ layers: [Int], _ edges: [(Int, Int)]) -> [Point] {
    let height = (layers.max() ?? 0) + 1
    var rows = [[Int]](repeating: [], count: height)
    for (node, layer) in layers.enumerated() { rows[layer].append(node) }
    var neighbours = [[Int]](repeating: [], count: layers.count)
    for (source, target) in edges {
      neighbours[source].append(target)
      neighbours[target].append(source)
    }
    var x = [Double](repeating: 0, count: layers.count)
    func place(_ row: [Int]) {
      for (index, node) in row.enumerated() { x[node] = (Double(index) + 0.5) / Double(row.count) }
    }
    rows.forEach(place)
    for sweep in 0..<12 {
      let order = sweep % 2 == 0 ? Array(0..<height) : Array((0..<height).reversed())
      for layer in order {
        let centre = rows[layer].map { node in
          let near = neighbours[node].filter { sweep % 2 == 0 ? layers[$0] < layer : layers[$0] > layer }
          return near.isEmpty ? x[node] : near.reduce(0) { $0 + x[$1] } / Double(near.count)
        }
        rows[layer] = rows[layer].indices.sorted { (centre[$0], $0) < (centre[$1], $1) }.map {
          rows[layer][$0]
        }
        place(rows[layer])
      }
    }
    return layers.indices.map { Point(x: x[$0], y: (Double(layers[$0]) + 0.5) / Double(height)) }
  }

  /// Fruchterman and Reingold (1991), from a spiral, with a little pull to the middle that keeps parts together.
  private static func forces(_ nodeCount: Int, _ edges: [(Int, Int)]) -> [Point] {
    guard nodeCount > 1 else { return [Point](repeating: Point(x: 0.5, y: 0.5), count: nodeCount) }
    var x = [Double](repeating: 0, count: nodeCount)
    var y = x
    let ideal = 1 / Double(nodeCount).squareRoot()
    for node in 0..<nodeCount {
      let radius = (Double(node) + 0.5).squareRoot() * ideal / 2
      x[node] = radius * cos(Double(node) * 2.399963)
      y[node] = radius * sin(Double(node) * 2.399963)
    }
    // Fewer rounds for large graphs keep this within seconds.
    let rounds = min(400, max(60, 200_000_000 / (nodeCount * nodeCount)))
    for round in 0..<rounds {
      var dx = [Double](repeating: 0, count: nodeCount)
      var dy = dx
      for first in 0..<nodeCount {
        for second in 0..<first {
          let (ux, uy) = (x[first] - x[second], y[first] - y[second])
          let push = ideal * ideal / max(ux * ux + uy * uy, 1e-9)
          dx[first] += ux * push
          dy[first] += uy * push
          dx[second] -= ux * push
          dy[second] -= uy * push
        }
      }
      for (source, target) in edges {
        let (ux, uy) = (x[source] - x[target], y[source] - y[target])
        let pull = (ux * ux + uy * uy).squareRoot() / ideal
        dx[source] -= ux * pull
        dy[source] -= uy * pull
        dx[target] += ux * pull
        dy[target] += uy * pull
      }
      let step = 0.1 * (1 - Double(round) / Double(rounds))
      for node in 0..<nodeCount {
        dx[node] -= 0.3 * x[node]
        dy[node] -= 0.3 * y[node]
        let length = max((dx[node] * dx[node] + dy[node] * dy[node]).squareRoot(), 1e-9)
        x[node] += dx[node] / length * min(length, step)
        y[node] += dy[node] / length * min(length, step)
      }
    }
    func unit(_ values: [Double]) -> [Double] {
      let (low, high) = (values.min() ?? 0, values.max() ?? 1)
      return values.map { high > low ? 0.04 + 0.92 * ($0 - low) / (high - low) : 0.5 }
    }
    return zip(unit(x), unit(y)).map { Point(x: $0, y: $1) }
  }
}
