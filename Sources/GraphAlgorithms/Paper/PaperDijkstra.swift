import Construction

/// Dijkstra's algorithm (theorem: 17 layers, 3 heads). `key` is the distance.
///
/// | layer | attention | feed-forward | the paper's steps |
/// |---|---|---|---|
/// | read candidate | read node at `current`; mark it scanned | bestKey ← min; less-than flag | get minimum: mask visited, read, compare, mark |
/// | keep the better | all scanned? | best ← candidate if less; current ← next; if all scanned chosen ← best | if-else, increment and round position, termination of the minimum |
/// | visit | mark `chosen` visited; its edges; their weights | key ← min(key, offer) on its out-neighbours | read row of A, broadcast distance, compare, mask, mark visited |
/// | finish | all visited? | predecessor ← chosen where improved; TERM | if-else, termination |
///
/// The offer is bestKey + weight: both arrive in one row, the first from a head without weights, the second from one
/// with. An unreached node (key Ω) offers Ω + weight, which improves nothing.
extension PaperGraphNetwork {
  public static func dijkstra(_ range: ExactRange) -> PaperGraphNetwork {
    var layout = ResidualLayout()
    let fields = SearchFields(range, in: &layout)
    let offer = SearchFields.Offer(
      message: .row(fields.scan.bestKey[0]), perWeight: .row(fields.scan.roles.global[0]))
    return PaperGraphNetwork(
      "Dijkstra", [.dijkstra], theorem: Theorem(layers: 17, heads: 3), layout: layout,
      scan: fields.scan, fields: .search(fields, flags: [:]),
      layers: fields.layers(layout, offer, discovers: false))
  }
}
