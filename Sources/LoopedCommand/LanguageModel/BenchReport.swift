import Foundation
import Reporting

/// One line of `looped bench`.
struct BenchRow {
  var test: String
  var loops: Int
  var tokens: Int
  /// Of every trial.
  var seconds: [Double]
  /// Weights read for a token; `nil` where that is not what limits.
  var bytesPerToken: Int?

  var rates: [Double] { seconds.map { Double(tokens) / $0 } }
  var mean: Double { rates.reduce(0, +) / Double(rates.count) }
  /// Of the trials, 0 for one.
  var deviation: Double {
    guard rates.count > 1 else { return 0 }
    return (rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count - 1)).squareRoot()
  }
  var gigabytesPerSecond: Double? { bytesPerToken.map { Double($0) * mean / 1e9 } }
}

struct BenchReport {
  var model: String
  var weights: String
  var bytes: Int
  var threads: Int
  /// Seconds; `nil` for random weights.
  var load: Double?
  /// GB/s that a plain read of memory reaches here.
  var memoryRate: Double
  var depth: Int
  var rows: [BenchRow]

  func text(_ format: BenchCommand.Format) -> String {
    switch format {
    case .md: markdown
    case .csv: csv
    case .json: "[" + objects.joined(separator: ",\n ") + "]\n"
    case .jsonl: objects.map { $0 + "\n" }.joined()
    }
  }

  private var markdown: String {
    var table = TextTable(
      header: ["model", "weights", "size", "threads", "loops", "test", "t/s", "GB/s", "of memory"])
    for row in rows {
      table.add([
        model, weights, String(format: "%.2f GB", Double(bytes) / 1e9), "\(threads)", "\(row.loops)",
        row.test + (depth > 0 ? " @ d\(depth)" : ""), String(format: "%.2f ± %.2f", row.mean, row.deviation),
        row.gigabytesPerSecond.map { String(format: "%.1f", $0) } ?? "",
        row.gigabytesPerSecond.map { String(format: "%.0f %%", 100 * $0 / memoryRate) } ?? "",
      ])
    }
    return table.markdown + "\n" + String(format: "memory reads %.1f GB/s", memoryRate)
      + (load.map { String(format: "; loaded in %.2f s", $0) } ?? "") + "\n"
  }

  private var csv: String {
    "model,weights,bytes,threads,loops,test,depth,avg_ts,stddev_ts,gb_per_s,memory_gb_per_s\n"
      + rows.map { row in
        "\"\(model.replacing("\"", with: "\"\""))\",\(weights),\(bytes),\(threads),\(row.loops),\(row.test),\(depth),\(row.mean),"
          + "\(row.deviation),\(row.gigabytesPerSecond.map { "\($0)" } ?? ""),\(memoryRate)\n"
      }.joined()
  }

  private struct Object: Encodable {
    let model, weights, test: String
    let bytes, threads, loops, depth, tokens: Int
    let seconds: [Double]
    let averageTokensPerSecond, deviation, memoryGBPerSecond: Double
    let gbPerSecond, loadSeconds: Double?
  }

  private var objects: [String] {
    return rows.compactMap { row in
      let object = Object(
        model: model, weights: weights, test: row.test, bytes: bytes, threads: threads, loops: row.loops,
        depth: depth,
        tokens: row.tokens, seconds: row.seconds, averageTokensPerSecond: row.mean, deviation: row.deviation,
        memoryGBPerSecond: memoryRate, gbPerSecond: row.gigabytesPerSecond, loadSeconds: load)
      return try? jsonText(object)
    }
  }
}
