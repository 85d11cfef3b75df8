import Foundation
import LanguageModel

/// `Benchmarks/run [--quick] [--repetitions=N] [NAME …]`: measures what the README claims, ours and the peers' in the same run.
@main
enum Benchmarks {
  static func main() throws {
    var names = Array(CommandLine.arguments.dropFirst())
    // A process of its own for the memory of a step.
    if names.count == 2, names[0] == "--training-memory" { return try TrainingStep.printMemory(of: names[1]) }
    let isQuick = names.contains("--quick")
    let asked = names.compactMap {
      $0.hasPrefix("--repetitions=") ? Int($0.dropFirst(14)).map { max($0, 1) } : nil
    }.last
    names.removeAll { $0.hasPrefix("--") }
    let python = ProcessInfo.processInfo.environment["BENCHMARK_PYTHON"] ?? "python3"
    let folder = URL(fileURLWithPath: isQuick ? NSTemporaryDirectory() : "results")
    func wants(_ name: String) -> Bool { names.isEmpty || names.contains(name) }
    if wants("machine") {
      print("machine")
      let result = try MachineBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 5), largestExponent: isQuick ? 8 : 16, python: python
      ).run()
      try result.write(
        to: folder, markdown: MachineBenchmark.markdown(result),
        charts: ["machine": MachineBenchmark.chart(result)])
    }
    if wants("graphs") {
      print("graphs")
      let result = try GraphBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 3),
        sizes: isQuick ? [16, 64, 1000] : [16, 64, 256, 1024, 4096, 16_384, 100_000],
        python: python
      ).run()
      try result.write(
        to: folder, markdown: GraphBenchmark.markdown(result), charts: GraphBenchmark.charts(result))
    }
    if wants("language") {
      print("language")
      let configuration = ModelConfiguration.ouro(layers: isQuick ? 2 : 24)
      let result = try LanguageBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 5), configuration: configuration, tokens: isQuick ? 4 : 8,
        python: python
      ).run()
      try result.write(to: folder, markdown: LanguageBenchmark.markdown(result), charts: [:])
    }
    if wants("decode") {
      print("decode")
      let result = DecodeBenchmark(repetitions: asked ?? (isQuick ? 3 : 15), layers: isQuick ? 2 : 4).run()
      try result.write(to: folder, markdown: DecodeBenchmark.markdown(result), charts: [:])
      print(DecodeBenchmark.markdown(result))
    }
    if wants("training") {
      print("training")
      let result = try TrainingBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 5), python: python,
        settings: isQuick ? [.width64] : TrainingStep.Setting.allCases
      ).run()
      try result.write(to: folder, markdown: TrainingBenchmark.markdown(result), charts: [:])
      print(TrainingBenchmark.markdown(result))
    }
    if wants("files") {
      print("files")
      let result = try FilesBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 5), configuration: .ouro(layers: isQuick ? 2 : 24),
        tokenizer: Command.smolLM2()
      ).run()
      try result.write(to: folder, markdown: FilesBenchmark.markdown(result), charts: [:])
      print(FilesBenchmark.markdown(result))
    }
    if wants("tokenizer") {
      print("tokenizer")
      let result = try TokenizerBenchmark(
        repetitions: asked ?? (isQuick ? 1 : 5), python: python, model: Command.smolLM2()
      ).run()
      try result.write(to: folder, markdown: TokenizerBenchmark.markdown(result), charts: [:])
      print(TokenizerBenchmark.markdown(result))
    }
    print("results are in \(folder.path)")
  }
}
