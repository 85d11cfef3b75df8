import Construction

/// The building blocks of de Luca & Fountoulakis 2024, exact in floating point. `Ω` and the gain are `ExactRange`'s.
///
/// Position codes are the only numbers that are not integers. They are moved by gates whose sum is the code itself when
/// open (every other term is an exact zero), and only ever added to rows that are zero.
extension LayerBuilder {
  /// Column 0 reads, at the node its pointer names, every `outputs` form; each node reads itself.
  ///
  /// The query is the pointer in column 0 and the own code in a node; the key is the code alone, so that column 0 scores
  /// 0 for itself, 1 for the node, cos kδ for others. The paper lets row 0 tie with the node and subtracts its own half
  /// in a second head; a pointer that is no key needs neither.
  mutating func readNode(
    _ name: String, at pointer: Field, code: Field, outputs: [(form: LinearForm, row: Int)]
  ) {
    attend(
      name, kind: .selector, query: (0..<2).map { .row(pointer[$0]) + .row(code[$0]) },
      key: (0..<2).map { .row(code[$0]) }, outputs: outputs)
  }

  /// The tie trick: the node that one of `pointers` (in column 0) names receives `values` of column 0; other nodes
  /// receive nothing. With `mixing`, the neighbours of that node receive them instead.
  ///
  /// Node j asks for its own code. It scores 1 with itself, and 1 – bit for bit the same number, as a pointer is a copy
  /// of the code – with column 0 if the pointer names it: attention is ½, ½, and values counted twice arrive whole. If
  /// the pointer is 0 or names another node, j attends to itself alone. `values` are zero in nodes.
  /// In a third dimension column 0 asks for nodes, so that it attends to them all equally, and receives zero.
  mutating func sendToNode(
    _ name: String, at pointers: [Field], roles: Roles, mixing: GraphMixing? = nil,
    values: [(form: LinearForm, row: Int)]
  ) {
    attend(
      name, kind: .selector,
      query: (0..<2).map { .row(roles.code[$0]) } + [.row(roles.global[0])],
      key: (0..<2).map { i in pointers.reduce(.row(roles.code[i])) { $0 + .row($1[i]) } }
        + [.row(roles.local[0])],
      mixing: mixing, outputs: values.map { (2 * $0.form, $0.row) })
  }

  /// Every column receives the average of `form`, which is 0 or negative, over all nodes: exactly 0 if it is 0 in each,
  /// and at most −1/n (up to rounding) if one is −1. Times the gain this closes any gate.
  mutating func averageOverNodes(_ name: String, of form: LinearForm, roles: Roles, to row: Int) {
    attend(
      name, kind: .selector, query: [.row(roles.global[0]) + .row(roles.local[0])],
      key: [.row(roles.local[0])], outputs: [(form, row)])
  }

  /// row += [difference ≥ 1] for integers, 0 for those ≤ 0: ReLU(x) − ReLU(x − 1). The paper's less-than with the
  /// tolerance 1 in place of 10⁻⁷.
  mutating func isPositive(_ difference: LinearForm, to row: Int, times factor: Double = 1) {
    relu(difference, to: row, times: factor)
    relu(difference - 1, to: row, times: -factor)
  }

  /// target += source where `closed` is 0, nothing where it is 1 or more (|source| ≤ 1). `closed` has no constant, so
  /// that an open gate adds nothing but zeros to the code, and keeps all of its bits.
  mutating func copyCode(_ source: Field, to target: Field, closed: LinearForm) {
    precondition(closed.constant == 0)
    for i in 0..<source.count { add(.row(source[i]), gatedBy: -closed, to: target[i]) }
  }

  /// target ← source where `gate` is 0, unchanged where it is at most −Ω; both are integers in 0…Ω. The paper's if-else.
  mutating func replace(_ target: Field, by source: LinearForm, gate: LinearForm) {
    relu(source + gate, to: target[0])
    relu(.row(target[0]) + gate, to: target[0], times: -1)
  }
}

/// The rows that say what a column is.
struct Roles: Sendable {
  /// 1 in column 0, which holds the registers.
  let global: Field
  /// 1 in the columns of nodes.
  let local: Field
  /// Position code, in nodes.
  let code: Field
}
