import Tensors

/// The weighted sum of the losses of a batch's shards, each made and differentiated by one thread on its own.
///
/// Where a tape records, a shard runs forward and backward at once, on a tape of its own: what it keeps for its backward
/// pass is gone before the thread's next shard begins, and fits the better in the cache; and threads meet once in a step
/// instead of at every operation. Gradients are gathered per thread and handed to the slots outside when the tape
/// around comes to this entry.
///
/// - Parameters:
///   - weights: what each shard's loss counts in the sum.
///   - loss: the scalar loss of a shard. It runs on any thread, beside other shards, and may read variables from
///     outside, but changes nothing that others read.
/// - Returns: a scalar, recorded where a tape records.
///
/// The sum of a gradient depends on how many threads the pool has, never on their timing: every thread has a
/// contiguous part of the shards, and the threads' sums are added in order. One shard is made on all threads.
public func sharded(_ weights: [Float], _ loss: (_ shard: Int) -> Variable) -> Variable {
  let pool = WorkerPool.shared
  let lanes = min(pool.threads, weights.count)
  let (packed, precision) = (PackedWeights(), ProductPrecision.current)
  guard weights.count > 1 else {
    let only = PackedWeights.$current.withValue(packed) { loss(0) }
    return weights[0] == 1 ? only : weights[0] * only
  }
  let records = Tape.current != nil
  var results = [Float](repeating: 0, count: weights.count)
  // Inside a shard, what is whole there is not whole yet.
  let delivery = records && GradientStore.current == nil ? GradientDelivery.current : nil
  delivery?.begin(lanes: lanes)
  let gathered = (0..<lanes).map { _ in GradientStore(packed, precision) }
  results.withUnsafeMutableBufferPointer { results in
    let (results, pointer) = (results.baseAddress!, weights)
    pool.run(lanes) { lane, _ in
      let shards = weights.count * lane / lanes..<weights.count * (lane + 1) / lanes
      for shard in shards {
        if shard == shards.last, let delivery { gathered[lane].delivery = (delivery, lane) }
        results[shard] = pointer[shard] * gathered[lane].gather(records, seed: pointer[shard]) { loss(shard) }
      }
    }
  }
  let value = Tensor(scalar: results.reduce(0, +))
  guard records else { return Variable(value) }
  let slot = GradientSlot()
  let parts = gathered.flatMap { $0.drain() }
  Tape.append([slot]) {
    guard let gradient = slot.take() else { return }
    let factor = gradient.scalar
    precondition(
      delivery.map { $0.scale == factor } ?? true,
      "gradients were delivered with another factor than \(factor)")
    for (outside, part) in parts {
      if factor != 1 { Elementwise.scale(factor, part, into: part) }
      outside.accumulate(part)
    }
  }
  return Variable(value, slot: slot)
}

/// How a batch of independent sequences is cut into `sharded`'s shards.
public enum Shards {
  /// Numbers in the widest tensor of a layer: 1024 rows of an MLP at a width of 256. Every shard adds to the gradients of
  /// all weights, which shorter ones pay for more often (a tenth of the step at 81 rows); longer ones only hold more.
  static let numbers = 1 << 20

  /// Ranges of sequences, as equal as can be, as many for every thread; one range where there is too little to share.
  ///
  /// - Parameters:
  ///   - sequences: of the batch. - rows: of a sequence. - columns: of the widest tensor of a layer.
  public static func ranges(
    sequences: Int, rows: Int, columns: Int, threads: Int = WorkerPool.shared.threads
  ) -> [Range<Int>] {
    let all = sequences * rows * columns
    // Less than this a thread finishes before another has been woken for it.
    guard sequences > 1, all > 1 << 14 else { return [0..<sequences] }
    let lanes = min(threads, sequences)
    let perLane = (sequences + lanes - 1) / lanes
    let wanted = max(1, min(numbers / max(rows * columns, 1), perLane))
    let count = min(sequences, lanes * ((perLane + wanted - 1) / wanted))
    return (0..<count).map { sequences * $0 / count..<sequences * ($0 + 1) / count }
  }
}

/// Where the gradients of slots from outside are gathered while a thread works on its shards.
final class GradientStore: @unchecked Sendable {
  /// The store of the shard that runs here.
  @TaskLocal static var current: GradientStore?

  private let packed: PackedWeights
  private let precision: ProductPrecision
  /// Where whole gradients go, in the thread's last shard.
  var delivery: (to: GradientDelivery, lane: Int)?
  private var slots: [(outside: GradientSlot, inside: GradientSlot)] = []
  private var places: [ObjectIdentifier: Int] = [:]

  init(_ packed: PackedWeights, _ precision: ProductPrecision) {
    (self.packed, self.precision) = (packed, precision)
  }

  /// Runs a shard and, if `records`, its backward pass. - Returns: its loss.
  func gather(_ records: Bool, seed: Float, _ loss: () -> Variable) -> Float {
    Self.$current.withValue(self) {
      PackedWeights.$current.withValue(packed) {
        // Where a thread of the pool comes from, nothing is set.
        precision.forProducts {
          guard records else { return Tape.withoutRecording(loss).value.scalar }
          let tape = Tape()
          let result = tape.record(loss)
          tape.backward(from: result, seed: seed)
          return result.value.scalar
        }
      }
    }
  }

  /// The slot that stands for one from outside. Called on the store's own thread alone.
  func slot(for outside: GradientSlot) -> GradientSlot {
    if let place = places[ObjectIdentifier(outside)] { return slots[place].inside }
    let inside = GradientSlot()
    places[ObjectIdentifier(outside)] = slots.count
    slots.append((outside, inside))
    return inside
  }

  /// Gives whole gradients away, which `drain` then has no more.
  func finish(_ parameters: [Parameter]) {
    guard let delivery else { return }
    delivery.to.finish(parameters, lane: delivery.lane) { outside in
      places[ObjectIdentifier(outside)].flatMap { slots[$0].inside.take() }
    }
  }

  /// Gives away what was gathered, in the order in which it was first added to.
  func drain() -> [(GradientSlot, Tensor)] {
    defer { (slots, places) = ([], [:]) }
    return slots.compactMap { slot in slot.inside.take().map { (slot.outside, $0) } }
  }
}
