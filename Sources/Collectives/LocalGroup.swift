import Foundation

/// Ranks that are threads of this process: the same operations as with MPI, for tests and for looking at.
///
/// ```swift
/// let sums = try LocalGroup.run(4) { ranks in try ranks.sum([Double(ranks.rank)]) }      // [6] four times
/// ```
public enum LocalGroup {
  /// Runs `body` on a thread per rank. - Returns: the results by rank.
  /// - Throws: the error of the rank that failed first; the others were ended by it.
  public static func run<Result: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) throws -> [Result] {
    try outcomes(size, body).map { try $0.get() }
  }

  /// The same, with what became of each rank: after a failure, the first's own error, and `rankFailed` elsewhere.
  public static func outcomes<Result: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) -> [Swift.Result<Result, any Error>] {
    precondition(size > 0, "a group of \(size) ranks")
    let meeting = Meeting(size)
    let results = Results<Result>(size)
    let done = DispatchGroup()
    for rank in 0..<size {
      done.enter()
      let thread = Thread {
        let communicator = LocalRank(rank, meeting)
        results.set(rank, Swift.Result { try communicator.run { try body(communicator) } })
        done.leave()
      }
      // As a main thread has.
      thread.stackSize = 8 << 20
      thread.start()
    }
    done.wait()
    return results.all()
  }
}

private final class Results<Value: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var values: [Result<Value, any Error>?]
  init(_ count: Int) { values = Array(repeating: nil, count: count) }
  func set(_ rank: Int, _ value: Result<Value, any Error>) { lock.withLock { values[rank] = value } }
  func all() -> [Result<Value, any Error>] { lock.withLock { values.map { $0! } } }
}

/// What the threads of a group share, under one lock.
private final class Meeting: @unchecked Sendable {
  let size: Int
  private let condition = NSCondition()
  private var letters: [Int: [[Float]]] = [:]
  private var contributions: [[Double]?]
  private var sums: [Double] = []
  /// Ranks that have not yet read the sums.
  private var readers = 0
  private var failure: CollectiveError?

  init(_ size: Int) {
    self.size = size
    contributions = Array(repeating: nil, count: size)
  }

  private func wait(_ isReady: () -> Bool) throws {
    // What was complete before a rank failed, all get.
    while !isReady() {
      if let failure { throw failure }
      condition.wait()
    }
  }

  func fail(_ error: CollectiveError) {
    condition.withLock {
      if failure == nil { failure = error }
      condition.broadcast()
    }
  }

  func send(_ values: [Float], from sender: Int, to receiver: Int) {
    condition.withLock {
      letters[sender * size + receiver, default: []].append(values)
      condition.broadcast()
    }
  }

  func receive(from sender: Int, to receiver: Int) throws -> [Float] {
    try condition.withLock {
      try wait { letters[sender * size + receiver]?.isEmpty == false }
      return letters[sender * size + receiver]!.removeFirst()
    }
  }

  /// Sums in the order of the ranks; ends when every rank has contributed.
  func sum(_ values: [Double], rank: Int) throws -> [Double] {
    try condition.withLock {
      // The meeting before may still be read.
      try wait { readers == 0 && contributions[rank] == nil }
      contributions[rank] = values
      if contributions.allSatisfy({ $0 != nil }) {
        sums = contributions[0]!
        for other in contributions.dropFirst() { for i in sums.indices { sums[i] += other![i] } }
        readers = size
        condition.broadcast()
      } else {
        try wait { readers > 0 && contributions[rank] != nil }
      }
      contributions[rank] = nil
      readers -= 1
      if readers == 0 { condition.broadcast() }
      return sums
    }
  }
}

private final class LocalRank: Communicator {
  let rank: Int
  private let meeting: Meeting
  var size: Int { meeting.size }

  init(_ rank: Int, _ meeting: Meeting) { (self.rank, self.meeting) = (rank, meeting) }

  func exchange(
    _ sent: UnsafeBufferPointer<Float>, to receiver: Int, _ received: UnsafeMutableBufferPointer<Float>,
    from sender: Int
  ) throws {
    meeting.send(Array(sent), from: rank, to: receiver)
    let letter = try meeting.receive(from: sender, to: rank)
    precondition(letter.count == received.count, "\(letter.count) numbers for \(received.count)")
    _ = received.update(fromContentsOf: letter)
  }

  func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
    _ = values.update(fromContentsOf: try meeting.sum(Array(values), rank: rank))
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
    // A byte is exact in a Double; for tests, simple is enough.
    let sums = try meeting.sum(bytes.map { rank == root ? Double($0) : 0 }, rank: rank)
    for (i, value) in sums.enumerated() { bytes[i] = UInt8(value) }
  }

  func barrier() throws { _ = try meeting.sum([], rank: rank) }

  func abort(_ message: String) { meeting.fail(.rankFailed(rank: rank, message: message)) }
}
