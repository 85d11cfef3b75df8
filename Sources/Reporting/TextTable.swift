/// Columns of text, numbers to the right.
public struct TextTable {
  public let header: [String]
  public private(set) var rows: [[String]] = []

  public init(header: [String]) { self.header = header }

  public mutating func add(_ row: [String]) {
    precondition(row.count == header.count, "a row has \(row.count) cells, the header \(header.count)")
    rows.append(row)
  }

  public var text: String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    let isNumeric = header.indices.map { column in
      !rows.isEmpty
        && rows.allSatisfy { row in row[column].first.map { $0.isNumber || $0 == "-" || $0 == "∞" } ?? true }
    }
    func line(_ row: [String]) -> String {
      let cells = row.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        return isNumeric[column] ? space + row[column] : row[column] + space
      }
      var text = cells.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "──") + "\n"
    return line(header) + rule + rows.map(line).joined()
  }

  /// The same table in Markdown.
  public var markdown: String {
    func line(_ row: [String]) -> String {
      "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
    return line(header) + line(header.map { _ in "---" }) + rows.map(line).joined()
  }
}
