import Construction

/// What Dijkstra, BFS and DFS add to the scan: the chosen node is visited, its out-neighbours hear its offer, and those
/// that it improves take it. The three differ in the offer alone.
struct SearchFields: Sendable {
  let scan: ScanFields
  let index: ScanFields.Carried
  let chosen: Field

  // In nodes.
  /// 1 for nodes that must be visited before the end: all from the start, or (BFS) what was discovered.
  let due: Field
  /// Index of the node before; the own one for roots.
  let predecessor: Field
  /// The sweep in which the node was visited.
  let visitTime: Field

  // Scratch.
  let edge: Field
  let offer: Field
  let offeredPredecessor: Field
  let isRelaxed: Field
  let unvisited: Field

  init(_ range: ExactRange, in layout: inout ResidualLayout) {
    let omega = range.infinity
    scan = ScanFields(range, in: &layout)
    index = ScanFields.Carried(scan.index, in: &layout)
    chosen = layout.add("chosen position", rows: 2)
    due = layout.add("due", rows: 1)
    predecessor = layout.add("predecessor", rows: 1, bound: omega)
    visitTime = layout.add("visit time", rows: 1, bound: omega)
    edge = layout.add("edge", rows: 1)
    offer = layout.add("offer", rows: 1, bound: 2 * omega)
    offeredPredecessor = layout.add("offered predecessor", rows: 1, bound: omega)
    isRelaxed = layout.add("is relaxed", rows: 1)
    unvisited = layout.add("share not visited", rows: 1)
  }

  /// What out-neighbours of the chosen node hear, a form on column 0; and what the weight of the edge counts for.
  struct Offer {
    var message: LinearForm
    var perWeight: LinearForm?
  }

  /// Layer 3: the node that `chosen` names is visited; its out-neighbours hear the offer, and take it if it is better
  /// than their key.
  ///
  ///     key ← key − ReLU(key − offer + 2Ω·edge − 2Ω − 2Ω·visited)
  ///
  /// The sum is key − offer where there is an edge to an unvisited node: integers of at most 2Ω, with partial sums of at
  /// most 4Ω in any order, hence exact. Elsewhere it is at most −Ω. Whether there is an edge is told by a head without
  /// weights, so that an edge may weigh nothing.
  func visit(_ layer: inout LayerBuilder, _ offering: Offer, discovers: Bool) {
    let omega = scan.range.infinity
    let roles = scan.roles
    layer.sendToNode(
      "visit", at: [chosen], roles: roles,
      values: [
        (.row(roles.global[0]), scan.visited[0]), (.row(scan.time[0]), visitTime[0]),
      ])
    layer.sendToNode(
      "offer along edges", at: [chosen], roles: roles, mixing: GraphMixing(.alongEdges, isWeighted: false),
      values: [
        (.row(roles.global[0]), edge[0]), (offering.message, offer[0]),
        (.row(index.best[0]), offeredPredecessor[0]),
      ])
    if let perWeight = offering.perWeight {
      layer.sendToNode(
        "weights", at: [chosen], roles: roles, mixing: GraphMixing(.alongEdges, isWeighted: true),
        values: [(perWeight, offer[0])])
    }
    let improvement =
      .row(scan.key[0]) - .row(offer[0]) + 2 * omega * .row(edge[0])
      - 2 * omega * .row(scan.visited[0]) - 2 * omega
    layer.relu(improvement, to: scan.key[0], times: -1)
    layer.isPositive(improvement, to: isRelaxed[0])
    if discovers { layer.isPositive(improvement - 2 * omega * .row(due[0]), to: due[0]) }
    layer.clear(edge, offer)
    scan.startNextSweep(&layer, pointers: [chosen])
  }

  /// Layer 4: TERM, once all nodes that are due were visited; and predecessors.
  ///
  /// TERM is sticky: running falls from 1 to 0 in the same neuron that raises it, and ReLU(0 + 0) raises nothing.
  func finish(_ layer: inout LayerBuilder) {
    let omega = scan.range.infinity
    layer.averageOverNodes(
      "all visited?", of: .row(scan.visited[0]) - .row(due[0]), roles: scan.roles, to: unvisited[0])
    let isDone = .row(scan.running[0]) + scan.range.gain * .row(unvisited[0])
    layer.relu(isDone, to: scan.terminated[0])
    layer.relu(isDone, to: scan.running[0], times: -1)
    layer.replace(
      predecessor, by: .row(offeredPredecessor[0]), gate: omega * .row(isRelaxed[0]) - omega)
    layer.clear(isRelaxed, offeredPredecessor, unvisited)
  }

  /// The four layers.
  func layers(
    _ layout: ResidualLayout, _ offering: Offer, discovers: Bool,
    beforeVisit: (inout LayerBuilder) -> Void = { _ in }, afterVisit: (inout LayerBuilder) -> Void = { _ in }
  ) -> [ConstructedLayer] {
    var read = LayerBuilder("read candidate", layout: layout)
    scan.readCandidate(&read, carried: [index])
    var keep = LayerBuilder("keep the better", layout: layout)
    scan.keepBetter(&keep, carried: [index], pointers: [(chosen, LinearForm())])
    beforeVisit(&keep)
    var visit = LayerBuilder("visit", layout: layout)
    self.visit(&visit, offering, discovers: discovers)
    afterVisit(&visit)
    var finish = LayerBuilder("finish", layout: layout)
    self.finish(&finish)
    return [read.build(), keep.build(), visit.build(), finish.build()]
  }
}
