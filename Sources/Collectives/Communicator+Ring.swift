import CKernels

/// What moves gradients and weights: rings, in which every rank sends to the next and receives from the one before.
///
/// Of n numbers on P ranks, a reduce-scatter and an all-gather send n · (P - 1) / P numbers each from every rank, in P - 1
/// messages: no algorithm sends less. Source: Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of
/// workstations, J. Parallel Distrib. Comput. 69 (2009), section 4.
///
/// MPI has these operations too. Rings of our own wait between messages without spinning (Open MPI's blocking calls take
/// a whole processor away from the backward pass they are to overlap with, and its non-blocking reduce-scatter sends
/// log P times as much), and are the same, and tested, without MPI.
extension Communicator {
  /// The part of `count` numbers that is this rank's, or another's.
  public func share(of count: Int, rank: Int? = nil) -> Range<Int> {
    let rank = rank ?? self.rank
    return count * rank / size..<count * (rank + 1) / size
  }

  /// Sums over all ranks: afterwards `share(of: values.count)` holds them; what the rest holds means nothing.
  ///
  /// - Parameter scratch: of `count / size + 1` numbers.
  /// The sum of a share is taken around the ring, beginning with the rank after its owner.
  public func reduceScatter(
    _ values: UnsafeMutableBufferPointer<Float>, scratch: UnsafeMutableBufferPointer<Float>
  ) throws {
    for round in 1..<max(size, 1) {
      let (sent, received) = (chunk(values, rank - round), chunk(values, rank - round - 1))
      let arriving = UnsafeMutableBufferPointer(rebasing: scratch[..<received.count])
      try exchange(UnsafeBufferPointer(sent), to: next, arriving, from: previous)
      guard received.count > 0, let target = received.baseAddress, let part = arriving.baseAddress else {
        continue
      }
      ck_add(target, part, target, received.count)
    }
  }

  /// Gives every rank's share of the values to all.
  public func allGather(_ values: UnsafeMutableBufferPointer<Float>) throws {
    for round in 0..<max(size - 1, 0) {
      let (sent, received) = (chunk(values, rank - round), chunk(values, rank - round - 1))
      try exchange(UnsafeBufferPointer(sent), to: next, received, from: previous)
    }
  }

  /// Replaces the values by their sums over all ranks, the same on each.
  public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws {
    guard size > 1 else { return }
    let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count / size + 1)
    defer { scratch.deallocate() }
    try reduceScatter(values, scratch: scratch)
    try allGather(values)
  }

  /// Bytes that this rank sends in a reduce-scatter, or an all-gather, of so many numbers.
  public func bytesSent(of count: Int) -> Int {
    (count - share(of: count, rank: (rank + 1) % size).count) * MemoryLayout<Float>.stride
  }

  private var next: Int { (rank + 1) % size }
  private var previous: Int { (rank + size - 1) % size }

  private func chunk(
    _ values: UnsafeMutableBufferPointer<Float>, _ number: Int
  ) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: values[share(of: values.count, rank: (number + 2 * size) % size)])
  }
}
