import Foundation
import LanguageModel

/// `Benchmarks/run [--quick] [--repetitions=N] [NAME …]`: measures what the README claims, ours and the peers' in the same run.
@main
struct Benchmarks {
  private let names: [String]
  private let isQuick: Bool
  private let asked: Int?

  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    // A process of its own for the memory of a step.
    if arguments.count == 2, arguments[0] == "--training-memory" {
      return try TrainingStep.printMemory(of: arguments[1])
    }
    try Benchmarks(arguments).run()
  }

  private init(_ arguments: [String]) {
    names = arguments.filter { !$0.hasPrefix("--") }
    isQuick = arguments.contains("--quick")
    asked =
      arguments.compactMap {
        $0.hasPrefix("--repetitions=") ? Int($0.dropFirst(14)).map { max($0, 1) } : nil
      }.last
  }

  private var folder: URL { URL(fileURLWithPath: isQuick ? NSTemporaryDirectory() : "results") }

  private func repetitions(_ usual: Int, quick: Int = 1) -> Int { asked ?? (isQuick ? quick : usual) }

  /// Measures, if it is wanted, and writes what came out.
  private func measure(
    _ name: String, _ markdown: (BenchmarkResult) -> String,
    charts: (BenchmarkResult) -> [String: String] = { _ in [:] }, _ work: () throws -> BenchmarkResult
  ) throws {
    guard names.isEmpty || names.contains(name) else { return }
    print(name)
    let result = try work()
    try result.write(to: folder, markdown: markdown(result), charts: charts(result))
    print(markdown(result))
  }

  private func run() throws {
    let python = ProcessInfo.processInfo.environment["BENCHMARK_PYTHON"] ?? "python3"
    try measure("machine", MachineBenchmark.markdown, charts: MachineBenchmark.charts) {
      try MachineBenchmark(
        repetitions: repetitions(5), largestExponent: isQuick ? 8 : 16, python: python
      ).run()
    }
    try measure("graphs", GraphBenchmark.markdown, charts: GraphBenchmark.charts) {
      try GraphBenchmark(
        repetitions: repetitions(3),
        sizes: isQuick ? [16, 64, 1000] : [16, 64, 256, 1024, 4096, 16_384, 100_000], python: python
      ).run()
    }
    try measure("language", LanguageBenchmark.markdown) {
      try LanguageBenchmark(
        repetitions: repetitions(5), configuration: .ouro(layers: isQuick ? 2 : 24), tokens: isQuick ? 4 : 8,
        python: python
      ).run()
    }
    try measure("decode", DecodeBenchmark.markdown) {
      DecodeBenchmark(repetitions: repetitions(15, quick: 3), layers: isQuick ? 2 : 4).run()
    }
    try measure("training", TrainingBenchmark.markdown) {
      try TrainingBenchmark(
        repetitions: repetitions(5), python: python,
        settings: isQuick ? [.width64] : TrainingStep.Setting.allCases
      ).run()
    }
    try measure("files", FilesBenchmark.markdown) {
      try FilesBenchmark(
        repetitions: repetitions(5), configuration: .ouro(layers: isQuick ? 2 : 24),
        tokenizer: Command.smolLM2()
      ).run()
    }
    try measure("tokenizer", TokenizerBenchmark.markdown) {
      try TokenizerBenchmark(repetitions: repetitions(5), python: python, model: Command.smolLM2()).run()
    }
    print("results are in \(folder.path)")
  }
}
