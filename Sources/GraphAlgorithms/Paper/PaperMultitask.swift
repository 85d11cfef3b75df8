import Construction

/// Dijkstra, BFS and DFS in one set of weights (theorem: 19 layers, 3 heads): a flag in column 0 says which.
///
/// The layers are those of Dijkstra's network. Layer 2 makes the offer that the flag asks for,
///
///     offer = ReLU(bestKey + Ω·dijkstra − Ω) + ReLU(time + Ω·bfs − Ω) + ReLU(Ω/2 − time + Ω·dfs − Ω)
///
/// where an open gate leaves the number, which is in 0…Ω, and a closed one nothing. (While a sweep goes on bestKey may
/// be up to 4Ω, and the gate leaks; but then nothing points at a node, so nobody hears the offer.) Weights are sent
/// times the flag of Dijkstra. A node that is improved becomes due, which changes nothing where all are due from the
/// start.
extension PaperGraphNetwork {
  public static func multitask(_ range: ExactRange) -> PaperGraphNetwork {
    var layout = ResidualLayout()
    let fields = SearchFields(range, in: &layout)
    let scan = fields.scan
    let omega = range.infinity
    let flags = Dictionary(
      uniqueKeysWithValues: [GraphAlgorithm.dijkstra, .bfs, .dfs].map {
        ($0, layout.add("task \($0.rawValue)", rows: 1))
      })
    let message = layout.add("message", rows: 1, bound: 4 * omega)
    let numbers: [(GraphAlgorithm, LinearForm)] = [
      (.dijkstra, .row(scan.bestKey[0])), (.bfs, .row(scan.time[0])),
      (.dfs, omega / 2 * .row(scan.roles.global[0]) - .row(scan.time[0])),
    ]
    let layers = fields.layers(
      layout,
      SearchFields.Offer(message: .row(message[0]), perWeight: .row(flags[.dijkstra]![0])), discovers: true,
      beforeVisit: { layer in
        for (task, number) in numbers {
          layer.relu(number + omega * .row(flags[task]![0]) - omega, to: message[0])
        }
      }, afterVisit: { $0.clear(message) })
    return PaperGraphNetwork(
      "multitask", [.dijkstra, .bfs, .dfs], theorem: Theorem(layers: 19, heads: 3), layout: layout,
      scan: scan, fields: .search(fields, flags: flags), layers: layers)
  }
}
