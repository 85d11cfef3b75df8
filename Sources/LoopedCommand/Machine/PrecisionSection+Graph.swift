import Construction
import GraphAlgorithms
import Reporting

extension PrecisionSection {
  /// Temperature × nodes × data type, for each of the paper's graph networks. Ctrl-C keeps the lines measured so far.
  static func graph(quick: Bool) throws -> PrecisionSection {
    let plan = GraphPrecision.plan(quick: quick)
    var bar = ProgressBar(total: plan.count, what: "curves")
    var results: [GraphPrecision] = []
    for line in plan where !Interrupt.isRequested {
      results.append(try GraphPrecision.measure(line))
      bar.update(results.count)
    }
    bar.finish()
    let loops = results.reduce(0) { $0 + $1.loops }
    let tables = GraphPrecision.float32Tables()
    return PrecisionSection(
      title: "Graph networks: the most nodes whose every state equals that of hard attention in float64",
      table: pivot(results), details: details(results),
      notes: [
        "– means that not even the smallest graph was exact. \(loops) loops were run with equal states: at each "
          + "point three minima, 3n loops. Graphs of up to \(results.first?.line.sizes.last ?? 0) nodes.",
        "Position codes in float32, hard attention: \(tables.promised) nodes are promised, \(tables.measured) measured.",
      ] + (try sizes()),
      charts: [DataType.f32, .f64].map { chart(results, $0) }, measurements: AnyEncodable(value: results))
  }

  /// What each network has, beside what the theorem for its algorithm needs.
  private static func sizes() throws -> [String] {
    var lines = PaperGraphNetwork.all(.float32).map { ($0.network, $0.theorem) }
    let machine = try GraphSubleqNetwork()
    lines.append((machine.network, machine.theorem))
    return lines.map { network, theorem in
      "\(network.name): \(network.layers.count) layers, \(network.headCount) heads, width \(network.width); "
        + "theorem: \(theorem.layers) layers, \(theorem.heads) heads."
    }
  }

  private static func name(_ line: GraphPrecision.Line) -> String {
    line.isMultitask ? "multitask (\(line.algorithm.rawValue))" : line.algorithm.rawValue
  }

  private static func name(_ temperature: Double?) -> String {
    temperature.map { "λ=\(Int($0))" } ?? "hard"
  }

  /// A row per network and data type and one for what is promised, a column per temperature.
  private static func pivot(_ results: [GraphPrecision]) -> TextTable {
    let temperatures = Set(results.compactMap(\.line.inverseTemperature)).sorted().map(Optional.some) + [nil]
    var table = TextTable(header: ["network", "type"] + temperatures.map(name))
    for dataType in [DataType.f32, .f64] {
      let ofType = results.filter { $0.line.dataType == dataType }
      func add(_ label: String, _ row: [GraphPrecision], _ nodes: (GraphPrecision) -> Int?) {
        let cells = temperatures.map { temperature in
          row.first { $0.line.inverseTemperature == temperature }.map { nodes($0).map(String.init) ?? "–" }
            ?? ""
        }
        table.add([label, dataType.rawValue] + cells)
      }
      var names: [String] = []
      for result in ofType where !names.contains(name(result.line)) { names.append(name(result.line)) }
      for network in names { add(network, ofType.filter { name($0.line) == network }, \.exactNodes) }
      if !ofType.isEmpty { add("promised", ofType, \.promisedNodes) }
    }
    return table
  }

  private static func details(_ results: [GraphPrecision]) -> TextTable {
    var table = TextTable(
      header: ["network", "type", "attention", "exact nodes", "promised", "fails at", "loop", "how"])
    for result in results {
      let failure = result.firstFailure
      table.add([
        name(result.line), result.line.dataType.rawValue, name(result.line.inverseTemperature),
        result.exactNodes.map(String.init) ?? "", result.promisedNodes.map(String.init) ?? "",
        failure.map { String($0.nodes) } ?? "", failure.map { String($0.loop) } ?? "", failure?.what ?? "",
      ])
    }
    return table
  }

  private static func chart(_ results: [GraphPrecision], _ dataType: DataType) -> SVGChart {
    let shown = results.filter { $0.line.dataType == dataType && $0.line.inverseTemperature != nil }
    var names: [String] = []
    for result in shown where !names.contains(name(result.line)) { names.append(name(result.line)) }
    var series = names.map { network in
      SVGChart.Series(
        name: network,
        points: shown.filter { name($0.line) == network }.map {
          (x: $0.line.inverseTemperature!, y: Double($0.exactNodes ?? 0))
        })
    }
    series.append(
      SVGChart.Series(
        name: "promised",
        points: shown.filter { name($0.line) == names.first }.map {
          (x: $0.line.inverseTemperature!, y: Double($0.promisedNodes ?? 0))
        }))
    return SVGChart(
      title: "Graph networks in \(dataType.rawValue): largest exact graph by temperature",
      xLabel: "inverse temperature λ", yLabel: "nodes", logarithmicX: true, series: series)
  }
}
