import Foundation
import LanguageModel

/// Counters and gauges, as Prometheus reads them.
///
/// Source of the format: the Prometheus text exposition format, version 0.0.4.
final class ServerMetrics: @unchecked Sendable {
  /// Upper bounds of the histogram of times to the first token, in seconds.
  private static let bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

  private struct Values {
    var promptTokens = 0
    var cachedTokens = 0
    var generatedTokens = 0
    var loops = 0
    var responses: [Int: Int] = [:]
    var finished: [String: Int] = [:]
    var rejected = 0
    var running = 0
    var waiting = 0
    var cacheBytes = 0
    var prefixBytes = 0
    var engine = EngineStatistics()
    var firstTokens = [Int](repeating: 0, count: bounds.count + 1)
    var firstTokenSeconds = 0.0
  }

  private let lock = NSLock()
  private var values = Values()

  private func change(_ body: (inout Values) -> Void) { lock.withLock { body(&values) } }

  func countResponse(_ status: Int) { change { $0.responses[status, default: 0] += 1 } }
  func countRejected() { change { $0.rejected += 1 } }
  func setWaiting(_ count: Int) { change { $0.waiting = count } }

  func setEngine(running: Int, cacheBytes: Int, prefixBytes: Int, statistics: EngineStatistics) {
    change {
      $0.running = running
      $0.cacheBytes = cacheBytes
      $0.prefixBytes = prefixBytes
      $0.engine = statistics
    }
  }

  func noteFirstToken(seconds: Double) {
    change {
      let place = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
      $0.firstTokens[place] += 1
      $0.firstTokenSeconds += seconds
    }
  }

  func noteFinished(_ result: InferenceResult) {
    let statistics = result.statistics.generation
    change {
      $0.promptTokens += statistics.promptTokens
      $0.cachedTokens += statistics.cachedTokens
      $0.generatedTokens += statistics.generatedTokens
      $0.loops += statistics.loops
      $0.finished[result.reason.word, default: 0] += 1
    }
  }

  /// The exposition, for `GET /metrics`.
  var text: String {
    let v = lock.withLock { values }
    var text = ""
    func add(_ name: String, _ kind: String, _ help: String, _ samples: [(labels: String, value: String)]) {
      text += "# HELP looped_\(name) \(help)\n# TYPE looped_\(name) \(kind)\n"
      for sample in samples { text += "looped_\(name)\(sample.labels) \(sample.value)\n" }
    }
    func counter(_ name: String, _ help: String, _ value: some CustomStringConvertible) {
      add(name, "counter", help, [("", value.description)])
    }
    func gauge(_ name: String, _ help: String, _ value: Int) { add(name, "gauge", help, [("", "\(value)")]) }
    counter("prompt_tokens_total", "Tokens of prompts.", v.promptTokens)
    counter("prompt_tokens_cached_total", "Tokens of prompts that were not computed again.", v.cachedTokens)
    counter("tokens_predicted_total", "Generated tokens.", v.generatedTokens)
    counter("token_loops_total", "Loops of all generated tokens together.", v.loops)
    counter("decode_passes_total", "Decoding passes over the shared block.", v.engine.passes)
    counter("decode_rows_total", "Rows of decoding passes.", v.engine.rows)
    counter("decode_seconds_total", "Time in decoding passes.", v.engine.passSeconds)
    counter("prompt_seconds_total", "Time in reading prompts.", v.engine.prefillSeconds)
    counter("requests_rejected_total", "Requests refused because the queue was full.", v.rejected)
    add(
      "requests_finished_total", "counter", "Answers by the reason of their end.",
      v.finished.sorted { $0.key < $1.key }.map { ("{reason=\"\($0.key)\"}", "\($0.value)") })
    add(
      "http_responses_total", "counter", "Responses by status.",
      v.responses.sorted { $0.key < $1.key }.map { ("{code=\"\($0.key)\"}", "\($0.value)") })
    gauge("requests_processing", "Answers that are computed.", v.running)
    gauge("requests_deferred", "Answers that wait.", v.waiting)
    gauge("kv_cache_bytes", "Keys and values of answers that are computed.", v.cacheBytes)
    gauge("prefix_cache_bytes", "Keys and values kept for prompts that begin alike.", v.prefixBytes)
    var total = 0
    var samples: [(String, String)] = []
    for (bound, count) in zip(Self.bounds + [.infinity], v.firstTokens) {
      total += count
      let edge = bound.isInfinite ? "+Inf" : "\(bound)"
      samples.append(("_bucket{le=\"\(edge)\"}", "\(total)"))
    }
    samples += [("_sum", "\(v.firstTokenSeconds)"), ("_count", "\(total)")]
    add("time_to_first_token_seconds", "histogram", "From the request to its first token.", samples)
    return text
  }
}

extension FinishReason {
  /// As clients are told.
  var word: String {
    switch self {
    case .endToken, .stopString: "stop"
    case .maximumTokens, .contextLimit: "length"
    case .cancelled: "cancelled"
    }
  }
}
