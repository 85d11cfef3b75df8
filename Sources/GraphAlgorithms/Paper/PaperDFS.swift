import Construction

/// Depth-first search (theorem: 15 layers, 3 heads). `key` falls with the time of the last discovery.
///
/// The layers are those of Dijkstra's network without the weights' head. The offer is Ω/2 − time: less than every key
/// given before, so that it replaces that of every unvisited neighbour, and a smallest key is the top of the stack –
/// among nodes discovered at the same time the lowest, as in the recursion with ascending neighbours. The key of
/// undiscovered nodes is Ω, so that the search starts again at the lowest of them when the stack is empty.
extension PaperGraphNetwork {
  public static func dfs(_ range: ExactRange) -> PaperGraphNetwork {
    var layout = ResidualLayout()
    let fields = SearchFields(range, in: &layout)
    let scan = fields.scan
    let offer = SearchFields.Offer(
      message: range.infinity / 2 * .row(scan.roles.global[0]) - .row(scan.time[0]))
    return PaperGraphNetwork(
      "DFS", [.dfs], theorem: Theorem(layers: 15, heads: 3), layout: layout, scan: scan,
      fields: .search(fields, flags: [:]), layers: fields.layers(layout, offer, discovers: false))
  }
}
