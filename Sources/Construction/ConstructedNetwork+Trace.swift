import Looping

extension ConstructedNetwork {
  /// Where every head looks in one pass, for traces: the columns that get more than a thousandth of the attention, at
  /// most four, largest first.
  ///
  /// - Parameters:
  ///   - state: the state before the pass.
  ///   - dense: an executor of this network.
  ///   - isShown: leaves heads out.
  ///   - query: the column whose attention is of interest in a layer.
  ///   - name: what people call a column.
  /// - Complexity: one dense pass.
  public func attention<Scalar>(
    before state: ResidualStream<Scalar>, by dense: DenseExecutor<Scalar>,
    isShown: (AttentionHead) -> Bool = { _ in true }, query: (_ layer: Int) -> Int,
    name: (_ column: Int) -> String
  ) -> [TraceStep.Attention] {
    let weights = dense.attentionWeights(in: state) { layer, _ in query(layer) }
    return layers.indices.flatMap { layer in
      zip(layers[layer].heads, weights[layer]).filter { isShown($0.0) }.map { head, weights in
        let attended = weights.enumerated().filter { $0.element > 0.001 }
          .sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }.prefix(4)
        return TraceStep.Attention(
          head: "\(layers[layer].name) / \(head.name)", query: name(query(layer)),
          columns: attended.map { name($0.offset) }, weights: attended.map { Double($0.element) })
      }
    }
  }
}
