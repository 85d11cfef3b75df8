extension SVGChart {
  /// Several charts below each other as one SVG text.
  public static func stack(_ charts: [SVGChart]) -> String {
    let width = Int(charts.map(\.size.width).max() ?? 0)
    var y = 0.0
    var body = ""
    for chart in charts {
      body +=
        "<svg y=\"\(Int(y))\" width=\"\(Int(chart.size.width))\" height=\"\(Int(chart.size.height))\" "
        + chart.text.dropFirst("<svg ".count) + "\n"
      y += chart.size.height
    }
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(Int(y))\">\n\(body)</svg>\n"
  }
}
