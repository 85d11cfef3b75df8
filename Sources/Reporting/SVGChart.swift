import Foundation

/// A line chart as SVG text: several series, linear or logarithmic axes, a legend.
public struct SVGChart {
  public struct Series {
    public var name: String
    public var points: [(x: Double, y: Double)]
    /// An interval at every point, drawn as a shade behind the line.
    public var band: [(x: Double, low: Double, high: Double)] = []
    /// A line for comparison, without marks.
    public var isDashed = false
    public init(name: String, points: [(x: Double, y: Double)]) {
      self.name = name
      self.points = points
    }
  }

  public var title: String
  public var xLabel: String
  public var yLabel: String
  public var logarithmicX: Bool
  public var logarithmicY: Bool
  public var series: [Series]
  /// Whether the legend goes to the corner that the fewest points are in, not to the upper left.
  public var movesLegend = false
  let size = (width: 720.0, height: 400.0)
  private let margin = (left: 78.0, right: 20.0, top: 40.0, bottom: 54.0)
  private static let colors = ["#0969da", "#cf222e", "#1a7f37", "#8250df", "#bf8700", "#1b7c83", "#6e7781"]

  public init(
    title: String, xLabel: String, yLabel: String, logarithmicX: Bool = false, logarithmicY: Bool = false,
    series: [Series]
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.logarithmicX = logarithmicX
    self.logarithmicY = logarithmicY
    self.series = series
  }

  /// A scale over the finite values that the axis can show.
  private struct Axis {
    let isLogarithmic: Bool
    let range: ClosedRange<Double>
    let ticks: [Double]

    init(_ values: [Double], isLogarithmic: Bool) {
      self.isLogarithmic = isLogarithmic
      let shown = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
        .map { isLogarithmic ? log10($0) : $0 }
      var low = shown.min() ?? 0
      var high = shown.max() ?? 1
      if isLogarithmic { (low, high) = (low.rounded(.down), high.rounded(.up)) }
      if high - low < 1e-12 * max(abs(low), 1) { (low, high) = (low - 1, high + 1) }
      if isLogarithmic {
        let step = max(1, ((high - low) / 8).rounded(.up))
        ticks = Array(stride(from: low, through: high + 1e-9, by: step))
      } else {
        let raw = (high - low) / 6
        let unit = pow(10, log10(raw).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * unit }.first { $0 >= raw } ?? raw
        (low, high) = ((low / step).rounded(.down) * step, (high / step).rounded(.up) * step)
        ticks = (0...Int(((high - low) / step).rounded())).map { low + Double($0) * step }
      }
      range = low...high
    }

    /// 0…1, or `nil` for what cannot be shown.
    func fraction(_ value: Double) -> Double? {
      guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
      return ((isLogarithmic ? log10(value) : value) - range.lowerBound)
        / (range.upperBound - range.lowerBound)
    }

    func label(_ tick: Double) -> String {
      if isLogarithmic {
        return tick >= -2 && tick <= 6 ? Self.number(pow(10, tick)) : "1e\(Int(tick))"
      }
      return Self.number(tick)
    }

    static func number(_ value: Double) -> String {
      let rounded = (value * 1e6).rounded() / 1e6
      return rounded == rounded.rounded() && abs(rounded) < 1e9
        ? String(Int(rounded)) : String(format: "%.4g", value)
    }
  }

  public var text: String {
    let x = Axis(series.flatMap { $0.points.map(\.x) }, isLogarithmic: logarithmicX)
    let y = Axis(
      series.flatMap { $0.points.map(\.y) + $0.band.flatMap { [$0.low, $0.high] } },
      isLogarithmic: logarithmicY)
    let plot = (
      width: size.width - margin.left - margin.right, height: size.height - margin.top - margin.bottom
    )
    func px(_ fraction: Double) -> String { String(format: "%.1f", margin.left + fraction * plot.width) }
    func py(_ fraction: Double) -> String {
      String(format: "%.1f", margin.top + (1 - fraction) * plot.height)
    }
    var svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(size.width)) \(Int(size.height))\" "
      + "role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" style=\"max-width:\(Int(size.width))px\">\n"
      + "<title>\(HTMLPage.escape(title))</title>\n"
      + "<text x=\"\(margin.left)\" y=\"20\" font-size=\"15\" font-weight=\"600\">\(HTMLPage.escape(title))</text>\n"
    for tick in x.ticks {
      let at = px((tick - x.range.lowerBound) / (x.range.upperBound - x.range.lowerBound))
      svg +=
        "<line class=\"grid\" stroke=\"#d8dee4\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(py(0))\" y2=\"\(py(1))\"/>"
      svg += "<text x=\"\(at)\" y=\"\(size.height - 34)\" text-anchor=\"middle\">\(x.label(tick))</text>\n"
    }
    for tick in y.ticks {
      let at = py((tick - y.range.lowerBound) / (y.range.upperBound - y.range.lowerBound))
      svg +=
        "<line class=\"grid\" stroke=\"#d8dee4\" x1=\"\(px(0))\" x2=\"\(px(1))\" y1=\"\(at)\" y2=\"\(at)\"/>"
      svg +=
        "<text x=\"\(margin.left - 6)\" y=\"\(at)\" dy=\"4\" text-anchor=\"end\">\(y.label(tick))</text>\n"
    }
    svg +=
      "<text x=\"\(px(0.5))\" y=\"\(size.height - 12)\" text-anchor=\"middle\">\(HTMLPage.escape(xLabel))</text>"
      + "<text transform=\"translate(16 \(py(0.5))) rotate(-90)\" text-anchor=\"middle\">"
      + "\(HTMLPage.escape(yLabel))</text>\n"
    let places = series.flatMap(\.points).compactMap { point in
      x.fraction(point.x).flatMap { fx in
        y.fraction(point.y).map { (margin.left + fx * plot.width, margin.top + (1 - $0) * plot.height) }
      }
    }
    let legend = movesLegend ? legendCorner(places) : (x: margin.left + 10, y: margin.top + 8)
    for (index, line) in series.enumerated() {
      let color = Self.colors[index % Self.colors.count]
      let points = line.points.compactMap { point in
        x.fraction(point.x).flatMap { fx in y.fraction(point.y).map { (px(fx), py($0)) } }
      }
      let edge = { (end: (x: Double, y: Double)) in
        x.fraction(end.x).flatMap { fx in y.fraction(end.y).map { "\(px(fx)),\(py($0))" } }
      }
      let outline =
        line.band.compactMap { edge(($0.x, $0.high)) }
        + line.band.reversed().compactMap { edge(($0.x, $0.low)) }
      if outline.count > 2 {
        svg += "<polygon fill=\"\(color)\" opacity=\"0.15\" points=\"\(outline.joined(separator: " "))\"/>\n"
      }
      let path = points.map { "\($0.0),\($0.1)" }.joined(separator: " ")
      let dashes = line.isDashed ? "stroke-dasharray=\"6 5\" " : ""
      svg +=
        "<polyline fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\" \(dashes)points=\"\(path)\"/>\n"
      for point in points where !line.isDashed {
        svg += "<circle fill=\"\(color)\" r=\"3\" cx=\"\(point.0)\" cy=\"\(point.1)\"/>"
      }
      let row = legend.y + Double(index) * 17
      svg +=
        "<rect x=\"\(legend.x)\" y=\"\(row - 8)\" width=\"12\" height=\"4\" fill=\"\(color)\"/>"
        + "<text x=\"\(legend.x + 18)\" y=\"\(row)\">\(HTMLPage.escape(line.name))</text>\n"
    }
    return svg + "</svg>"
  }

  /// Where the legend's first row begins, in the corner with the fewest of the points; the first of equals.
  private func legendCorner(_ points: [(Double, Double)]) -> (x: Double, y: Double) {
    let width = 30 + 6.6 * Double(series.map(\.name.count).max() ?? 0)
    let height = 17 * Double(series.count)
    let right = (size.width - margin.right - width - 4).rounded()
    let bottom = size.height - margin.bottom - height + 4
    let corners = [
      (x: margin.left + 10, y: margin.top + 8), (x: right, y: margin.top + 8),
      (x: margin.left + 10, y: bottom),
      (x: right, y: bottom),
    ]
    func hidden(_ corner: (x: Double, y: Double)) -> Int {
      points.count {
        $0.0 > corner.x - 8 && $0.0 < corner.x + width && $0.1 > corner.y - 14 && $0.1 < corner.y + height
      }
    }
    return corners.min { hidden($0) < hidden($1) } ?? corners[0]
  }
}
