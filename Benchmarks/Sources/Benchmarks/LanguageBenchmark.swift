import Foundation
import LanguageModel
import Reporting
import Tensors

/// Decoding and prefill of the 1.4B shape with random weights, four loops, against llama.cpp's looped architecture and
/// PyTorch's bf16 in the reference model's way, measured in turns.
///
/// Expected before measuring: at batch 1 a token reads the block four times and the readout once, so its time is those bytes
/// over the memory's rate: 10.1 GB in bf16, 5.4 in int8, 2.9 in int4. A prefill of 512 tokens is 1.23 G weights ·
/// 512 · 2 · 4 = 5.1 TFLOP: its time is that over the rate of products. The wavefront makes about 1.3 passes for a token
/// instead of four, of a few rows each: two to three times as fast.
struct LanguageBenchmark {
  var repetitions: Int
  var configuration: ModelConfiguration
  /// Generated in one measurement.
  var tokens: Int
  let python: String
  /// Of the shipped model's readouts with its last loop, measured on held-out text (Scripts/measure-shipped-model).
  var agreement: [Double] = [0.79, 0.90, 0.96]

  /// Our format, and what llama.cpp calls the nearest one.
  static let formats: [(WeightMatrix.Format, bits: Int, llama: String)] = [
    (.bfloat16, 16, "bf16"), (.int8, 8, "q8_0"), (.int4, 4, "q4_0"),
  ]
  private static let promptLength = 512
  private static let decodeTurns = 3

  func run() throws -> BenchmarkResult {
    var rows: [ResultRow] = []
    var figures: [String: String] = [:]
    for (format, bits, llama) in Self.formats {
      let row = try measure(format, bits: bits, llama: llama)
      rows.append(row)
      func median(_ name: String) -> Double? { row.measurements[name]?.median }
      if let seconds = median("decode ours") {
        figures["language.\(format.rawValue).tokens"] = String(format: "%.2f", 1 / seconds)
      }
      // Turn by turn: the machine's ceilings move as much as we do.
      if let share = row.measurements["share of memory rate"] {
        figures["language.\(format.rawValue).bandwidth"] = String(format: "%.0f", 100 * share.median)
      }
      if let share = row.measurements["share of product rate"] {
        figures["language.\(format.rawValue).prefill"] = String(format: "%.0f", 100 * share.median)
      }
      if let speedup = median("wavefront speedup") {
        figures["language.\(format.rawValue).wavefront"] = String(format: "%.2f", speedup)
      }
      if let passes = median("passes per token") {
        figures["language.\(format.rawValue).passes"] = String(format: "%.2f", passes)
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
        "Before every turn the rate of reading memory is measured, and of products of 512 rows in "
          + (BFloat16Product.isFast ? "bf16." : "f32."),
        "Wavefront: drafts made to be right as often as readouts of the shipped model are: "
          + agreement.map { String(format: "%.0f %%", 100 * $0) }.joined(separator: ", ")
          + " after loop 1, 2, …",
        "llama.cpp: its looped architecture (Nanbeige) in Ouro's shape, without Ouro's output norms and gate, bf16, q8_0 "
          + "and q4_0; PyTorch: bf16, keys and values for each (loop, layer).",
        "Decoding starts from 16 tokens in the cache, \(Self.decodeTurns) turns in every round; prefill is 512 tokens.",
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
    let bytes = configuration.loops * model.bytesPerPass + model.readout.byteCount
    let weights = model.layers.reduce(0) { sum, layer in
      layer.matrices.reduce(sum) { $0 + $1.matrix.rows * $1.matrix.columns }
    }
    let operations = 2 * Double(weights * configuration.loops * Self.promptLength)
    let memory = MemoryRate()
    var values: [String: [Double]] = [:]
    for repetition in 0...repetitions {
      // The first round is not counted: pages are touched, threads are started.
      func add(_ name: String, _ seconds: Double) {
        if repetition > 0 { values[name, default: []].append(seconds) }
      }
      let memoryRate = (0..<3).map { _ in memory.measure(bytes: 512 << 20) }.max() ?? 0
      let productRate = ProductRate.measure(
        Self.promptLength, 5632, 2048, repeats: 3, inBFloat16: BFloat16Product.isFast)
      add("memory rate", memoryRate)
      add("product rate", productRate)
      // Several turns, because the memory's rate moves from second to second, and they cost little beside a prefill.
      for turn in 0..<Self.decodeTurns {
        let seconds = try decode(executor)
        add("decode ours", seconds)
        if turn == 0 { add("share of memory rate", Double(bytes) / seconds / 1e9 / memoryRate) }
        for (name, peer) in peers { add("decode \(name)", try peer.measure("decode")) }
      }
      let prompt = try prefill(executor)
      add("prefill ours", prompt)
      add("share of product rate", operations / prompt / 1e9 / productRate)
      let wave = try wavefront(executor)
      add("wavefront ours", wave.seconds)
      add("wavefront speedup", wave.speedup)
      add("passes per token", wave.passes)
      for (loop, share) in wave.acceptance.enumerated() {
        // So many tokens are too few to meet the asked for agreement exactly.
        if let share { add("right after loop \(loop + 1)", share) }
      }
      for (name, peer) in peers { add("prefill \(name)", try peer.measure("prefill")) }
    }
    let units = [
      "memory rate": "GB/s", "product rate": "GFLOP/s", "share of memory rate": "ratio",
      "share of product rate": "ratio", "wavefront speedup": "ratio", "passes per token": "passes",
    ]
    var measurements: [String: Measurement] = [:]
    for (name, list) in values {
      let unit = name.hasPrefix("right after") ? "ratio" : units[name] ?? "seconds"
      measurements[name] = Measurement(unit: unit, values: list)
    }
    var comparisons: [String: Comparison] = [:]
    for (name, _) in peers {
      for what in ["decode", "prefill"] {
        comparisons["\(what) \(name) / ours"] = Comparison(
          of: measurements["\(what) \(name)"]!, to: measurements["\(what) ours"]!)
      }
    }
    if let wave = measurements["wavefront ours"] {
      for (name, _) in peers {
        // The last turn of a round is the one beside the wavefront.
        let beside = values["decode \(name)"]!.enumerated().filter {
          $0.offset % Self.decodeTurns == Self.decodeTurns - 1
        }
        comparisons["wavefront: decode \(name) / ours"] = Comparison(
          of: Measurement(unit: "seconds", values: beside.map(\.element)), to: wave)
      }
    }
    measurements["bytes per token"] = Measurement(unit: "bytes", values: [Double(bytes)])
    measurements["operations of prefill"] = Measurement(unit: "operations", values: [operations])
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

  /// Seconds for a token and how many times that is faster than plain decoding, which alternates with it.
  private func wavefront(_ executor: LoopExecutor) throws -> (
    seconds: Double, speedup: Double, passes: Double, acceptance: [Double?]
  ) {
    let settings = GenerationSettings(
      exit: ExitPolicy(.fixed, loops: configuration.loops), maximumTokens: 12 * tokens, endTokens: [])
    let report = try WavefrontBenchmark(executor, prompt: Array(1...16), settings: settings).run(
      .adaptive, agreement: agreement)
    return (
      1 / report.wavefront.tokensPerSecond, report.speedup, report.wavefront.passesPerToken,
      report.wavefront.acceptance
    )
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
      for what in ["decode", "prefill", "wavefront"] {
        let times = ["ours", "llama.cpp", "PyTorch"].map { name in
          row.measurements["\(what) \(name)"].map { String(format: "%.3f", $0.median) } ?? ""
        }
        let ratios = ["llama.cpp", "PyTorch"].map { name in
          row.comparisons[what == "wavefront" ? "wavefront: decode \(name) / ours" : "\(what) \(name) / ours"]
            .map {
              String(format: "%.2f (%.2f–%.2f)", $0.ratioOfMedians, $0.smallest, $0.largest)
            } ?? ""
        }
        table.add(["\(row.size)", what] + times + ratios)
      }
    }
    let limits = formats.compactMap { format, _, _ -> String? in
      guard let bandwidth = result.figures["language.\(format.rawValue).bandwidth"],
        let prefill = result.figures["language.\(format.rawValue).prefill"],
        let wavefront = result.figures["language.\(format.rawValue).wavefront"]
      else { return nil }
      return
        "- \(format.rawValue): decoding reads weights at \(bandwidth) % of the memory's rate; prefill runs at "
        + "\(prefill) % of the rate of the library's products, the wavefront is \(wavefront) times as fast as plain decoding"
        + (result.figures["language.\(format.rawValue).passes"].map { ", with \($0) passes a token" } ?? "")
        + ".\n"
    }
    return heading(result) + table.markdown + "\n" + limits.joined()
  }
}
