import Collectives
import Tensors

/// Weights and moments as all ranks, or a checkpoint, have them.
extension SharedTraining {
  /// Gives all ranks the first one's weights, and makes sure that they stand at the same step.
  func synchronize(step: Int) throws {
    var wanted = Int64(step)
    try withUnsafeMutableBytes(of: &wanted) { try communicator.broadcast($0, from: 0) }
    if try !communicator.agrees(wanted == Int64(step)) {
      throw CollectiveError.rankFailed(
        rank: communicator.rank,
        message: "stands at step \(step), the first rank at \(wanted): do all ranks see the same folder?")
    }
    for parameter in parameters {
      let values = UnsafeMutableBufferPointer(start: parameter.value.pointer, count: parameter.value.count)
      try communicator.broadcast(UnsafeMutableRawBufferPointer(values), from: 0)
    }
  }

  /// Adam's moments, whole, on the first rank; `nil` on the others. Called by all ranks.
  func gatherMoments() throws -> [(first: Tensor, second: Tensor)]? {
    let whole = communicator.isFirst ? emptyMoments() : nil
    for (index, bucket) in buckets.enumerated() {
      for (isFirst, part) in [(true, first[index]), (false, second[index])] {
        (memory.pointer + shares[index].lowerBound).update(from: part.pointer, count: part.count)
        try communicator.allGather(buffer(index))
        for piece in whole == nil ? [] : bucket.pieces {
          let target = isFirst ? whole![piece.parameter].first : whole![piece.parameter].second
          (target.pointer + piece.range.lowerBound).update(
            from: memory.pointer + piece.offset, count: piece.range.count)
        }
      }
    }
    return whole
  }

  func emptyMoments() -> [(first: Tensor, second: Tensor)] {
    parameters.map { (Tensor(zeros: $0.shape), Tensor(zeros: $0.shape)) }
  }

  /// Keeps this rank's share of whole moments.
  func keep(_ moments: [(first: Tensor, second: Tensor)]) {
    for (index, bucket) in buckets.enumerated() {
      let share = shares[index]
      for piece in bucket.pieces(in: share) {
        let (place, start) = (piece.offset - share.lowerBound, piece.range.lowerBound)
        let whole = moments[piece.parameter]
        (first[index].pointer + place).update(from: whole.first.pointer + start, count: piece.range.count)
        (second[index].pointer + place).update(from: whole.second.pointer + start, count: piece.range.count)
      }
    }
  }
}
