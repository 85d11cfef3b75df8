import Foundation
import LanguageModel
import Reporting
import Tensors

/// The products of a language model's layers, in the shapes of the 1.4B model, at batches of a decoding step, against
/// the rate at which memory can be read; and the products of a prompt against the f32 matrix product.
///
/// Expected before measuring: batch 1 is bound by memory in every format (at least 85 % of its rate in bf16 and eight
/// bits, 75 % in four), batch 4 costs little more, batch 8 is bound by arithmetic in four bits; a prompt of 512 tokens
/// reaches at least 70 % of the product's rate, because weights are unpacked once for 512 rows.
struct DecodeBenchmark {
  var repetitions: Int
  /// Layers' worth of weights, so that caches do not hold them.
  var layers: Int
  var promptTokens = 512

  private static let (hidden, inner) = (2048, 5632)
  static let formats: [WeightMatrix.Format] = [.bfloat16, .int8, .int4]
  static let batches = [1, 2, 4, 8, 16]

  /// The matrices of one layer in the order of a step; those in one list share their input.
  private struct Layer {
    let steps: [[WeightMatrix]]
    var byteCount: Int { steps.joined().reduce(0) { $0 + $1.byteCount } }
    var weights: Int { steps.joined().reduce(0) { $0 + $1.rows * $1.columns } }

    init(_ format: WeightMatrix.Format) {
      func matrix(_ rows: Int, _ columns: Int) -> WeightMatrix {
        // Weights of any size and sign; what they are does not change the time.
        WeightMatrix.pack(rows: rows, columns: columns, to: format) { row, values in
          var state = UInt32(truncatingIfNeeded: row &* 2_654_435_761 | 1)
          for c in 0..<columns {
            state = state &* 1_664_525 &+ 1_013_904_223
            values[c] = Float(Int32(bitPattern: state)) * 0x1p-36
          }
        }
      }
      let (hidden, inner) = (DecodeBenchmark.hidden, DecodeBenchmark.inner)
      steps = [
        (0..<3).map { _ in matrix(hidden, hidden) }, [matrix(hidden, hidden)],
        (0..<2).map { _ in matrix(inner, hidden) }, [matrix(hidden, inner)],
      ]
    }
  }

  func run() -> BenchmarkResult {
    let memory = MemoryRate()
    let most = max(promptTokens, Self.batches.last!)
    let x = Tensor(repeating: 0.01, [most, Self.inner])
    let outputs = (0..<3).map { _ in Tensor(zeros: [most, Self.inner]) }
    func pass(_ layers: [Layer], batch: Int) {
      for layer in layers {
        for step in layer.steps {
          WeightMatrix.multiply(
            x.pointer, batch: batch, by: zip(step, outputs).map { ($0, $1.pointer) })
        }
      }
    }
    let models = Self.formats.map { format in (0..<layers).map { _ in Layer(format) } }
    for model in models { pass(model, batch: 1) }
    var rates: [Int: [String: [Double]]] = [:]
    var reading: [Double] = []
    for _ in 0..<repetitions {
      for batch in Self.batches {
        // Reading beside every product, because the rate is shared with whatever else runs.
        rates[batch, default: [:]]["read", default: []].append(memory.measure())
        reading.append(rates[batch]!["read"]!.last!)
        for (format, model) in zip(Self.formats, models) {
          let bytes = model.reduce(0) { $0 + $1.byteCount }
          let seconds = Clock.seconds { pass(model, batch: batch) }
          rates[batch]![format.rawValue, default: []].append(Double(bytes) / seconds / 1e9)
        }
      }
      for (format, model) in zip(Self.formats, models) {
        let operations = 2.0 * Double(promptTokens) * Double(model.reduce(0) { $0 + $1.weights })
        let seconds = Clock.seconds { pass(model, batch: promptTokens) }
        rates[promptTokens, default: [:]][format.rawValue, default: []].append(operations / seconds / 1e9)
      }
      rates[promptTokens]!["product", default: []].append(
        ProductRate.measure(promptTokens, Self.inner, Self.hidden, repeats: 3))
    }
    let rows = rates.keys.sorted().map { batch in
      let isPrompt = batch == promptTokens
      let measurements = rates[batch]!.mapValues {
        Measurement(unit: isPrompt ? "GFLOP/s" : "GB/s", values: $0)
      }
      let ceiling = measurements[isPrompt ? "product" : "read"]!
      let comparisons = Dictionary(
        uniqueKeysWithValues: Self.formats.map {
          ($0.rawValue, Comparison(of: measurements[$0.rawValue]!, to: ceiling))
        })
      return ResultRow(size: batch, measurements: measurements, comparisons: comparisons)
    }
    var figures: [String: String] = [
      "decode.read": String(format: "%.1f", Measurement.median(reading)),
      "decode.dispatch": String(format: "%.1f", Self.dispatchMicroseconds()),
    ]
    for format in Self.formats.map(\.rawValue) {
      figures["decode.\(format).share"] = Self.percent(rows[0].comparisons[format]!)
      figures["decode.\(format).prompt"] = Self.percent(rows.last!.comparisons[format]!)
    }
    return BenchmarkResult(
      name: "decode", what: "Products of a language model's layers against the machine's ceilings",
      date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: [
        "The matrices of \(layers) layers of the 1.4B model; batches to 16 in GB/s of stored weights beside the rate "
          + "of reading memory in the same turn, \(promptTokens) rows in GFLOP/s beside the f32 product.",
        "A dispatch to all threads costs \(figures["decode.dispatch"]!) µs; a token at four loops makes 400 or so.",
        "kernels: \(KernelLevel.current); load average at the end: \(ThisMachine.load)",
      ], figures: figures)
  }

  /// What it costs to hand out one item for every thread, with nothing to do.
  private static func dispatchMicroseconds() -> Double {
    let pool = WorkerPool.shared
    let times = (0..<50).map { _ in
      Clock.seconds { for _ in 0..<200 { pool.run(pool.threads) { _, _ in } } } / 200 * 1e6
    }
    return Measurement.median(times)
  }

  private static func percent(_ comparison: Comparison) -> String {
    String(format: "%.0f", comparison.ratioOfMedians * 100)
  }

  static func markdown(_ result: BenchmarkResult) -> String {
    let names = formats.map(\.rawValue)
    var table = TextTable(header: ["rows", "ceiling"] + names.flatMap { [$0, "of the ceiling (spread)"] })
    for row in result.rows {
      let ceiling = row.measurements["read"] ?? row.measurements["product"]!
      table.add(
        [String(row.size), String(format: "%.1f ", ceiling.median) + ceiling.unit]
          + names.flatMap { name in
            let comparison = row.comparisons[name]!
            return [
              String(format: "%.1f", row.measurements[name]!.median),
              String(
                format: "%.0f %% (%.0f–%.0f)", comparison.ratioOfMedians * 100, comparison.smallest * 100,
                comparison.largest * 100),
            ]
          })
    }
    return heading(result) + table.markdown
  }
}
