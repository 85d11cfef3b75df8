import Construction
import Foundation
import Looping
import Machine
import Reporting

/// What one SUBLEQ instruction costs, against the size of the memory: the dense network, the exact executor of the
/// same weights, the way of the paper's public code (numpy; dense; weights rebuilt in every loop), and as the limit
/// the plain interpreter.
///
/// Expected before measuring: dense and numpy grow with n², the exact executor not at all (a table look-up per head,
/// a handful of columns); at 65,536 cells at least 200,000 instructions per second.
struct MachineBenchmark {
  var repetitions: Int
  var largestExponent: Int
  let python: String

  /// Walks through a buffer, changing a cell and its own code at every step, for ever.
  private static func program(cells: Int) -> String {
    let size = min(cells - 45, 30_000)
    return """
      walk:    one p: buffer
               minus_one p
               one left restart
               Z Z walk
      restart: p p
               minus_buffer p
               left left
               minus_size left
               Z Z walk
      . Z: 0  one: 1  minus_one: -1  left: \(size)  minus_size: -\(size)  minus_buffer: -buffer
      . buffer: [\(size)]
      """
  }

  private static let dialect = SubleqDialect(wordBits: 16, addressing: .unsigned)

  func run() throws -> BenchmarkResult {
    var rows: [ResultRow] = []
    let peer = Peer("subleq_numpy", python: python)
    for exponent in 6...largestExponent {
      let cells = 1 << exponent
      let image = try SubleqAssembler.assemble(Self.program(cells: cells), file: "walk.asq")
      let network = try UnifiedSubleqNetwork(cells: cells, dialect: Self.dialect)
      var exact = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
      var interpreter = try SubleqInterpreter(image, cells: cells, dialect: Self.dialect)
      // The first loop visits every column once, as it must; the cost per instruction is that of the later ones.
      _ = try exact.run(limit: 1000)
      var dense: SubleqMachine<DenseExecutor<Float>, Float>?
      if exponent <= 12 {
        dense = try SubleqMachine(network, image: image, body: DenseExecutor<Float>(network.network))
      }
      var values: [String: [Double]] = [:]
      for _ in 0..<repetitions {
        let instructions = 40_000
        values["exact", default: []].append(
          try Clock.seconds { _ = try exact.run(limit: instructions) } / Double(instructions))
        if dense != nil {
          let loops = max(1, 64 >> (2 * max(0, exponent - 7)))
          values["dense", default: []].append(
            try Clock.seconds { _ = try dense?.run(limit: loops) } / Double(loops))
        }
        if exponent <= 11 {
          let loops = max(2, 64 >> (2 * max(0, exponent - 7)))
          let seconds = try peer.run([String(cells), String(loops)])["secondsPerInstruction"]
          values["numpy", default: []].append(seconds ?? .nan)
        }
        let steps = 2_000_000
        values["interpreter", default: []].append(
          try Clock.seconds { for _ in 0..<steps { _ = try interpreter.step() } } / Double(steps))
      }
      let measurements = values.mapValues { Measurement(unit: "seconds per instruction", values: $0) }
      var comparisons: [String: Comparison] = [:]
      for other in ["dense", "numpy", "interpreter"] {
        if let measurement = measurements[other], let ours = measurements["exact"] {
          comparisons["\(other) / exact"] = Comparison(of: measurement, to: ours)
        }
      }
      rows.append(ResultRow(size: cells, measurements: measurements, comparisons: comparisons))
      print("  \(cells) cells: exact \(Int(1 / measurements["exact"]!.median)) instructions per second")
    }
    let largest = rows.last!
    let rate = Int(1 / largest.measurements["exact"]!.median)
    var figures = [
      "machine.cells": String(largest.size),
      "machine.rate": String(rate),
      "machine.interpreter": String(Int(1 / largest.measurements["interpreter"]!.median)),
    ]
    if let shared = rows.last(where: { $0.comparisons["numpy / exact"] != nil }) {
      figures["machine.numpy.cells"] = String(shared.size)
      figures["machine.numpy.ratio"] = String(
        Int(shared.comparisons["numpy / exact"]!.ratioOfMedians.rounded()))
    }
    return BenchmarkResult(
      name: "machine", what: "Cost of one SUBLEQ instruction of 16 bits, one core, float32", date: today(),
      machine: ThisMachine.facts, repetitions: repetitions, rows: rows,
      notes: [
        "exact and dense run the same weights and give bit-equal states (tested); numpy is the public code's way "
          + "reimplemented: float64, dense, weights rebuilt in every loop, ten layers, separate memories.",
        "The limit is the interpreter: the same program in plain integers.",
        "load average at the end: \(ThisMachine.load)",
      ], figures: figures)
  }

  static let columns = ["exact", "dense", "numpy", "interpreter"]

  static func markdown(_ result: BenchmarkResult) -> String {
    var table = TextTable(header: ["cells"] + columns.map { "\($0), µs" } + ["numpy / exact (spread)"])
    for row in result.rows {
      let cells = columns.map { column in
        row.measurements[column].map { String(format: "%.3g", $0.median * 1e6) } ?? ""
      }
      let ratio =
        row.comparisons["numpy / exact"].map {
          String(format: "%.0f (%.0f–%.0f)", $0.ratioOfMedians, $0.smallest, $0.largest)
        } ?? ""
      table.add([String(row.size)] + cells + [ratio])
    }
    return heading(result) + table.markdown
  }

  static func charts(_ result: BenchmarkResult) -> [String: String] {
    let chart = SVGChart(
      title: result.what, xLabel: "memory cells", yLabel: "µs per instruction", logarithmicX: true,
      logarithmicY: true,
      series: columns.map { column in
        .init(
          name: column,
          points: result.rows.compactMap { row in
            row.measurements[column].map { (x: Double(row.size), y: $0.median * 1e6) }
          })
      })
    return ["machine": chart.text]
  }
}

func today() -> String {
  let formatter = DateFormatter()
  formatter.locale = Locale(identifier: "en_US_POSIX")
  formatter.dateFormat = "yyyy-MM-dd"
  return formatter.string(from: Date())
}

/// What was measured where, above the table.
func heading(_ result: BenchmarkResult) -> String {
  "# \(result.what)\n\n\(result.date). Medians of \(result.repetitions) alternating runs. "
    + result.machine.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
    + ".\n\n" + result.notes.map { "- \($0)\n" }.joined() + "\n"
}
