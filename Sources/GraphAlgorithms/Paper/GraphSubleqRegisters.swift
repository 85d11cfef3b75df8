import Construction

/// The scratchpad's rows between the layers of Graph-SUBLEQ, and the feed-forward part of each. K = 2^wordBits; words are
/// below K/2 in magnitude, differences below K.
struct GraphSubleqRegisters {
  let bound: Double
  let a: Field
  let b: Field
  let c: Field
  let next: Field
  let pointerA: Field
  let pointerB: Field
  let target: Field
  let isInput: Field
  let isOutput: Field
  let result: Field
  let wraps: Field
  let jumps: Field
  let continues: Field
  let isWritten: Field
  let received: Field

  init(bound: Double, in layout: inout ResidualLayout) {
    self.bound = bound
    a = layout.add("a", rows: 1, bound: bound)
    b = layout.add("b", rows: 1, bound: bound)
    c = layout.add("c", rows: 1, bound: bound)
    next = layout.add("next instruction", rows: 2)
    pointerA = layout.add("pointer a", rows: 2)
    pointerB = layout.add("pointer b", rows: 2)
    target = layout.add("target", rows: 2)
    isInput = layout.add("is input", rows: 1)
    isOutput = layout.add("is output", rows: 1)
    result = layout.add("result", rows: 1, bound: bound)
    wraps = layout.add("wraps", rows: 1)
    jumps = layout.add("jumps", rows: 1)
    continues = layout.add("continues", rows: 1)
    isWritten = layout.add("is written", rows: 1)
    received = layout.add("received", rows: 1, bound: bound)
  }

  /// Clears fields in cells, which read themselves, and keeps them in column 0: x − ReLU(x − K·g) + ReLU(−x − K·g) is x
  /// where g = 1 and |x| ≤ K, and exactly 0 where g = 0.
  func keepInScratchpad(_ fields: [Field], roles: Roles, in layer: inout LayerBuilder) {
    for row in fields.flatMap(\.rows) {
      layer.relu(.row(row) - bound * .row(roles.global[0]), to: row, times: -1)
      layer.relu(-1 * .row(row) - bound * .row(roles.global[0]), to: row)
    }
  }

  /// isInput = [a ≤ −1], isOutput = [b ≤ −1]; operands are 0 in cells.
  func decode(in layer: inout LayerBuilder, roles: Roles) {
    layer.isPositive(-1 * .row(a[0]), to: isInput[0])
    layer.isPositive(-1 * .row(b[0]), to: isOutput[0])
    keepInScratchpad([pointerA, pointerB, target], roles: roles, in: &layer)
    layer.clear(a, b, c)
  }

  /// With Δ = mem[b] − mem[a] in −K < Δ < K:
  ///
  ///     result = Δ,                                 or mem[a] where a device is involved
  ///     wraps  = [Δ < −K/2] − [Δ ≥ K/2],            or 0
  ///     jumps  = [Δ ≤ 0] − [Δ < −K/2] + [Δ ≥ K/2],  or 0
  ///
  /// What is written is result + K·wraps. (K times a step is not added here: the two halves of a step are as large as
  /// the difference, and K times that would push the result out of the significand.)
  /// −K closes a gate; open gates sum to at most 3K on the way, all of it integers. Cells read themselves twice: Δ = 0,
  /// result 0, and g − 1 closes the jump.
  func subtract(in layer: inout LayerBuilder, roles: Roles) {
    let value = LinearForm.row(a[0])
    let difference = .row(b[0]) - value
    let copies = -bound * .row(isInput[0]) - bound * .row(isOutput[0])
    let global = LinearForm.row(roles.global[0])
    let (high, low) = (difference - (bound / 2 - 1), -1 * difference - bound / 2)
    layer.add(difference, gatedBy: copies, to: result[0])
    layer.isPositive(high + copies, to: wraps[0], times: -1)
    layer.isPositive(low + copies, to: wraps[0])
    layer.add(value, gatedBy: bound * .row(isOutput[0]) - bound, to: result[0])
    layer.add(value, gatedBy: bound * .row(isInput[0]) - bound * .row(isOutput[0]) - bound, to: result[0])
    layer.relu(global, to: continues[0])
    for (row, sign) in [(jumps[0], 1.0), (continues[0], -1.0)] {
      let closed = copies + bound * global - bound
      layer.isPositive(-1 * difference + 1 + closed, to: row, times: sign)
      layer.isPositive(low + closed, to: row, times: -sign)
      layer.isPositive(high + closed, to: row, times: sign)
    }
    layer.clear(a, b, isInput, isOutput)
  }

  /// The wrapped result.
  var written: LinearForm { .row(result[0]) + bound * .row(wraps[0]) }

  /// word ← received where it is written; pc ← target if it jumps, else next.
  func writeBack(in layer: inout LayerBuilder, word: Field, programCounter: Field) {
    let gate = bound * .row(isWritten[0]) - bound
    layer.add(.row(received[0]), gatedBy: LinearForm(), to: word[0])
    layer.relu(.row(word[0]) + gate, to: word[0], times: -1)
    layer.relu(-1 * .row(word[0]) + gate, to: word[0])
    layer.copyCode(target, to: programCounter, closed: .row(continues[0]))
    layer.copyCode(next, to: programCounter, closed: .row(jumps[0]))
    layer.clear(pointerA, pointerB, target, next, result, wraps, jumps, continues, isWritten, received)
  }
}
