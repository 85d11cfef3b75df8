/// A self-contained page: everything inline, nothing fetched, light and dark.
public struct HTMLPage {
  public var title: String
  private var body = ""

  public init(title: String) { self.title = title }

  public static func escape(_ text: String) -> String {
    var escaped = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(character)
      }
    }
    return escaped
  }

  public mutating func heading(_ text: String) { body += "<h2>\(Self.escape(text))</h2>\n" }
  public mutating func paragraph(_ text: String) { body += "<p>\(Self.escape(text))</p>\n" }
  public mutating func preformatted(_ text: String) { body += "<pre>\(Self.escape(text))</pre>\n" }

  /// Markup that is already safe: a chart, a viewer.
  public mutating func raw(_ markup: String) { body += markup + "\n" }

  public mutating func table(header: [String], rows: [[String]]) {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\(Self.escape($0))</\(tag)>" }.joined() + "</tr>"
    }
    body += "<div class=\"scroll\"><table><thead>\(row(header, "th"))</thead><tbody>"
    body += rows.map { row($0, "td") }.joined(separator: "\n") + "</tbody></table></div>\n"
  }

  public var text: String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>\(Self.escape(title))</title><style>
    :root { color-scheme: light dark; --text: #1c2128; --faint: #667; --line: #d8dee4; --back: #fff; --mark: #0969da;
      --good: #1a7f37; --bad: #b62324; }
    @media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --faint: #99a; --line: #30363d; --back: #0d1117;
      --mark: #58a6ff; --good: #3fb950; --bad: #ff7b72; } }
    body { font: 15px/1.55 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 70rem;
      margin: 2rem auto; padding: 0 1rem; }
    h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
    .scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
    th { color: var(--faint); font-weight: 600; } pre { overflow-x: auto; font-size: 13px; }
    svg text { fill: var(--text); } svg .axis { stroke: var(--faint); } svg .grid { stroke: var(--line); }
    </style></head><body><h1>\(Self.escape(title))</h1>
    \(body)</body></html>

    """
  }
}
