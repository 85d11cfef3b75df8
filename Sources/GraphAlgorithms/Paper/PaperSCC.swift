import Construction

/// Strongly connected components by Kosaraju's algorithm (theorem: 22 layers, 4 heads).
///
/// | layer | attention | feed-forward | the paper's steps |
/// |---|---|---|---|
/// | read candidate, keep the better | as in Dijkstra's network | two pointers: into G in the first phase, into Gᵀ in the second | get minimum |
/// | visit | mark the chosen node; its edges in G; its edges in Gᵀ | visit or leave it; offer to its neighbours | read rows of A and Aᵀ, compare, push to Q1, Q2 |
/// | finish | all left? | labels of improved neighbours; next phase; TERM | if-else, termination of either phase |
///
/// First phase: depth-first search. A chosen node that is new gets the key Ω/2 − 2t, its unvisited neighbours
/// Ω/2 − 2t − 1, so that it is chosen again when everything below it is done; then it is left, and remembers Ω/2 − 2t as
/// its finishing key. Second phase: keys are finishing keys, the latest the smallest; the search runs on Gᵀ, where the
/// offer Ω/2 − 2t − 1 is below every finishing key, so a tree is completed before the next root. Neighbours take over the
/// label, which starts as the own index: it is the root's. 2n + n minima of n loops each.
extension PaperGraphNetwork {
  public static func scc(_ range: ExactRange) -> PaperGraphNetwork {
    var layout = ResidualLayout()
    let fields = ComponentFields(range, in: &layout)
    return PaperGraphNetwork(
      "SCC", [.scc], theorem: Theorem(layers: 22, heads: 4), layout: layout, scan: fields.scan,
      fields: .components(fields), layers: fields.layers(layout))
  }
}

struct ComponentFields: Sendable {
  /// `visited` of the scan means: left, in this phase.
  let scan: ScanFields
  let label: ScanFields.Carried
  let chosenInGraph: Field
  let chosenInTranspose: Field

  // In nodes.
  let ownLabel: Field
  /// Was ever chosen.
  let seen: Field
  /// Was chosen in this phase.
  let found: Field
  let finishingKey: Field

  // In all columns.
  let firstPhase: Field
  let secondPhase: Field

  // Scratch.
  let isChosen: Field
  let stamp: Field
  let edge: Field
  let offer: Field
  let offeredLabel: Field
  let isRelaxed: Field
  let unfinished: Field

  init(_ range: ExactRange, in layout: inout ResidualLayout) {
    let omega = range.infinity
    scan = ScanFields(range, in: &layout)
    ownLabel = layout.add("label", rows: 1, bound: omega)
    label = ScanFields.Carried(ownLabel, in: &layout)
    chosenInGraph = layout.add("chosen position in G", rows: 2)
    chosenInTranspose = layout.add("chosen position in Gᵀ", rows: 2)
    seen = layout.add("seen", rows: 1)
    found = layout.add("found", rows: 1)
    finishingKey = layout.add("finishing key", rows: 1, bound: omega)
    firstPhase = layout.add("first phase", rows: 1)
    secondPhase = layout.add("second phase", rows: 1)
    isChosen = layout.add("is chosen", rows: 1)
    stamp = layout.add("stamp", rows: 1, bound: omega)
    edge = layout.add("edge", rows: 1)
    offer = layout.add("offer", rows: 1, bound: omega)
    offeredLabel = layout.add("offered label", rows: 1, bound: omega)
    isRelaxed = layout.add("is relaxed", rows: 1)
    unfinished = layout.add("share not left", rows: 1)
  }

  func layers(_ layout: ResidualLayout) -> [ConstructedLayer] {
    var read = LayerBuilder("read candidate", layout: layout)
    scan.readCandidate(&read, carried: [label])
    var keep = LayerBuilder("keep the better", layout: layout)
    scan.keepBetter(
      &keep, carried: [label],
      pointers: [(chosenInGraph, .row(secondPhase[0])), (chosenInTranspose, .row(firstPhase[0]))])
    var visit = LayerBuilder("visit", layout: layout)
    self.visit(&visit)
    var finish = LayerBuilder("finish", layout: layout)
    self.finish(&finish)
    return [read.build(), keep.build(), visit.build(), finish.build()]
  }

  /// Layer 3. With c = isChosen, s = seen (both {0, 1}): ReLU(c − s) = 1 where the node is new, ReLU(c + s − 1) = 1 where
  /// it is left. In the second phase every node was seen, and is left at once. Stamps are 0 where c = 0.
  private func visit(_ layer: inout LayerBuilder) {
    let omega = scan.range.infinity
    let roles = scan.roles
    let stampForm = omega / 2 * .row(roles.global[0]) - 2 * .row(scan.time[0])
    layer.sendToNode(
      "visit or leave", at: [chosenInGraph, chosenInTranspose], roles: roles,
      values: [(.row(roles.global[0]), isChosen[0]), (stampForm, stamp[0])])
    for (name, pointer, direction) in [
      ("offer along edges", chosenInGraph, GraphMixing.Direction.alongEdges),
      ("offer against edges", chosenInTranspose, .againstEdges),
    ] {
      layer.sendToNode(
        name, at: [pointer], roles: roles, mixing: GraphMixing(direction, isWeighted: false),
        values: [
          (.row(roles.global[0]), edge[0]), (stampForm - .row(roles.global[0]), offer[0]),
          (.row(label.best[0]), offeredLabel[0]),
        ])
    }
    let (chosen, seen) = (LinearForm.row(isChosen[0]), LinearForm.row(self.seen[0]))
    let key = LinearForm.row(scan.key[0])
    let improvement =
      key - .row(offer[0]) + 2 * omega * .row(edge[0]) - 2 * omega * .row(found[0]) - 2 * omega * chosen
      - 2 * omega
    layer.relu(improvement, to: scan.key[0], times: -1)
    layer.isPositive(improvement, to: isRelaxed[0])
    layer.relu(key + omega * chosen - omega - omega * seen, to: scan.key[0], times: -1)
    layer.relu(.row(stamp[0]) - omega * seen, to: scan.key[0])
    layer.relu(.row(stamp[0]) + omega * seen - omega * .row(secondPhase[0]) - omega, to: finishingKey[0])
    layer.relu(chosen - seen, to: self.seen[0])
    layer.relu(chosen - .row(found[0]), to: found[0])
    layer.relu(chosen + seen - 1, to: scan.visited[0])
    layer.clear(edge, offer, stamp, isChosen)
    scan.startNextSweep(&layer, pointers: [chosenInGraph, chosenInTranspose])
  }

  /// Layer 4. The average is 0 where all nodes are left: the gate of the next phase is then 0 in the first phase, −Ω or
  /// less in the second. Labels of the first phase are forgotten. In the loop that changes phase no label is offered, as
  /// leaving a node improves nobody.
  private func finish(_ layer: inout LayerBuilder) {
    let omega = scan.range.infinity
    layer.averageOverNodes(
      "all left?", of: .row(scan.visited[0]) - .row(scan.roles.local[0]), roles: scan.roles,
      to: unfinished[0])
    let allLeft = scan.range.gain * .row(unfinished[0])
    let changesPhase = .row(firstPhase[0]) + allLeft
    layer.relu(changesPhase, to: firstPhase[0], times: -1)
    layer.relu(changesPhase, to: secondPhase[0])
    for flag in [scan.visited, found] {
      layer.relu(changesPhase - .row(scan.roles.global[0]), to: flag[0], times: -1)
    }
    let gate = omega * .row(firstPhase[0]) + allLeft - omega
    layer.replace(scan.key, by: .row(finishingKey[0]), gate: gate)
    layer.replace(ownLabel, by: .row(scan.index[0]), gate: gate)
    layer.replace(ownLabel, by: .row(offeredLabel[0]), gate: omega * .row(isRelaxed[0]) - omega)
    let isDone = .row(scan.running[0]) + allLeft - .row(firstPhase[0])
    layer.relu(isDone, to: scan.terminated[0])
    layer.relu(isDone, to: scan.running[0], times: -1)
    layer.clear(isRelaxed, offeredLabel, unfinished)
  }
}
