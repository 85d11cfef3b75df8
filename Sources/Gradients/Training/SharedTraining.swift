import CKernels
import Collectives
import Foundation
import Tensors

/// One step of training made by several ranks: each differentiates its part of the batch, the gradients are summed, and
/// each keeps and updates its share of the optimiser's state.
///
/// - Gradients are reduced bucket by bucket, by a thread of their own, as the backward pass makes them whole; at its end
///   only the rest is waited for.
/// - Adam's moments exist once among all ranks. Every rank has a share of each bucket (so that all ranks send as much at
///   any time, where one contiguous share of everything would make one rank receive the whole bucket): it alone gets the
///   summed gradient of that share, and updates it; then the weights are gathered, bucket by bucket, while the next
///   buckets are updated. Source: ZeRO, arXiv 1910.02054, section 5.1, stage 1.
///
/// Per step and rank 2 · n · (P - 1) / P numbers are sent, as an all-reduce of the gradients alone would send. Memory:
/// moments 2 · n / P, gradients of the share n / P, and two buckets.
public final class SharedTraining: @unchecked Sendable {
  public let communicator: any Communicator
  let buckets: [GradientBuckets.Bucket]
  let parameters: [Parameter]
  /// Of each bucket, for this rank's share.
  let shares: [Range<Int>]
  private let gradients: [Tensor]
  let first: [Tensor]
  let second: [Tensor]
  /// A bucket, and what arrives of one; the communication thread's.
  let memory: Tensor
  private let arriving: Tensor
  private let queue = CommunicationQueue()

  /// What communication took, summed over the steps since the last `reset`.
  public struct Use: Equatable, Sendable {
    public var steps = 0
    /// Seconds in which the communication thread gathered, sent, received and summed gradients. A rank that is ahead of
    /// another waits here too.
    public var reducing = 0.0
    /// Seconds between the end of the backward pass and that of the reduction.
    public var waiting = 0.0
    /// Seconds of the optimiser and of gathering the weights.
    public var updating = 0.0
    /// Of the same, on the communication thread.
    public var gathering = 0.0
    /// Bytes that this rank sent.
    public var bytes = 0

    /// The share of the reduction that the backward pass hid.
    public var overlap: Double { reducing > 0 ? max(0, 1 - waiting / reducing) : 0 }
  }

  /// Valid between steps.
  public internal(set) var use = Use()

  public func resetUse() { use = Use() }

  init(_ parameters: [Parameter], _ communicator: any Communicator, numbers: Int) {
    self.parameters = parameters
    self.communicator = communicator
    let plan = GradientBuckets(parameters.map(\.value.count), numbers: numbers)
    buckets = plan.buckets
    shares = buckets.map { communicator.share(of: $0.count) }
    gradients = shares.map { Tensor(zeros: [$0.count]) }
    first = shares.map { Tensor(zeros: [$0.count]) }
    second = shares.map { Tensor(zeros: [$0.count]) }
    memory = Tensor(zeros: [plan.room])
    arriving = Tensor(zeros: [plan.room / communicator.size + 1])
  }

  deinit { queue.close() }

  func buffer(_ bucket: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: memory.pointer, count: buckets[bucket].count)
  }

  /// What the reduction found, by the end of a step; the communication thread's until then.
  final class Outcome: @unchecked Sendable {
    /// Whether a parameter has a gradient here.
    var isPresent: [Bool]
    /// The sum of squares of this rank's share of the gradient.
    var squares = 0.0
    init(_ count: Int) { isPresent = Array(repeating: false, count: count) }
  }

  /// Begins to reduce what `delivery` will bring.
  func startReduction(_ delivery: GradientDelivery) -> (CommunicationQueue.Handle, Outcome) {
    let outcome = Outcome(parameters.count)
    let handle = queue.start { [self] in
      var (taken, open): ([(factor: Float, tensor: Tensor)], Int?) = ([], nil)
      let clock = ContinuousClock()
      for (index, bucket) in buckets.enumerated() {
        delivery.wait(for: bucket.pieces.lazy.map(\.parameter))
        let begin = clock.now
        for piece in bucket.pieces {
          // A parameter that is cut stays taken until its last piece.
          if open != piece.parameter {
            (taken, open) = (delivery.take(piece.parameter), piece.parameter)
            outcome.isPresent[piece.parameter] = !taken.isEmpty
          }
          Self.sum(taken, piece.range, into: memory.pointer + piece.offset)
        }
        if bucket.pieces.last.map({ $0.range.upperBound == parameters[$0.parameter].value.count }) ?? true {
          (taken, open) = ([], nil)
        }
        let scratch = UnsafeMutableBufferPointer(start: arriving.pointer, count: arriving.count)
        try communicator.reduceScatter(buffer(index), scratch: scratch)
        let (share, own) = (shares[index], gradients[index].pointer)
        own.update(from: memory.pointer + share.lowerBound, count: share.count)
        outcome.squares += ck_sum_of_squares(own, share.count)
        use.bytes += communicator.bytesSent(of: bucket.count)
        use.reducing += (clock.now - begin) / .seconds(1)
      }
    }
    return (handle, outcome)
  }

  private static func sum(
    _ parts: [(factor: Float, tensor: Tensor)], _ range: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    guard let first = parts.first else {
      target.update(repeating: 0, count: range.count)
      return
    }
    ck_scale(first.factor, first.tensor.pointer + range.lowerBound, target, range.count)
    for part in parts.dropFirst() {
      ck_axpy(part.factor, part.tensor.pointer + range.lowerBound, target, range.count)
    }
  }

  /// Names of the parameters whose summed gradient is not finite. Called by all ranks.
  func brokenGradients() throws -> [String] {
    var flags = [Double](repeating: 0, count: parameters.count)
    for (index, bucket) in buckets.enumerated() {
      let share = shares[index]
      for piece in bucket.pieces(in: share) {
        let start = gradients[index].pointer + piece.offset - share.lowerBound
        if !(0..<piece.range.count).allSatisfy({ start[$0].isFinite }) { flags[piece.parameter] = 1 }
      }
    }
    return zip(parameters, try communicator.sum(flags)).filter { $1 > 0 }.map(\.0.name)
  }

  /// Adam's step of this rank's share, and everybody's weights.
  ///
  /// - Parameter isPresent: whether a parameter has a gradient on any rank; without one it stays as it is.
  func update(_ adam: Adam, rate: Float, gradientScale: Float, isPresent: [Bool]) throws {
    adam.steps += 1
    let kernel = adam.kernel(rate: rate, gradientScale: gradientScale)
    var handles: [CommunicationQueue.Handle] = []
    for (index, bucket) in buckets.enumerated() {
      let share = shares[index]
      for piece in bucket.pieces(in: share) where isPresent[piece.parameter] {
        let place = piece.offset - share.lowerBound
        adam.update(
          parameters[piece.parameter], piece.range, gradient: gradients[index].pointer + place,
          first: first[index].pointer + place, second: second[index].pointer + place, kernel)
      }
      guard bucket.pieces.contains(where: { isPresent[$0.parameter] }) else { continue }
      handles.append(
        queue.start { [self] in
          let begin = ContinuousClock.now
          try gatherWeights(index)
          use.gathering += (ContinuousClock.now - begin) / .seconds(1)
        })
    }
    for handle in handles { try handle.wait() }
  }

  private func gatherWeights(_ index: Int) throws {
    let (bucket, share, memory) = (buckets[index], shares[index], memory.pointer)
    for piece in bucket.pieces(in: share) {
      (memory + piece.offset).update(
        from: parameters[piece.parameter].value.pointer + piece.range.lowerBound, count: piece.range.count)
    }
    try communicator.allGather(buffer(index))
    for part in [0..<share.lowerBound, share.upperBound..<bucket.count] {
      for piece in bucket.pieces(in: part) {
        (parameters[piece.parameter].value.pointer + piece.range.lowerBound).update(
          from: memory + piece.offset, count: piece.range.count)
      }
    }
    use.bytes += communicator.bytesSent(of: bucket.count)
  }
}
