import Construction

/// What Dijkstra's and Prim's algorithms share: the node with the smallest key is extracted, and the keys of its
/// neighbours are replaced by a candidate where that is strictly smaller.
///
///     | layer   | attention                                                      | feed-forward                |
///     |---------|----------------------------------------------------------------|-----------------------------|
///     | extract | scratchpad: largest −key among the unvisited                    | time += found               |
///     | notify  | graph: neighbours get candidate; extracted node: visited        |                             |
///     | compare | candidate < key? then read the scratchpad                       | key, predecessor ← 0 if so  |
///     | write   | –                                                               | key, predecessor += new     |
///
/// Rows rest at the same values between loops *and* between layers, except on the scratchpad, the extracted node and its
/// neighbours: `blocked` and `kept` rest at 1, all other flags at 0. So an executor may skip the rest of the graph.
struct CompactRelaxation {
  var rows = CompactLayout()
  let key: Field
  let predecessor: Field
  let visited: Field
  let visitTime: Field
  private let blocked: Field
  private let kept: Field
  private let candidate: Field
  private let newPredecessor: Field
  private let currentKey: Field

  init() {
    key = rows.real("key")
    predecessor = rows.integer("predecessor")
    visited = rows.integer("visited")
    visitTime = rows.integer("visiting time")
    blocked = rows.integer("blocked")
    kept = rows.integer("kept")
    candidate = rows.real("candidate")
    newPredecessor = rows.integer("new predecessor")
    currentKey = rows.real("current key")
  }

  /// - Parameters:
  ///   - addsUp: whether the candidate is the extracted key + the edge's weight (Dijkstra) or the weight alone (Prim).
  ///   - extractsUnreached: whether nodes without a key are extracted last (a forest), or never.
  func network(_ name: String, addsUp: Bool, extractsUnreached: Bool) -> ConstructedNetwork {
    var extract = rows.builder("extract")
    rows.extract(
      &extract, largest: -.row(key[0]) - CompactLayout.Magnitude.closed * .row(visited[0]),
      reading: addsUp ? [(from: key, to: currentKey)] : [],
      nobody: extractsUnreached ? CompactLayout.Magnitude.nobody : CompactLayout.Magnitude.far / 2)
    rows.tick(&extract)

    var notify = rows.builder("notify")
    // fl(key + weight): the other terms of both sums are zero.
    rows.notify(
      "to neighbours", &notify, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [(-.row(rows.found[0]), blocked[0])] + (addsUp ? [(.row(currentKey[0]), candidate[0])] : []))
    rows.notify(
      "weights", &notify, mixing: GraphMixing(.alongEdges, isWeighted: true),
      outputs: [(.row(rows.found[0]), candidate[0])])
    rows.notify(
      "visit", &notify, outputs: [(.row(rows.found[0]), visited[0]), (.row(rows.time[0]), visitTime[0])])

    var compare = rows.builder("compare")
    rows.compare(
      "candidate < key", &compare,
      .row(candidate[0]) + CompactLayout.Magnitude.closed * (.row(blocked[0]) + .row(visited[0])),
      isLessThan: .row(key[0]),
      outputs: [(-.row(rows.scratchpad[0]), kept[0]), (.row(rows.current[0]), newPredecessor[0])])
    compare.clear(key[0], unless: kept)
    compare.clear(predecessor[0], unless: kept)

    var write = rows.builder("write")
    write.add(candidate, unless: kept, to: key[0])
    write.relu(.row(newPredecessor[0]), to: predecessor[0])
    write.clear(candidate, newPredecessor)
    write.restore(blocked, on: rows.node)
    write.restore(kept, on: rows.node)
    rows.finish(&write, clearing: currentKey)

    return ConstructedNetwork(
      name: name, layout: rows.layout,
      layers: [extract, notify, compare, write].map { $0.build() })
  }

  func stream<Scalar: BinaryFloatingPoint & Sendable>(nodeCount: Int, source: Int?) -> ResidualStream<Scalar>
  {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: nodeCount)
    for v in 0..<nodeCount {
      let column = CompactLayout.firstNode + v
      state[key[0], column] = v == source ? 0 : Scalar(CompactLayout.Magnitude.far)
      state[blocked[0], column] = 1
      state[kept[0], column] = 1
    }
    return state
  }
}
