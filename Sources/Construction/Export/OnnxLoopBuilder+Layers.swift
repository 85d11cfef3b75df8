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
    var scores = product(queries, keys, plus: priorities, to: prefix + "scores")
    if let near = head.neighborhood { scores = limit(scores, to: near, prefix) }
    var weights = weigh(head.kind, scores, prefix)
    if let near = head.neighborhood {
      // Nothing for a column without edges, where the limited scores are all equal.
      weights = body.add("Mul", [weights, matrix("edges", near.direction)], to: prefix + "edge_weights")
    }
    let values = product(state, prefix + "value", to: prefix + "values")
    var mixed = body.add("MatMul", [weights, values], to: prefix + "mixed")
    if let mixing = head.mixing {
      let graph = matrix(mixing.isWeighted ? "weights" : "edges", mixing.direction)
      mixed = body.add("MatMul", [graph, mixed], to: prefix + "gathered")
    }
    let result = product(mixed, prefix + "output", plus: sum, to: prefix + "result")
    guard let near = head.neighborhood else { return result }
    let attended = body.add("Mul", [weights, matrix("weights", near.direction)], to: prefix + "edges")
    let weight = body.add("ReduceSum", [attended, keyAxis()], to: prefix + "edge")
    return product(weight, prefix + "edge_output", plus: result, to: prefix + "result_with_edge")
  }

  /// From scores [columns, columns], a query per row, to attention weights. A new kind of head is a case here.
  private mutating func weigh(_ kind: AttentionHead.Kind, _ scores: String, _ prefix: String) -> String {
    let weights = prefix + "weights"
    let element = export.elementType == .float32 ? 1 : 11
    switch kind {
    case .smooth: return body.add("Softmax", [scores], to: weights, [("axis", .integer(1))])
    case .selector:
      let highest = body.add("ReduceMax", [scores, keyAxis()], to: prefix + "highest")
      let wins = body.add("Equal", [scores, highest], to: prefix + "is_highest")
      let shares = body.add("Cast", [wins], to: prefix + "shares", [("to", .integer(element))])
      let total = body.add("ReduceSum", [shares, keyAxis()], to: prefix + "winners")
      return body.add("Div", [shares, total], to: weights)
    case .leftmost:
      let first = body.add("ArgMax", [scores], to: prefix + "first_highest", [("axis", .integer(1))])
      let places = main.constant(StoredTensor("columns", shape: [columns], (0..<columns).map(Int64.init)))
      let wins = body.add("Equal", [places, first], to: prefix + "is_first_highest")
      return body.add("Cast", [wins], to: weights, [("to", .integer(element))])
    }
  }

  /// Scores of keys joined to the query by an edge, raised by the edge's weight; all others lose to any of them.
  private mutating func limit(
    _ scores: String, to near: AttentionHead.Neighborhood, _ prefix: String
  ) -> String {
    let isJoined = body.add(
      "Greater", [matrix("edges", near.direction), scalar("zero", 0)], to: prefix + "is_joined")
    let share = body.add(
      "Mul", [matrix("weights", near.direction), prefix + "edge_score"], to: prefix + "edge_scores")
    let raised = body.add("Add", [scores, share], to: prefix + "raised_scores")
    let lowest =
      export.elementType == .float32
      ? Double(-Float.greatestFiniteMagnitude) : -Double.greatestFiniteMagnitude
    return body.add("Where", [isJoined, raised, scalar("lowest", lowest)], to: prefix + "limited_scores")
  }

  /// The graph's matrix M with a query per row.
  private func matrix(_ name: String, _ direction: GraphMixing.Direction) -> String {
    "graph.\(name)" + (direction == .alongEdges ? ".incoming" : "")
  }

  private mutating func keyAxis() -> String {
    main.constant(StoredTensor("axis.keys", shape: [1], [Int64(1)]))
  }

  /// left · rightᵀ (+ sum).
  private mutating func product(
    _ left: String, _ right: String, plus sum: String? = nil, to name: String
  ) -> String {
    body.add("Gemm", [left, right] + (sum.map { [$0] } ?? []), to: name, [("transB", .integer(1))])
  }
}
