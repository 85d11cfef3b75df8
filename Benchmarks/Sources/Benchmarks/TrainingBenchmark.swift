import Foundation
import Gradients
import Reporting
import Tensors

/// The training steps of the looped models against PyTorch's, eager and compiled, in turns on the same threads; and each
/// one's memory, in a process of its own.
///
/// Expected before measuring: a step is bound by products, which PyTorch's eager step runs at about 0.6 of the machine's
/// peak. Ours is to reach 0.9 of it at D 256, hence 1.5 times PyTorch, and to hold the intermediate values of some
/// sequences instead of all. In bf16 a product takes half the time of f32 (0.50 with all conversions, alone on a core), and
/// products are nine tenths of the decoder's step: it is to be 1.8 times as fast.
struct TrainingBenchmark {
  var repetitions: Int
  let python: String
  var settings = TrainingStep.Setting.allCases

  private static let peers = [("PyTorch", [String]()), ("PyTorch compiled", ["--compile"])]

  func run() throws -> BenchmarkResult {
    var rows: [ResultRow] = []
    var figures: [String: String] = [:]
    for setting in settings {
      let row = try measure(setting)
      rows.append(row)
      for (name, comparison) in row.comparisons {
        figures["training.\(setting.rawValue).\(name)"] = String(format: "%.2f", comparison.ratioOfMedians)
      }
      figures["training.\(setting.rawValue).share"] = Self.share(row)
      print(
        "  \(setting.rawValue): "
          + row.measurements.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.median)" }.joined(
            separator: ", "))
    }
    return BenchmarkResult(
      name: "training", what: "A training step: forward, backward, Adam", date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: settings.map { "D \($0.label): \($0.title)" } + Self.notes(rows) + [
        "The peak of products is that of 2048 × 2048 matrices, by oneDNN or by our own kernels, whichever is faster, "
          + "measured in the same turns, and in bf16 by oneDNN; our share of it counts the operations that our step makes.",
        "In bf16 PyTorch's attention and the results of its linear layers are bf16 too; ours are f32.",
        "Ours leaves out what no loss reads: the last y token, and in the last loop what comes behind attention at y "
          + "tokens; PyTorch's step, written as the papers' code, makes 4 % more operations at D 256, 9 % at D 64.",
        "Memory is what a process of its own held at most beyond what it held when the model was made.",
        "kernels: \(KernelLevel.current); threads: \(WorkerPool.shared.threads); load average at the end: "
          + "\(ThisMachine.load)",
      ], figures: figures)
  }

  private func measure(_ setting: TrainingStep.Setting) throws -> ResultRow {
    let threads = ["--threads", "\(WorkerPool.shared.threads)"]
    var peers: [(name: String, peer: ServedPeer)] = []
    for (name, arguments) in Self.peers {
      if let peer = ServedPeer(
        setting.peer, python: python, arguments: setting.arguments + arguments + threads)
      {
        peers.append((name, peer))
      }
    }
    defer { for (_, peer) in peers { peer.stop() } }
    let step = TrainingStep(setting)
    let inFloat32 = setting == .decoderInBFloat16 ? TrainingStep(.decoder) : nil
    // A short step is measured several times in a turn, and the turn's median taken.
    let repeats = setting == .width64 ? 5 : 1
    var values: [String: [Double]] = [:]
    for repetition in 0...repetitions + 1 {
      // Two rounds are not counted: memory is touched, threads are started, networks are compiled.
      func add(_ name: String, _ measure: () throws -> Double) rethrows {
        let turn = try (0..<repeats).map { _ in try measure() }
        if repetition > 1 { values[name, default: []].append(Measurement.median(turn)) }
      }
      try add("ours") { try Clock.seconds(step.run) }
      if let inFloat32 { try add(Self.float32) { try Clock.seconds(inFloat32.run) } }
      for (name, peer) in peers { try add(name) { try peer.measure("step") } }
      if repetition > 1 {
        values["peak", default: []].append(Self.peak(setting.precision))
      }
    }
    var measurements = values.mapValues { Measurement(unit: "seconds", values: $0) }
    measurements["peak"]?.unit = "GFLOP/s"
    measurements["operations"] = Measurement(unit: "10⁹ operations", values: [step.gigaoperations])
    var comparisons: [String: Comparison] = [:]
    for (name, peer) in peers {
      comparisons["\(name) / ours"] = Comparison(of: measurements[name]!, to: measurements["ours"]!)
      measurements["memory of \(name)"] = Measurement(
        unit: "bytes", values: [try peer.measure("step_bytes")])
    }
    if inFloat32 != nil {
      comparisons["\(Self.float32) / ours"] = Comparison(
        of: measurements[Self.float32]!, to: measurements["ours"]!)
    }
    measurements["memory of ours"] = Measurement(unit: "bytes", values: [try memory(setting)])
    return ResultRow(
      size: setting.width, label: setting.label, measurements: measurements, comparisons: comparisons)
  }

  /// Ours in f32, in the turns of a row in bf16.
  private static let float32 = "ours in f32"

  private static func peak(_ precision: ProductPrecision) -> Double {
    if precision == .bfloat16, BFloat16Product.isFast {
      return ProductRate.measure(2048, 2048, 2048, repeats: 2, inBFloat16: true)
    }
    return max(
      ProductRate.measure(2048, 2048, 2048, repeats: 2),
      ProductRate.measure(2048, 2048, 2048, repeats: 2, with: nil))
  }

  private static func notes(_ rows: [ResultRow]) -> [String] {
    rows.compactMap { row in
      row.comparisons["\(float32) / ours"].map {
        String(
          format: "D %@: in the same turns our step in f32 took %.2f (%.2f–%.2f) times as long.",
          row.label ?? "", $0.ratioOfMedians, $0.smallest, $0.largest)
      }
    }
  }

  private func memory(_ setting: TrainingStep.Setting) throws -> Double {
    let data = try Command.run(
      URL(fileURLWithPath: CommandLine.arguments[0]), ["--training-memory", setting.rawValue])
    return try JSONDecoder().decode([String: Double].self, from: data)["step_bytes"] ?? .nan
  }

  /// The rate of the step in percent of the peak of products.
  private static func share(_ row: ResultRow) -> String {
    guard let ours = row.measurements["ours"], let peak = row.measurements["peak"],
      let work = row.measurements["operations"]
    else { return "" }
    return String(format: "%.0f", 100 * work.median / ours.median / peak.median)
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    let names = ["ours"] + peers.map(\.0)
    var table = TextTable(
      header: ["D"] + names.map { "\($0), ms" } + peers.map { "\($0.0) / ours (spread)" } + [
        "of the peak of products"
      ] + names.map { "memory of \($0), MiB" })
    for row in result.rows {
      func number(_ name: String, _ factor: Double, _ digits: Int) -> String {
        row.measurements[name].map { String(format: "%.\(digits)f", $0.median * factor) } ?? ""
      }
      table.add(
        [row.label ?? "\(row.size)"] + names.map { number($0, 1000, row.size == 64 ? 1 : 0) }
          + peers.map { name, _ in
            row.comparisons["\(name) / ours"].map {
              String(format: "%.2f (%.2f–%.2f)", $0.ratioOfMedians, $0.smallest, $0.largest)
            } ?? ""
          } + ["\(share(row)) % of " + number("peak", 1, 0) + " GFLOP/s"]
          + names.map { number("memory of \($0)", 1 / 1_048_576, 0) })
    }
    return heading(result) + table.markdown
  }
}
