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
