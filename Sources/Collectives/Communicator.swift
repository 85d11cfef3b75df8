/// The processes of a parallel run, ranks 0 to size - 1, and what they say to each other.
///
/// Every rank calls the same operations in the same order (they are *collective*), from one thread at a time; a call
/// returns when this rank's part is done. What a collective operation computes depends on the number of ranks, never on
/// timing, so that a run repeated on as many ranks is the same bit by bit.
///
/// The protocol asks for little: sums of a few numbers, and a message to one neighbour while another comes from the
/// other side. What moves gradients and weights is made of that, once, for every kind of process: see `reduceScatter`.
///
/// - Throws: every operation throws `CollectiveError` where a rank has failed.
public protocol Communicator: AnyObject, Sendable {
  var rank: Int { get }
  var size: Int { get }

  /// Sends to one rank while receiving from another, which sends as much.
  func exchange(
    _ sent: UnsafeBufferPointer<Float>, to receiver: Int, _ received: UnsafeMutableBufferPointer<Float>,
    from sender: Int) throws
  /// Replaces the values by their sums over all ranks, the same on each: for a few numbers, by latency.
  func sum(_ values: UnsafeMutableBufferPointer<Double>) throws
  /// Replaces the bytes by those of `root`.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws
  /// Returns when every rank has come here. Waits without taking processor time from others.
  func barrier() throws
  /// Makes this and all further operations fail on every rank. With processes of their own it does not return.
  func abort(_ message: String)
}

extension Communicator {
  /// The rank that writes what there is once: files, logs.
  public var isFirst: Bool { rank == 0 }

  /// The sums over all ranks.
  public func sum(_ values: [Double]) throws -> [Double] {
    var values = values
    try values.withUnsafeMutableBufferPointer { try sum($0) }
    return values
  }

  /// Whether all ranks say so.
  public func agrees(_ opinion: Bool) throws -> Bool { try sum([opinion ? 0 : 1])[0] == 0 }

  /// Runs a rank: an error on one rank ends the others too.
  public func run<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      abort("\(error)")
      throw error
    }
  }
}

/// A run of one process: every operation is the identity.
public final class SingleProcess: Communicator {
  public init() {}
  public var rank: Int { 0 }
  public var size: Int { 1 }
  public func exchange(
    _ sent: UnsafeBufferPointer<Float>, to receiver: Int, _ received: UnsafeMutableBufferPointer<Float>,
    from sender: Int
  ) { _ = received.update(fromContentsOf: sent) }
  public func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {}
  public func barrier() {}
  public func abort(_ message: String) {}
}

/// Why the ranks cannot go on together.
public enum CollectiveError: Error, Equatable, CustomStringConvertible {
  /// A rank gave up, for a reason of its own.
  case rankFailed(rank: Int, message: String)
  /// What carries the messages failed.
  case transport(rank: Int, operation: String, message: String)
  /// The processes were started so that they cannot run together.
  case launch(String, hint: String)

  public var description: String {
    switch self {
    case .rankFailed(let rank, let message): "rank \(rank) failed: \(message)"
    case .transport(let rank, let operation, let message):
      "rank \(rank): \(operation) failed: \(message)\nhint: another rank has ended, perhaps; --resume goes on from the "
        + "last checkpoint, with any number of ranks"
    case .launch(let message, let hint): "\(message)\nhint: \(hint)"
    }
  }
}
