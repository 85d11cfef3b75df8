import CKernels
import Tensors

/// Rows of a table by their numbers: token embedding.
///
/// - Parameters:
///   - table: [entries, width]. - indices: of shape `shape`, each below `entries`.
/// - Returns: [shape..., width]. The gradient of the table is summed in the order of the indices.
public func embedding(_ table: Variable, _ indices: [Int32], shape: [Int]) -> Variable {
  precondition(
    table.shape.count == 2 && indices.count == shape.reduce(1, *), "embedding of \(indices.count) indices")
  let (entries, width) = (table.shape[0], table.shape[1])
  precondition(
    indices.allSatisfy { $0 >= 0 && $0 < entries }, "an index outside the \(entries) rows of the table")
  let y = Tensor(uninitialized: shape + [width])
  for (row, index) in indices.enumerated() {
    (y.pointer + row * width).update(from: table.value.pointer + Int(index) * width, count: width)
  }
  let slot = table.slot
  return Tape.result(y, of: [table]) { gradient in
    slot?.accumulate(shape: [entries, width]) { sum, adds in
      if !adds { sum.fill(0) }
      for (row, index) in indices.enumerated() {
        let target = sum.pointer + Int(index) * width
        ck_add(target, gradient.pointer + row * width, target, width)
      }
    }
  }
}

/// x + table[position] for every token: learned position embeddings.
///
/// - Parameters:
///   - x: [batch, tokens, width]. - table: [positions, width], of at least `tokens` positions.
public func addingPositions(_ x: Variable, _ table: Variable) -> Variable {
  precondition(
    x.shape.count == 3 && table.shape.count == 2 && table.shape[1] == x.shape[2]
      && table.shape[0] >= x.shape[1],
    "positions \(table.shape) for \(x.shape)")
  let (batch, tokens, width) = (x.shape[0], x.shape[1], x.shape[2])
  let y = Tensor(uninitialized: x.shape)
  let row = tokens * width
  let (input, positions, output) = (x.value.pointer, table.value.pointer, y.pointer)
  WorkerPool.shared.run(batch) { sequence, _ in
    ck_add(input + sequence * row, positions, output + sequence * row, row)
  }
  let (slot, tableSlot, tableShape) = (x.slot, table.slot, table.shape)
  return Tape.result(y, of: [x, table]) { gradient in
    slot?.accumulate(gradient)
    tableSlot?.accumulate(shape: tableShape) { sum, adds in
      if !adds { sum.fill(0) }
      let (dy, total) = (gradient.pointer, sum.pointer)
      // Threads take columns of the flattened table, so that each sums over the batch in order.
      WorkerPool.shared.run(row, grain: 1024) { range, _ in
        for sequence in 0..<batch {
          let target = total + range.lowerBound
          ck_add(target, dy + sequence * row + range.lowerBound, target, range.count)
        }
      }
    }
  }
}

/// Every `step`-th token from `first` on: the read-out at the tokens that predict.
///
/// - Parameter x: [batch, tokens, width]. - Returns: [batch, taken, width].
public func takingTokens(_ x: Variable, from first: Int = 0, by step: Int) -> Variable {
  precondition(x.shape.count == 3 && first >= 0 && step > 0, "tokens from \(first) by \(step) of \(x.shape)")
  let (batch, tokens, width) = (x.shape[0], x.shape[1], x.shape[2])
  let places = Array(stride(from: first, to: tokens, by: step))
  let y = Tensor(uninitialized: [batch, places.count, width])
  let input = x.value.pointer
  var output = y.pointer
  for sequence in 0..<batch {
    for place in places {
      output.update(from: input + (sequence * tokens + place) * width, count: width)
      output += width
    }
  }
  let (slot, shape) = (x.slot, x.shape)
  return Tape.result(y, of: [x]) { gradient in
    slot?.accumulate(shape: shape) { sum, adds in
      if !adds { sum.fill(0) }
      var source = gradient.pointer
      for sequence in 0..<batch {
        for place in places {
          let target = sum.pointer + (sequence * tokens + place) * width
          ck_add(target, source, target, width)
          source += width
        }
      }
    }
  }
}

/// The tokens of several sequences in turn: a₀ b₀ … a₁ b₁ …, as for kinds of tokens with a read-in each.
///
/// - Parameter parts: [batch, tokens, width] each, of equal shape; at least one.
/// - Returns: [batch, parts · tokens, width].
public func interleavingTokens(_ parts: [Variable]) -> Variable {
  precondition(
    !parts.isEmpty && parts.allSatisfy { $0.shape == parts[0].shape && $0.shape.count == 3 },
    "tokens of \(parts.map(\.shape)) in turn")
  let (shape, width) = (parts[0].shape, parts[0].shape[2])
  let (rows, kinds) = (shape[0] * shape[1], parts.count)
  let y = Tensor(uninitialized: [shape[0], kinds * shape[1], width])
  for (kind, part) in parts.enumerated() {
    for row in 0..<rows {
      (y.pointer + (row * kinds + kind) * width).update(from: part.value.pointer + row * width, count: width)
    }
  }
  let slots = parts.map(\.slot)
  return Tape.result(y, of: parts) { gradient in
    for (kind, slot) in slots.enumerated() {
      slot?.accumulate(shape: shape) { sum, adds in
        for row in 0..<rows {
          let (target, source) = (sum.pointer + row * width, gradient.pointer + (row * kinds + kind) * width)
          if adds { ck_add(target, source, target, width) } else { target.update(from: source, count: width) }
        }
      }
    }
  }
}
