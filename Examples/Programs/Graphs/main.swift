// Shortest paths by attention: one loop of the network takes one node.
import GraphAlgorithms

let towns = ["Ahorn", "Birke", "Eiche", "Fichte", "Linde"]
let roads = Graph(
  nodeCount: 5, isDirected: false,
  edges: [
    Graph.Edge(0, 1, weight: 4), Graph.Edge(0, 2, weight: 1), Graph.Edge(2, 1, weight: 2),
    Graph.Edge(1, 3, weight: 5), Graph.Edge(2, 4, weight: 8), Graph.Edge(3, 4, weight: 3),
  ], names: towns)

// The same weights for every graph: this one enters as columns (nodes) and through the graph heads (edges).
let network = CompactDijkstra()
let outcome = try CompactMachine(network).run(
  on: roads, source: 0,
  observe: { loop in
    let visited = loop.extracted.map { towns[$0] } ?? "nobody"
    let closer = loop.changes.map { "\(towns[$0.node]) \(Int($0.value))" }.joined(separator: ", ")
    print("loop \(loop.loop) takes \(visited)" + (closer.isEmpty ? "" : ": \(closer)"))
  })

var (path, node) = ([towns[4]], 4)
while let before = outcome.result.predecessors?[node], before != node {
  path.insert(towns[before], at: 0)
  node = before
}
print("from Ahorn to Linde: \(Int(outcome.result.distances![4])) by \(path.joined(separator: " – "))")
