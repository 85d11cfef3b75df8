import Foundation
import LanguageModel
import Reporting
import Tensors

/// Decoding and prefill of the 1.4B shape with random weights, four loops, against llama.cpp's looped architecture and
/// PyTorch's bf16 in the reference model's way, measured in turns.
///
/// Expected before measuring: at batch 1 a token reads the block four times and the readout once, so its time is those bytes
/// over the memory's rate: 10.1 GB in bf16, 5.4 in int8, 3.2 in int4. A prefill of 512 tokens is 1.23 G weights ·
/// 512 · 2 · 4 = 5.1 TFLOP: its time is that over the rate of products.
struct LanguageBenchmark {
  var repetitions: Int
  var configuration: ModelConfiguration
  /// Generated in one measurement.
  var tokens: Int
  let python: String

  /// Our format, and what llama.cpp calls the nearest one.
  static let formats: [(WeightMatrix.Format, bits: Int, llama: String)] = [
    (.bfloat16, 16, "bf16"), (.int8, 8, "q8_0"), (.int4, 4, "q4_0"),
  ]
  private static let promptLength = 512

  func run() throws -> BenchmarkResult {
    let memory = MemoryRate()
    let memoryRate = (0..<9).map { _ in memory.measure() }.max() ?? 0
    let productRate = ProductRate.measure(Self.promptLength, 5632, 2048)
    var rows: [ResultRow] = []
    var figures = [
      "language.memory.rate": String(format: "%.0f", memoryRate),
      "language.product.rate": String(format: "%.0f", productRate),
    ]
    for (format, bits, llama) in Self.formats {
      let row = try measure(format, bits: bits, llama: llama)
      rows.append(row)
      func median(_ name: String) -> Double? { row.measurements[name]?.median }
      if let seconds = median("decode ours"), let bytes = median("bytes per token") {
        figures["language.\(format.rawValue).tokens"] = String(format: "%.2f", 1 / seconds)
        figures["language.\(format.rawValue).bandwidth"] = String(
          format: "%.0f", 100 * bytes / seconds / 1e9 / memoryRate)
      }
      if let seconds = median("prefill ours"), let operations = median("operations of prefill") {
        figures["language.\(format.rawValue).prefill"] = String(
          format: "%.0f", 100 * operations / seconds / 1e9 / productRate)
      }
      for (name, comparison) in row.comparisons {
        figures["language.\(format.rawValue).\(name)"] = String(format: "%.2f", comparison.ratioOfMedians)
      }
      print(
        "  \(format.rawValue): "
          + row.measurements.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.median)" }.joined(
            separator: ", "))
    }
    return BenchmarkResult(
      name: "language", what: "Ouro's 1.4B shape, random weights, \(configuration.loops) loops, two threads",
      date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: [
        "Memory reads \(figures["language.memory.rate"]!) GB/s, f32 products run at \(figures["language.product.rate"]!) "
          + "GFLOP/s, measured before.",
        "llama.cpp: its looped architecture (Nanbeige) in Ouro's shape, without Ouro's output norms and gate, bf16, q8_0 "
          + "and q4_0; PyTorch: bf16, keys and values for each (loop, layer).",
        "Decoding starts from 16 tokens in the cache; prefill is 512 tokens.",
        "load average at the end: \(ThisMachine.load)",
      ], figures: figures)
  }

  private func measure(_ format: WeightMatrix.Format, bits: Int, llama: String) throws -> ResultRow {
    let layers = ["--layers", "\(configuration.layers)", "--loops", "\(configuration.loops)"]
    var peers: [(name: String, peer: ServedPeer)] = []
    if let peer = ServedPeer(
      "llama_cpp_decode", python: python, arguments: layers + ["--type", llama, "--tokens", "\(tokens)"])
    {
      peers.append(("llama.cpp", peer))
    }
    if format == .bfloat16,
      let peer = ServedPeer("ouro_torch", python: python, arguments: layers + ["--tokens", "\(tokens)"])
    {
      peers.append(("PyTorch", peer))
    }
    defer { for (_, peer) in peers { peer.stop() } }
    let model = LanguageModel.random(configuration, format: format)
    let executor = LoopExecutor(model)
    var values: [String: [Double]] = [:]
    for repetition in 0...repetitions {
      // The first round is not counted: pages are touched, threads are started.
      func add(_ name: String, _ seconds: Double) {
        if repetition > 0 { values[name, default: []].append(seconds) }
      }
      add("decode ours", try decode(executor))
      for (name, peer) in peers { add("decode \(name)", try peer.measure("decode")) }
      add("prefill ours", try prefill(executor))
      for (name, peer) in peers { add("prefill \(name)", try peer.measure("prefill")) }
    }
    var measurements = values.mapValues { Measurement(unit: "seconds", values: $0) }
    var comparisons: [String: Comparison] = [:]
    for (name, _) in peers {
      for what in ["decode", "prefill"] {
        comparisons["\(what) \(name) / ours"] = Comparison(
          of: measurements["\(what) \(name)"]!, to: measurements["\(what) ours"]!)
      }
    }
    let bytes = configuration.loops * model.bytesPerPass + model.readout.byteCount
    measurements["bytes per token"] = Measurement(unit: "bytes", values: [Double(bytes)])
    let weights = model.layers.reduce(0) { sum, layer in
      layer.matrices.reduce(sum) { $0 + $1.matrix.rows * $1.matrix.columns }
    }
    measurements["operations of prefill"] = Measurement(
      unit: "operations", values: [2 * Double(weights * configuration.loops * Self.promptLength)])
    measurements["weights"] = Measurement(unit: "bytes", values: [Double(model.byteCount)])
    for (name, peer) in peers {
      measurements["memory of \(name)"] = Measurement(unit: "bytes", values: [Double(peer.memory)])
    }
    return ResultRow(size: bits, measurements: measurements, comparisons: comparisons)
  }

  /// Seconds for a token.
  private func decode(_ executor: LoopExecutor) throws -> Double {
    let cache = KVCache(configuration)
    try executor.prefill(Array(1...16), into: cache, loops: configuration.loops)
    let logits = Tensor(uninitialized: [configuration.vocabularySize])
    return try Clock.seconds {
      for token in 0..<tokens {
        try executor.prefill([Int32(token)], into: cache, loops: configuration.loops) { loop, _, states in
          if loop == configuration.loops - 1 { executor.logits(states, rows: 1, into: logits.pointer) }
        }
      }
    } / Double(tokens)
  }

  private func prefill(_ executor: LoopExecutor) throws -> Double {
    let cache = KVCache(configuration)
    return try Clock.seconds {
      try executor.prefill((0..<Self.promptLength).map(Int32.init), into: cache, loops: configuration.loops)
    }
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    var table = TextTable(
      header: ["bits", "what", "ours, s", "llama.cpp, s", "PyTorch, s", "llama.cpp / ours", "PyTorch / ours"])
    for row in result.rows {
      for what in ["decode", "prefill"] {
        let times = ["ours", "llama.cpp", "PyTorch"].map { name in
          row.measurements["\(what) \(name)"].map { String(format: "%.3f", $0.median) } ?? ""
        }
        let ratios = ["llama.cpp", "PyTorch"].map { name in
          row.comparisons["\(what) \(name) / ours"].map {
            String(format: "%.2f (%.2f–%.2f)", $0.ratioOfMedians, $0.smallest, $0.largest)
          } ?? ""
        }
        table.add(["\(row.size)", what] + times + ratios)
      }
    }
    let limits = formats.compactMap { format, _, _ -> String? in
      guard let bandwidth = result.figures["language.\(format.rawValue).bandwidth"],
        let prefill = result.figures["language.\(format.rawValue).prefill"]
      else { return nil }
      return
        "- \(format.rawValue): decoding reads weights at \(bandwidth) % of the memory's rate; prefill runs at "
        + "\(prefill) % of the rate of f32 products.\n"
    }
    return heading(result) + table.markdown + "\n" + limits.joined()
  }
}
