import Construction
import Foundation
import Machine
import Reporting

extension PrecisionSection {
  /// Every function block of FLEQ against its bound, and products against the constant c of their softmax.
  static func fleq(quick: Bool) throws -> PrecisionSection {
    let plan = FleqPrecision.plan()
    var bar = ProgressBar(total: plan.count, what: "functions")
    var results: [FleqPrecision] = []
    for (function, dataType) in plan where !Interrupt.isRequested {
      results.append(try FleqPrecision.measure(function, dataType, points: quick ? 32 : 256))
      bar.update(results.count)
    }
    bar.finish()
    let curves = try [DataType.f32, .f64].map { dataType in
      (dataType, Interrupt.isRequested ? [] : try FleqPrecision.productCurve(dataType, quick: quick))
    }
    let broken = (results + curves.flatMap(\.1)).filter { !$0.isWithinBound }
    return PrecisionSection(
      title: "FLEQ: the largest error of each function block, and its bound",
      table: table(results), details: details(results + curves.flatMap(\.1)),
      notes: [
        "Measured against the true functions in double precision on inputs of the data type, in blocks of "
          + "\(FleqPrecision.blockSize) × \(FleqPrecision.blockSize). "
          + (broken.isEmpty
            ? "Every error is within its bound." : "\(broken.count) errors exceed their bounds.")
      ],
      charts: [chart(curves)], measurements: AnyEncodable(value: results + curves.flatMap(\.1)))
  }

  private static func number(_ value: Double) -> String {
    value == 0 ? "0" : String(format: "%.1e", value)
  }

  private static func table(_ results: [FleqPrecision]) -> TextTable {
    var table = TextTable(header: ["function", "f32 error", "f32 bound", "f64 error", "f64 bound", ""])
    for function in FleqFunction.allCases {
      let row = [DataType.f32, .f64].compactMap { type in
        results.first { $0.function == function && $0.dataType == type }
      }
      guard row.count == 2 else { continue }
      table.add(
        [function.rawValue] + row.flatMap { [number($0.largestError), number($0.bound)] }
          + [row.allSatisfy(\.isWithinBound) ? "" : "exceeds its bound"])
    }
    return table
  }

  private static func details(_ results: [FleqPrecision]) -> TextTable {
    var table = TextTable(header: ["function", "type", "c", "error", "bound", "at"])
    for result in results {
      table.add([
        result.function.rawValue, result.dataType.rawValue, result.productScale.map(number) ?? "",
        number(result.largestError), number(result.bound), String(format: "%.4f", result.at),
      ])
    }
    return table
  }

  private static func chart(_ curves: [(DataType, [FleqPrecision])]) -> SVGChart {
    SVGChart(
      title: "FLEQ products: error by the constant c of the linearised softmax", xLabel: "c",
      yLabel: "largest error", logarithmicX: true, logarithmicY: true,
      series: curves.flatMap { dataType, curve in
        [
          SVGChart.Series(
            name: "\(dataType.rawValue), measured", points: curve.map { ($0.productScale!, $0.largestError) }),
          SVGChart.Series(
            name: "\(dataType.rawValue), bound", points: curve.map { ($0.productScale!, $0.bound) }),
        ]
      })
  }
}
