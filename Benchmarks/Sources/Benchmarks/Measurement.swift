import Foundation

/// What one thing cost, run after run.
struct Measurement: Codable {
  var unit: String
  /// In the order they were taken.
  var values: [Double]

  var median: Double { Self.median(values) }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}

/// Ratio of medians of two things that were measured alternately, with the spread of the ratios pair by pair.
struct Comparison: Codable {
  var ratioOfMedians: Double
  var smallest: Double
  var largest: Double

  init(of numerator: Measurement, to denominator: Measurement) {
    ratioOfMedians = numerator.median / denominator.median
    let pairs = zip(numerator.values, denominator.values).map { $0 / $1 }
    smallest = pairs.min() ?? .nan
    largest = pairs.max() ?? .nan
  }
}

/// One line of a results file: a size, what was measured at it, and how the columns compare.
struct ResultRow: Codable {
  var size: Int
  /// What tells it from others of its size.
  var label: String?
  var measurements: [String: Measurement]
  var comparisons: [String: Comparison]
}

/// A results file: everything a reader needs to judge the figures.
struct BenchmarkResult: Codable {
  var name: String
  var what: String
  var date: String
  var machine: [String: String]
  var repetitions: Int
  var rows: [ResultRow]
  var notes: [String]
  /// Figures by name, which Scripts/update-readme copies into the README.
  var figures: [String: String]

  func write(to folder: URL, markdown: String, charts: [String: String]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try encoder.encode(self).write(to: folder.appendingPathComponent("\(name).json"), options: .atomic)
    try Data(markdown.utf8).write(to: folder.appendingPathComponent("\(name).md"), options: .atomic)
    for (chart, svg) in charts {
      try Data(svg.utf8).write(to: folder.appendingPathComponent("\(chart).svg"), options: .atomic)
    }
  }
}

enum Clock {
  /// Seconds that `work` takes.
  static func seconds(_ work: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try work()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}

/// Which machine the figures are from.
enum ThisMachine {
  static var facts: [String: String] {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    func entry(_ key: String) -> String? {
      information.split(separator: "\n").first { $0.hasPrefix(key) }
        .flatMap { $0.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } }
    }
    return [
      "processor": entry("model name") ?? "unknown",
      "cores": String(ProcessInfo.processInfo.activeProcessorCount),
      "memory": "\(ProcessInfo.processInfo.physicalMemory >> 30) GiB",
      "system": ProcessInfo.processInfo.operatingSystemVersionString,
    ]
  }

  /// How busy the processors were in the last minute, to tell a disturbed run from a quiet one.
  static var load: Double {
    (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))
      .flatMap { $0.split(separator: " ").first.flatMap { Double($0) } } ?? .nan
  }
}

/// A peer written in Python: `peers/NAME.py ARGUMENTS` prints one JSON object.
struct Peer {
  let script: URL
  let python: String

  init(_ name: String, python: String) {
    script = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
      .appendingPathComponent("peers/\(name).py")
    self.python = python
  }

  func run(_ arguments: [String]) throws -> [String: Double] {
    let data = try Command.run(URL(fileURLWithPath: "/usr/bin/env"), [python, script.path] + arguments)
    return try JSONDecoder().decode([String: Double].self, from: data)
  }
}

struct PeerFailure: Error, CustomStringConvertible {
  let script: String
  var description: String { "\(script) failed; Benchmarks/run installs what it needs" }
}
