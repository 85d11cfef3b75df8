import Construction

/// Breadth-first search (theorem: 17 layers, 3 heads). `key` is the time of discovery.
///
/// The layers are those of Dijkstra's network without the weights' head. The offer is the time: later than every key but
/// Ω, so that it improves undiscovered nodes only, and a smallest key is the head of the queue – among nodes discovered
/// at the same time the lowest, so the queue's order is that of the algorithm with ascending neighbours. (The paper's
/// key is the depth, whose minimum visits a level by index, not in queue order.)
///
/// A node becomes due when it is discovered. TERM comes when every node that is due was visited: the paper's interrupt
/// for disconnected graphs.
extension PaperGraphNetwork {
  public static func bfs(_ range: ExactRange) -> PaperGraphNetwork {
    var layout = ResidualLayout()
    let fields = SearchFields(range, in: &layout)
    return PaperGraphNetwork(
      "BFS", [.bfs], theorem: Theorem(layers: 17, heads: 3), layout: layout, scan: fields.scan,
      fields: .search(fields, flags: [:]),
      layers: fields.layers(
        layout, SearchFields.Offer(message: .row(fields.scan.time[0])), discovers: true))
  }
}
