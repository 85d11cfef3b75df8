import Construction
import Foundation
import Machine
import Reporting

extension PrecisionSection {
  /// Temperature × word size × data type, for each SUBLEQ network. Ctrl-C keeps the lines measured so far.
  static func subleq(quick: Bool, programs: Int) throws -> PrecisionSection {
    let plan = SubleqPrecision.plan(quick: quick)
    var bar = ProgressBar(total: plan.count, what: "curves")
    var results: [SubleqPrecision] = []
    for line in plan where !Interrupt.isRequested {
      results.append(try SubleqPrecision.measure(line, programs: programs))
      bar.update(results.count)
    }
    bar.finish()
    let instructions = results.reduce(0) { $0 + $1.instructions }
    return PrecisionSection(
      title: "SUBLEQ: the widest words, in bits, whose every state equals the interpreter's",
      table: pivot(results), details: failures(results),
      notes: [
        "– means that not even the narrowest words were exact. \(instructions) instructions were executed with equal "
          + "states: at each point the differences of extreme words, then random programs "
          + "(\(programs) of 60 instructions)."
      ],
      charts: DataType.allCases.compactMap { chart(results, $0) },
      measurements: AnyEncodable(value: results))
  }

  private static func name(_ temperature: Double?) -> String {
    temperature.map { "λ=\(Int($0))" } ?? "hard"
  }

  /// A row per network and data type, a column per temperature.
  private static func pivot(_ results: [SubleqPrecision]) -> TextTable {
    let temperatures = Set(results.compactMap(\.line.inverseTemperature)).sorted().map(Optional.some) + [nil]
    var table = TextTable(
      header: ["network", "type"] + temperatures.map(name) + ["first failure with hard attention"])
    for network in SubleqPrecision.Network.allCases {
      for dataType in DataType.allCases {
        let row = results.filter { $0.line.network == network && $0.line.dataType == dataType }
        if row.isEmpty { continue }
        let cells = temperatures.map { temperature in
          row.first { $0.line.inverseTemperature == temperature }
            .map { $0.exactWordBits.map(String.init) ?? "–" } ?? ""
        }
        let failure = row.last { $0.line.inverseTemperature == nil }?.firstFailure
        table.add(
          [network.rawValue, dataType.rawValue] + cells
            + [failure.map { "\($0.wordBits) bits: \($0.what)" } ?? "none"])
      }
    }
    return table
  }

  private static func failures(_ results: [SubleqPrecision]) -> TextTable {
    var table = TextTable(
      header: ["network", "type", "attention", "exact bits", "fails at bits", "instruction", "how"])
    for result in results {
      let failure = result.firstFailure
      table.add([
        result.line.network.rawValue, result.line.dataType.rawValue, name(result.line.inverseTemperature),
        result.exactWordBits.map(String.init) ?? "", failure.map { "\($0.wordBits)" } ?? "",
        failure.map { "\($0.instruction)" } ?? "", failure?.what ?? "",
      ])
    }
    return table
  }

  private static func chart(_ results: [SubleqPrecision], _ dataType: DataType) -> SVGChart? {
    // Beyond 40 nothing changes any more.
    let shown = results.filter { $0.line.dataType == dataType && ($0.line.inverseTemperature ?? 100) <= 40 }
    guard !shown.isEmpty, let scalar = dataType.scalar else { return nil }
    var series = SubleqPrecision.Network.allCases.map { network in
      SVGChart.Series(
        name: network.rawValue,
        points: shown.filter { $0.line.network == network }.map {
          (x: $0.line.inverseTemperature!, y: Double($0.exactWordBits ?? 0))
        })
    }
    let limit = CompactSubleqNetwork.largestWordBits(in: scalar)
    series.append(
      SVGChart.Series(
        name: "compact, proved for exact arithmetic",
        points: stride(from: 4, through: limit, by: 2).map { bits in
          (
            x: CompactSubleqNetwork.sufficientInverseTemperature(
              wordBits: bits, columns: SubleqPrecision.columnCount), y: Double(bits)
          )
        }))
    return SVGChart(
      title: "SUBLEQ in \(dataType.rawValue): widest exact words by temperature",
      xLabel: "inverse temperature λ", yLabel: "bits", series: series)
  }
}
