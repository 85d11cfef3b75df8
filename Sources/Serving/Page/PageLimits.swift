import Foundation

/// How much of the machine one request of the page may take. Everything beyond is refused, with the figure in the message.
public struct PageLimits: Sendable {
  public var sourceBytes = 64 << 10
  public var inputBytes = 4 << 10
  public var cells = 4096
  /// Instructions of a program, which are loops.
  public var steps = 10_000
  public var nodes = 200
  public var edges = 2000
  /// Bytes of a graph file.
  public var graphBytes = 256 << 10
  public var loops = 120
  /// A run that takes longer ends as it is: what it did until then is a result.
  public var seconds = 10.0
  /// Of a program's run, so long where the heads look is found out, too: a dense pass for every instruction.
  public var attentionSeconds = 4.0
  /// Runs that wait for their turn; more are refused.
  public var waiting = 16

  public init() {}
}

/// A request that cannot be answered as it is; the reason and the remedy are for the person at the page.
public struct PageRequestError: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String
  public var hint: String?
  /// The field of the request that is to blame.
  public var field: String?
  /// Where in a text, counted from 1.
  public var line: Int?
  public var column: Int?

  public init(_ message: String, hint: String? = nil, field: String? = nil) {
    self.message = message
    self.hint = hint
    self.field = field
  }

  public var description: String { message + (hint.map { "; hint: \($0)" } ?? "") }
}

/// A run that the server has no time for now.
public struct PageBusy: Error, Equatable, Sendable {}

/// A clock that says when a run has taken long enough.
struct Deadline {
  private let end: ContinuousClock.Instant
  init(seconds: Double) { end = ContinuousClock.now + .seconds(seconds) }
  var isOver: Bool { ContinuousClock.now > end }
}

/// Runs bounded work one after the other, away from the threads that answer requests.
///
/// A run of the page is short, and its owner waits for it; several at once would only take the model's cores.
public final class PageWork: Sendable {
  private let queue = DispatchQueue(label: "looped.page")
  private let count: WaitingCount

  /// - Parameter waiting: runs that may wait or be under way at once.
  public init(waiting: Int = PageLimits().waiting) { count = WaitingCount(limit: waiting) }

  /// - Throws: `PageBusy` if too many wait, and what `body` throws.
  public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    guard count.enter() else { throw PageBusy() }
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { [count] in
        let result = Swift.Result { try body() }
        // First the place, then the answer: who asks again at once finds it free.
        count.leave()
        continuation.resume(with: result)
      }
    }
  }
}

/// How many are inside, at most `limit`.
private final class WaitingCount: @unchecked Sendable {
  private let lock = NSLock()
  private let limit: Int
  private var inside = 0

  init(limit: Int) { self.limit = limit }

  func enter() -> Bool {
    lock.withLock {
      guard inside < limit else { return false }
      inside += 1
      return true
    }
  }

  func leave() { lock.withLock { inside -= 1 } }
}
