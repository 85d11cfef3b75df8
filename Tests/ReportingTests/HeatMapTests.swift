import Reporting
import Testing

@Suite struct HeatMapTests {
  private func map(_ values: [[Double?]], logarithmic: Bool = false) -> SVGHeatMap {
    SVGHeatMap(
      title: "a & b", xLabel: "<x>", yLabel: "y", valueLabel: "v",
      columns: (0..<(values.first?.count ?? 0)).map { "c\($0)" }, rows: values.indices.map { "r\($0)" },
      values: values, logarithmic: logarithmic)
  }

  private func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

  @Test func everyValueIsACellOfItsColour() {
    let text = map([[0, 1, 2], [3, nil, 5]]).text
    #expect(text.hasPrefix("<svg ") && text.hasSuffix("</svg>"))
    #expect(count("class=\"cell\"", in: text) == 6 && count("url(#none)", in: text) == 1)
    #expect(text.contains("a &amp; b") && text.contains("&lt;x&gt;") && !text.contains("<x>"))
    // The ends of the scale, and the legend's numbers.
    #expect(text.contains("fill=\"\(SVGHeatMap.color(0).hex)\"><title>r0, c0: 0<"))
    #expect(text.contains("fill=\"\(SVGHeatMap.color(1).hex)\"><title>r1, c2: 5<"))
    #expect(count("class=\"scale\"", in: text) == 32 && text.contains(">2.5</text>"))
    #expect(text.contains("x=\"716.0\" y=\"30.0\" text-anchor=\"end\">v</text>"))
    // Numbers stand out from their cell: white on the darkest, black on the lightest.
    #expect(!SVGHeatMap.color(0).isLight && SVGHeatMap.color(1).isLight)
    #expect(text.contains("class=\"light\"") && text.contains("class=\"dark\""))
  }

  @Test func coloursGetLighterWithTheValue() {
    func light(_ share: Double) -> Int {
      let hex = SVGHeatMap.color(share).hex.dropFirst()
      let parts = (0..<3).map { Int(hex.dropFirst(2 * $0).prefix(2), radix: 16)! }
      return 299 * parts[0] + 587 * parts[1] + 114 * parts[2]
    }
    for step in 0..<50 { #expect(light(Double(step) / 50) < light(Double(step + 1) / 50)) }
    #expect(
      SVGHeatMap.color(-3).hex == SVGHeatMap.color(0).hex
        && SVGHeatMap.color(9).hex == SVGHeatMap.color(1).hex)
  }

  @Test(
    arguments: [
      [], [[]], [[1]], [[.nan, .infinity]], [[0, -1], [nil, nil]], [[1e-300, 1e300]],
    ] as [[[Double?]]], [false, true])
  func degenerateMapsAreDrawn(_ values: [[Double?]], _ logarithmic: Bool) {
    let text = map(values, logarithmic: logarithmic).text
    #expect(text.hasSuffix("</svg>") && !text.contains("nan") && !text.contains("inf"))
  }

  @Test func manyLabelsAreThinnedAndMapsStackUnderCharts() {
    let tall = map((0..<200).map { row in (0..<100).map { Double(row * $0) } })
    #expect(count("class=\"label\"", in: tall.text) < 150)
    let chart = SVGChart(
      title: "t", xLabel: "x", yLabel: "y", series: [.init(name: "s", points: [(0, 0), (1, 1)])])
    let stacked = SVGChart.stack([chart, tall])
    #expect(
      count("<svg", in: stacked) == 3
        && stacked.contains("viewBox=\"0 0 720 \(400 + Int(tall.extent.height))\""))
  }

  @Test func dashedSeriesHaveNoMarks() {
    var series = SVGChart.Series(name: "control", points: [(0, 1), (1, 1)])
    series.isDashed = true
    let text = SVGChart(title: "t", xLabel: "x", yLabel: "y", series: [series]).text
    #expect(text.contains("stroke-dasharray") && !text.contains("<circle"))
  }
}
