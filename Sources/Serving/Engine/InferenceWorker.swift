import Foundation
import LanguageModel
import Tokenization

/// The engine on a thread of its own: takes requests from any thread, steps while there is work, and sleeps otherwise.
///
/// Everything of the model is used on that thread alone; what crosses it is `Sendable`.
final class InferenceWorker: @unchecked Sendable {
  /// How much may wait.
  struct Limits: Sendable {
    /// Answers that wait for a place, of all clients.
    var queue = 256
    /// Of one client.
    var queuePerClient = 128
    /// Bytes that finished requests may leave behind.
    var prefixBytes = 1 << 30
  }

  /// A number that names a submitted answer.
  typealias Ticket = Int

  struct Waiting {
    var ticket: Ticket
    var generation: Generation
    var arrival: ContinuousClock.Instant
  }

  let engineSettings: InferenceEngine.Settings
  let limits: Limits
  let metrics: ServerMetrics
  // Everything below is guarded by the condition, but for what `InferenceWorker+Thread.swift` keeps on its stack.
  let condition = NSCondition()
  var queue = FairQueue<Waiting>()
  var cancellations: [Ticket] = []
  var isStopping = false
  private var isDraining = false
  private var lastTicket = 0
  /// Answers that run or wait.
  var active = 0

  init(engine: InferenceEngine.Settings, limits: Limits, metrics: ServerMetrics) {
    engineSettings = engine
    self.limits = limits
    self.metrics = metrics
  }

  /// Queues the answers of one request: all of them or none.
  /// - Throws: `ServingError` 503 if the queue is full or the server stops, 429 if the client has too many waiting.
  func submit(_ generations: [Generation]) throws -> [Ticket] {
    condition.lock()
    defer { condition.unlock() }
    guard !isDraining else { throw ServingError.stopping }
    guard queue.count + generations.count <= limits.queue else {
      metrics.countRejected()
      throw ServingError(
        .serviceUnavailable, "the server is busy: \(queue.count) answers are waiting",
        type: "overloaded_error",
        code: "queue_full", retryAfter: 5)
    }
    let client = generations.first?.client ?? ""
    guard queue.count(of: client) + generations.count <= limits.queuePerClient else {
      metrics.countRejected()
      throw ServingError(
        .tooManyRequests, "\(queue.count(of: client)) answers of yours are waiting already",
        type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: 5)
    }
    let tickets = generations.map { generation in
      lastTicket += 1
      queue.append(
        Waiting(ticket: lastTicket, generation: generation, arrival: .now), of: generation.client)
      return lastTicket
    }
    active += tickets.count
    condition.signal()
    return tickets
  }

  /// Ends answers, wherever they are, and frees what they hold before the next step.
  func cancel(_ tickets: [Ticket]) {
    condition.withLock {
      cancellations += tickets
      condition.signal()
    }
  }

  /// From now on nothing is taken any more; what is there goes on.
  func drain() { condition.withLock { isDraining = true } }

  /// Ends all answers, which are told so, and then the thread.
  func stop() {
    condition.withLock {
      isDraining = true
      isStopping = true
      condition.signal()
    }
  }

  var activeCount: Int { condition.withLock { active } }
  var waitingCount: Int { condition.withLock { queue.count } }
}

extension ServingError {
  static var stopping: ServingError {
    ServingError(
      .serviceUnavailable, "the server is stopping", type: "unavailable_error", code: "stopping",
      retryAfter: 5)
  }
}
