import Foundation

/// A grid of coloured cells as SVG text: rows and columns with labels, a scale of colours beside it.
///
/// The colours go from dark violet to yellow, so that order is seen in grey too and by people who see few colours; every
/// cell can carry its number, in black or white, whichever stands out. Cells without a finite value are hatched.
public struct SVGHeatMap {
  public var title: String
  public var xLabel: String
  public var yLabel: String
  public var valueLabel: String
  public var columns: [String]
  public var rows: [String]
  /// [row][column]; the first row is at the top.
  public var values: [[Double?]]
  public var logarithmic: Bool

  public init(
    title: String, xLabel: String, yLabel: String, valueLabel: String, columns: [String], rows: [String],
    values: [[Double?]], logarithmic: Bool = false
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.valueLabel = valueLabel
    self.columns = columns
    self.rows = rows
    self.values = values
    self.logarithmic = logarithmic
  }

  var size: (width: Double, height: Double) {
    (720, margin.top + cell.height * Double(max(rows.count, 1)) + margin.bottom)
  }
  private let margin = (left: 110.0, right: 110.0, top: 40.0, bottom: 54.0)
  private var cell: (width: Double, height: Double) {
    (
      (720 - margin.left - margin.right) / Double(max(columns.count, 1)),
      max(6, min(26, 420 / Double(max(rows.count, 1))))
    )
  }

  /// Points of the scale in sRGB, from the lowest value to the highest; between them colours are interpolated.
  private static let scale: [(Double, Double, Double)] = [
    (54, 20, 86), (62, 73, 137), (38, 130, 142), (53, 183, 121), (180, 222, 44), (253, 231, 37),
  ]

  /// The colour at a share of the scale, and whether black is read on it better than white.
  package static func color(_ share: Double) -> (hex: String, isLight: Bool) {
    let place = min(max(share, 0), 1) * Double(scale.count - 1)
    let low = min(Int(place), scale.count - 2)
    let part = place - Double(low)
    func mix(_ path: KeyPath<(Double, Double, Double), Double>) -> Double {
      scale[low][keyPath: path] * (1 - part) + scale[low + 1][keyPath: path] * part
    }
    let (r, g, b) = (mix(\.0), mix(\.1), mix(\.2))
    let hex = String(format: "#%02x%02x%02x", Int(r.rounded()), Int(g.rounded()), Int(b.rounded()))
    return (hex, 0.299 * r + 0.587 * g + 0.114 * b > 128)
  }

  private var range: ClosedRange<Double> {
    let shown = values.joined().compactMap(transformed)
    let (low, high) = (shown.min() ?? 0, shown.max() ?? 1)
    return high - low < 1e-12 * max(abs(low), 1) ? low - 0.5...low + 0.5 : low...high
  }

  private func transformed(_ value: Double?) -> Double? {
    guard let value, value.isFinite, !logarithmic || value > 0 else { return nil }
    return logarithmic ? log10(value) : value
  }

  private static func number(_ value: Double) -> String { String(format: "%.2g", value) }

  public var text: String {
    let (cell, size, range) = (cell, size, range)
    var svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(size.width)) \(Int(size.height))\" "
      + "role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" style=\"max-width:\(Int(size.width))px\">\n"
      + "<title>\(HTMLPage.escape(title))</title>\n"
      // Labels stand on the page's own ground: the page sets --text, and a lone file follows the reader's setting.
      + "<style>text.label { fill: var(--text, #1c2128); } @media (prefers-color-scheme: dark) "
      + "{ text.label { fill: var(--text, #e6edf3); } } text.dark { fill: #000; } "
      + "text.light { fill: #fff; }</style>\n"
      + "<defs><pattern id=\"none\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
      + "<path d=\"M0 6L6 0\" stroke=\"#8886\"/></pattern></defs>\n"
    func label(_ text: String, _ x: Double, _ y: Double, _ more: String) {
      svg += String(format: "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" ", x, y)
      svg += "\(more)>\(HTMLPage.escape(text))</text>\n"
    }
    label(title, margin.left, 20, "font-size=\"15\" font-weight=\"600\"")
    for (row, line) in values.enumerated() {
      for (column, value) in line.enumerated() {
        let (x, y) = (margin.left + Double(column) * cell.width, margin.top + Double(row) * cell.height)
        let box = String(
          format: "x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"", x, y, cell.width, cell.height)
        let name = "\(rows[safe: row] ?? ""), \(columns[safe: column] ?? "")"
        guard let shown = transformed(value), let value else {
          svg +=
            "<rect class=\"cell\" \(box) fill=\"url(#none)\"><title>\(HTMLPage.escape(name))</title></rect>\n"
          continue
        }
        let color = Self.color((shown - range.lowerBound) / (range.upperBound - range.lowerBound))
        svg += "<rect class=\"cell\" \(box) fill=\"\(color.hex)\"><title>\(HTMLPage.escape(name)): "
        svg += "\(String(format: "%.4g", value))</title></rect>\n"
        if cell.width >= 34, cell.height >= 14 {
          svg += String(
            format: "<text class=\"\(color.isLight ? "dark" : "light")\" x=\"%.1f\" ", x + cell.width / 2)
          svg += String(
            format: "y=\"%.1f\" text-anchor=\"middle\" font-size=\"10\">", y + cell.height / 2 + 3.5)
          svg += "\(Self.number(value))</text>\n"
        }
      }
    }
    let bottom = margin.top + cell.height * Double(max(rows.count, 1))
    for column in Self.shown(columns.count, room: 520, each: 42) {
      label(
        columns[column], margin.left + (Double(column) + 0.5) * cell.width, bottom + 18,
        "text-anchor=\"middle\"")
    }
    for row in Self.shown(rows.count, room: cell.height * Double(rows.count), each: 14) {
      label(
        rows[row], margin.left - 8, margin.top + (Double(row) + 0.5) * cell.height + 4, "text-anchor=\"end\"")
    }
    label(xLabel, (margin.left + size.width - margin.right) / 2, bottom + 42, "text-anchor=\"middle\"")
    svg += String(
      format: "<text class=\"label\" transform=\"translate(16 %.1f) rotate(-90)\" ", (margin.top + bottom) / 2
    )
    svg += "text-anchor=\"middle\">\(HTMLPage.escape(yLabel))</text>\n"
    svg += legend(
      range, top: margin.top, height: max(60, min(bottom - margin.top, 160)),
      at: size.width - margin.right + 18)
    return svg + "</svg>"
  }

  private func legend(_ range: ClosedRange<Double>, top: Double, height: Double, at x: Double) -> String {
    var svg = ""
    let steps = 32
    for step in 0..<steps {
      let y = top + height * (1 - Double(step + 1) / Double(steps))
      svg += String(
        format: "<rect class=\"scale\" x=\"%.1f\" y=\"%.2f\" width=\"14\" height=\"%.2f\" ", x, y,
        height / Double(steps) + 0.3)
      svg += "fill=\"\(Self.color((Double(step) + 0.5) / Double(steps)).hex)\"/>"
    }
    for share in [0, 0.5, 1] {
      let value = range.lowerBound + share * (range.upperBound - range.lowerBound)
      svg += String(
        format: "<text class=\"label\" x=\"%.1f\" y=\"%.1f\">", x + 20, top + height * (1 - share) + 4)
      svg += "\(Self.number(logarithmic ? pow(10, value) : value))</text>\n"
    }
    svg += String(format: "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", 716.0, top - 10)
    return svg + "\(HTMLPage.escape(valueLabel))</text>\n"
  }

  /// Labels that do not run into each other: every k-th.
  private static func shown(_ count: Int, room: Double, each: Double) -> StrideTo<Int> {
    stride(from: 0, to: count, by: max(1, Int((Double(count) * each / max(room, 1)).rounded(.up))))
  }
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
