import Foundation

/// A thread that communicates while others compute: what is started on it runs there, one after the other.
///
/// A message makes way only while its process is inside a call of what carries it. Blocking operations on a thread of
/// their own are that call, so that communication does not stand still during a long backward pass.
public final class CommunicationQueue: @unchecked Sendable {
  /// What was started, and may be waited for.
  public final class Handle: @unchecked Sendable {
    private let condition = NSCondition()
    private var result: Result<Void, any Error>?

    fileprivate func finish(_ result: Result<Void, any Error>) {
      condition.withLock {
        self.result = result
        condition.broadcast()
      }
    }

    /// Returns when the operation is done. - Throws: what it threw.
    public func wait() throws {
      try condition.withLock {
        while result == nil { condition.wait() }
        try result!.get()
      }
    }
  }

  private let condition = NSCondition()
  private var waiting: [(Handle, @Sendable () throws -> Void)] = []
  private var isClosed = false

  public init() {
    let thread = Thread { [self] in serve() }
    thread.name = "communication"
    thread.start()
  }

  /// Ends the thread after what was started.
  public func close() {
    condition.withLock {
      isClosed = true
      condition.broadcast()
    }
  }

  /// Runs `operation` after those started before.
  public func start(_ operation: @escaping @Sendable () throws -> Void) -> Handle {
    let handle = Handle()
    condition.withLock {
      precondition(!isClosed, "the queue is closed")
      waiting.append((handle, operation))
      condition.broadcast()
    }
    return handle
  }

  private func serve() {
    while let (handle, operation) = next() { handle.finish(Result { try operation() }) }
  }

  private func next() -> (Handle, @Sendable () throws -> Void)? {
    condition.withLock {
      while waiting.isEmpty, !isClosed { condition.wait() }
      return waiting.isEmpty ? nil : waiting.removeFirst()
    }
  }
}
