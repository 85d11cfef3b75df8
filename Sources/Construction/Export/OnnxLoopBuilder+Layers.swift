import Tensors

extension OnnxLoopBuilder {
  mutating func add(_ layer: ConstructedLayer, _ index: Int, to state: String) -> String {
    var attended = state
    for (number, head) in layer.heads.enumerated() {
      attended = add(head, NetworkExport.prefix(layer: index, head: number), reading: state, to: attended)
    }
    guard !layer.neurons.isEmpty else { return attended }
    let mlp = NetworkExport.prefix(layer: index)
    let hidden = product(attended, mlp + "w1", plus: mlp + "b1", to: mlp + "preactivation")
    let active = body.add("Relu", [hidden], to: mlp + "activation")
    return product(active, mlp + "w2", plus: attended, to: "layers.\(index).result")
  }

  /// One head, added to `sum`.
  private mutating func add(
    _ head: AttentionHead, _ prefix: String, reading state: String, to sum: String
  ) -> String {
    let queries = product(state, prefix + "query", to: prefix + "queries")
    let keys = product(state, prefix + "key", to: prefix + "keys")
    let priorities =
      head.priority.isEmpty ? nil : product(prefix + "priority", state, to: prefix + "priorities")
    let scores = product(queries, keys, plus: priorities, to: prefix + "scores")
    let weights = weigh(head.kind, scores, prefix)
    let values = product(state, prefix + "value", to: prefix + "values")
    let mixed = body.add("MatMul", [weights, values], to: prefix + "mixed")
    return product(mixed, prefix + "output", plus: sum, to: prefix + "result")
  }

  /// From scores [columns, columns], a query per row, to attention weights. A new kind of head is a case here.
  private mutating func weigh(_ kind: AttentionHead.Kind, _ scores: String, _ prefix: String) -> String {
    let weights = prefix + "weights"
    switch kind {
    case .smooth: return body.add("Softmax", [scores], to: weights, [("axis", .integer(1))])
    case .selector:
      let axis = main.constant(StoredTensor("axis.keys", shape: [1], [Int64(1)]))
      let highest = body.add("ReduceMax", [scores, axis], to: prefix + "highest")
      let wins = body.add("Equal", [scores, highest], to: prefix + "is_highest")
      let shares = body.add(
        "Cast", [wins], to: prefix + "shares", [("to", .integer(export.elementType == .float32 ? 1 : 11))])
      let total = body.add("ReduceSum", [shares, axis], to: prefix + "winners")
      return body.add("Div", [shares, total], to: weights)
    }
  }

  /// left · rightᵀ (+ sum).
  private mutating func product(
    _ left: String, _ right: String, plus sum: String? = nil, to name: String
  ) -> String {
    body.add("Gemm", [left, right] + (sum.map { [$0] } ?? []), to: name, [("transB", .integer(1))])
  }
}
