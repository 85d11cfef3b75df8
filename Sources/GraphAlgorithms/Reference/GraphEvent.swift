/// What one step of an algorithm, or one loop of a network, did to the nodes: for traces and animations.
public struct GraphEvent: Equatable, Sendable {
  public struct Change: Equatable, Sendable {
    public var node: Int
    /// The node's new distance; its number in the visiting order, its component or its rank for algorithms
    /// without distances.
    public var value: Double
    /// The node's new predecessor, or the node itself.
    public var predecessor: Int

    public init(node: Int, value: Double, predecessor: Int) {
      self.node = node
      self.value = value
      self.predecessor = predecessor
    }
  }

  /// Nodes that are done with this step: their values are final, unless a later step says otherwise.
  public var visited: [Int]
  public var changes: [Change]

  public init(visited: [Int] = [], changes: [Change] = []) {
    self.visited = visited
    self.changes = changes
  }
}
