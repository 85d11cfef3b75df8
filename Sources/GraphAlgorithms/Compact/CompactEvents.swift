/// Turns reports of compact networks into events.
public struct CompactEvents: Sendable {
  private let question: GraphQuestion
  /// Whether a loop takes one node, or none when it only finds that all are done.
  private let extracts: Bool
  private var isFirst = true
  /// Message passing visits what the loop before changed.
  private var changedBefore: [Int]

  public init(_ question: GraphQuestion, extracts: Bool) {
    self.question = question
    self.extracts = extracts
    changedBefore = question.algorithm.needsSource ? [question.source] : []
  }

  /// Call for every loop, in order.
  public mutating func event(_ report: CompactMachine.LoopReport) -> GraphEvent {
    // Visiting orders are counted from 1 in the networks, and 0 means that a node has no place yet.
    let countsFromOne = question.algorithm == .dfs || question.algorithm == .topologicalOrder
    var changes: [GraphEvent.Change] = report.changes.compactMap {
      guard !countsFromOne || $0.value > 0 else { return nil }
      return .init(node: $0.node, value: countsFromOne ? $0.value - 1 : $0.value, predecessor: $0.predecessor)
    }
    // The source has its distance before the first loop.
    if isFirst, question.algorithm.needsSource, !changes.contains(where: { $0.node == question.source }) {
      changes.insert(.init(node: question.source, value: 0, predecessor: question.source), at: 0)
    }
    isFirst = false
    let visited: [Int]
    if extracts {
      visited = report.extracted.map { [$0] } ?? []
    } else {
      visited = changedBefore
      changedBefore = report.changes.map(\.node)
    }
    return GraphEvent(visited: visited, changes: changes)
  }
}
