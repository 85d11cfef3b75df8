import Construction

/// Strongly connected components by Kosaraju's algorithm: three loops per node, two layers.
///
/// Every loop extracts one node u and does one of three things with it, in this order of a node's life:
///
///     visit    u has not been visited: it gets a time t, unvisited successors get priority 2t + 1, u itself 2t
///     finish   u has been visited: it gets the next finishing time, and leaves phase 1
///     assign   u has been finished: its component is the one it was reached by, or itself; predecessors are reached
///
/// Phase 1. Priorities are integers. Of all nodes in phase 1 the one with the largest priority comes next: if the latest
/// unfinished node (2t) has unvisited successors (2t + 1), the lowest of them is visited; otherwise it finishes, before
/// anything older and before new roots (1). So finishing times are those of recursion (see `CompactDepthFirstSearch`).
///
/// Phase 2. A finished node's score is its finishing time, plus 2^22 if it is reached; nodes in phase 1 score
/// 2^22 + priority > any finishing time, so phase 2 begins when all have finished. Reached nodes come first, so a tree is
/// complete before the latest finished of the other nodes starts the next one: Kosaraju's order on the reversed graph.
///
/// All numbers are integers below 2^24, so everything is exact in float32 for up to 2^21 − 1 nodes.
public struct CompactStrongComponents: CompactGraphNetwork {
  public let algorithm = GraphAlgorithm.scc
  public let network: ConstructedNetwork
  public static let largestNodeCount = (1 << 21) - 1
  private static let urgency = 0x1p22
  private let rows: CompactLayout
  private let priority: Field
  /// 1 in phase 1, and for reached nodes in phase 2.
  private let urgent: Field
  private let component: Field
  private let assigned: Field

  public init() {
    var rows = CompactLayout()
    priority = rows.integer("priority")
    urgent = rows.integer("urgent")
    component = rows.integer("component")
    assigned = rows.integer("assigned")
    let visited = rows.integer("visited")
    let finished = rows.integer("finished")
    let reached = rows.integer("reached")
    let finishTime = rows.integer("finishing time")
    let (newPriority, ownPriority) = (rows.integer("new priority"), rows.integer("own priority"))
    let (visiting, finishing, assigning) = (
      rows.integer("visiting"), rows.integer("finishing"), rows.integer("assigning")
    )
    let (reach, newComponent) = (rows.integer("reach"), rows.integer("new component"))
    // On the scratchpad:
    let (wasVisited, wasFinished, wasReached, itsComponent) = (
      rows.integer("current visited"), rows.integer("current finished"), rows.integer("current reached"),
      rows.integer("current component")
    )
    let (visit, finish, assign) = (rows.integer("visit"), rows.integer("finish"), rows.integer("assign"))
    let (stamp, label) = (rows.integer("stamp"), rows.integer("label"))
    let (finishCount, finishStamp) = (rows.integer("finish count"), rows.integer("finish stamp"))
    self.rows = rows

    var extract = rows.builder("extract")
    rows.extract(
      &extract,
      largest: .row(priority[0]) + .row(finishTime[0]) + Self.urgency * .row(urgent[0])
        - CompactLayout.Magnitude.closed * .row(assigned[0]),
      reading: [
        (visited, wasVisited), (finished, wasFinished), (reached, wasReached), (component, itsComponent),
      ])
    let isVisit = .row(rows.found[0]) - LinearForm.row(wasVisited[0])
    let isFinish = .row(wasVisited[0]) - LinearForm.row(wasFinished[0])
    extract.relu(isVisit, to: visit[0])
    extract.relu(isVisit, to: rows.time[0])
    extract.relu(isFinish, to: finish[0])
    extract.relu(isFinish, to: finishCount[0])
    extract.relu(.row(wasFinished[0]), to: assign[0])
    extract.addInteger(2 * .row(rows.time[0]) + 2, unless: 1 - isVisit, to: stamp[0])
    extract.addInteger(.row(finishCount[0]) + 1, unless: 1 - isFinish, to: finishStamp[0])
    let isOther = 1 - LinearForm.row(wasFinished[0])
    extract.addInteger(.row(itsComponent[0]), unless: isOther, to: label[0])
    extract.addInteger(.row(rows.current[0]), unless: isOther + .row(wasReached[0]), to: label[0])

    var update = rows.builder("update")
    rows.notify(
      "successors", &update, mixing: GraphMixing(.alongEdges, isWeighted: false),
      outputs: [(.row(stamp[0]) + .row(visit[0]), newPriority[0])])
    rows.notify(
      "predecessors", &update, mixing: GraphMixing(.againstEdges, isWeighted: false),
      outputs: [(.row(assign[0]), reach[0]), (.row(label[0]), newComponent[0])])
    rows.notify(
      "itself", &update,
      outputs: [
        (.row(stamp[0]), ownPriority[0]), (.row(visit[0]), visiting[0]), (.row(finish[0]), finishing[0]),
        (.row(assign[0]), assigning[0]), (.row(finishStamp[0]), finishTime[0]),
      ])
    // Phase 1: priorities only grow, until they are cleared.
    update.addInteger(
      .row(newPriority[0]) - .row(priority[0]), unless: .row(visited[0]) + .row(visiting[0]), to: priority[0])
    update.relu(.row(ownPriority[0]) - .row(priority[0]), to: priority[0])
    update.addInteger(
      .row(priority[0]), unless: 1 - .row(finishing[0]), to: priority[0], times: -1)
    update.relu(.row(visiting[0]), to: visited[0])
    update.relu(.row(finishing[0]), to: finished[0])
    update.relu(.row(finishing[0]), to: urgent[0], times: -1)
    // Phase 2: the first that reaches a node names its component; a node not reached names itself.
    let isNew = .row(reach[0]) - .row(reached[0]) - LinearForm.row(assigning[0])
    update.relu(isNew, to: urgent[0])
    update.relu(isNew, to: reached[0])
    update.addInteger(
      .row(newComponent[0]), unless: .row(reached[0]) + .row(assigning[0]), to: component[0])
    update.relu(.row(assigning[0]) - .row(reached[0]), to: reached[0])
    update.addInteger(
      .row(rows.index[0]), unless: .row(reached[0]) + 1 - .row(assigning[0]), to: component[0])
    update.relu(.row(assigning[0]), to: assigned[0])
    update.clear(newPriority, ownPriority, visiting, finishing, assigning, reach, newComponent)
    update.clear(wasVisited, wasFinished, wasReached, itsComponent)
    update.clear(visit, finish, assign, stamp, label, finishStamp)
    rows.finish(&update)

    network = ConstructedNetwork(
      name: "compact strongly connected components", layout: rows.layout,
      layers: [extract.build(), update.build()])
  }

  public var resultRows: [GraphResultRow] { [.component(component)] }
  public var extractedRow: Int? { rows.extracted[0] }
  public func loopLimit(nodeCount: Int) -> Int { 3 * nodeCount + 2 }

  public func prelude<Scalar: BinaryFloatingPoint & Sendable>(
    _ graph: Graph, source: Int?, as type: Scalar.Type
  ) -> ResidualStream<Scalar> {
    var state: ResidualStream<Scalar> = rows.stream(nodeCount: graph.nodeCount)
    for v in 0..<graph.nodeCount {
      state[priority[0], CompactLayout.firstNode + v] = 1
      state[urgent[0], CompactLayout.firstNode + v] = 1
    }
    return state
  }

  public func coda<Scalar: BinaryFloatingPoint & Sendable>(
    _ state: ResidualStream<Scalar>, _ graph: Graph, source: Int?, isSettled: Bool
  ) -> GraphResult {
    var result = GraphResult()
    result.components = state.nodes(component)
    return result
  }

  public func reading<Scalar: BinaryFloatingPoint & Sendable>(
    of node: Int, in state: ResidualStream<Scalar>
  ) -> (value: Double, predecessor: Int) {
    (Double(state.node(component, node)), node)
  }
}

private func - (left: Double, right: LinearForm) -> LinearForm { LinearForm(constant: left) - right }
