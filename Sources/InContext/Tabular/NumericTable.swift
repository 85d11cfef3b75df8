import Foundation
import TextFiles

/// Rows of numbers with one of two labels each: what a CSV file of a classification task holds.
public struct NumericTable: Equatable, Sendable {
  /// The file's name without its folders, or how the table came to be.
  public var name: String
  /// Names of the features.
  public var features: [String]
  /// [row][feature], row by row.
  public var values: [Float]
  /// 0 or 1 per row.
  public var labels: [UInt8]
  /// The labels as the file has them: what 0 and 1 stand for, in alphabetical order.
  public var classes: [String]

  public init(name: String, features: [String], values: [Float], labels: [UInt8], classes: [String]) {
    precondition(
      values.count == features.count * labels.count, "\(values.count) values in \(labels.count) rows")
    self.name = name
    self.features = features
    self.values = values
    self.labels = labels
    self.classes = classes
  }

  public var rows: Int { labels.count }
}

extension NumericTable {
  /// The longest file that is read.
  public static let sizeLimit = 256 << 20
  public static let columnLimit = 1000

  /// Reads a CSV file.
  ///
  /// - Parameter label: the name of the label's column; `nil` for the last.
  /// - Throws: `SourceError` at the line and column of what cannot be used.
  public init(path: String, label: String? = nil) throws {
    func unreadable(_ why: String) -> SourceError {
      SourceError(
        file: path, source: [], offset: 0, message: why,
        hint: "tables are CSV files: a line of column names, then rows of numbers with a label")
    }
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    // A device or a pipe would never end.
    guard attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw unreadable("the table is not a file that can be read")
    }
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: Self.sizeLimit + 1) ?? Data()
    else { throw unreadable("the table cannot be read") }
    guard data.count <= Self.sizeLimit else {
      throw unreadable("a table of more than \(Self.sizeLimit >> 20) MiB")
    }
    try self.init(csv: Array(data), file: path, label: label)
  }

  /// The same from bytes.
  ///
  /// The first line names the columns. The separator is the comma, the semicolon or the tab, whichever the first line has
  /// first in this order. Fields may stand in quotes, a quote inside written twice. Complexity: O(bytes).
  public init(csv source: [UInt8], file: String, label: String? = nil) throws {
    var reader = CSVRows(source, file: file)
    guard let header = try reader.next() else {
      throw reader.error(0, "the table is empty", hint: "the first line names the columns")
    }
    guard header.count >= 2 else {
      throw reader.error(header[0].offset, "a table needs a feature and a label, and has one column")
    }
    let names = header.map { $0.text.trimmingCharacters(in: .whitespaces) }
    if names.allSatisfy({ Double($0) != nil }) {
      throw reader.error(
        header[0].offset, "the first line holds numbers",
        hint: "the first line names the columns; the label's is the last")
    }
    for (place, name) in names.enumerated() where names.firstIndex(of: name) != place {
      throw reader.error(header[place].offset, "two columns are named '\(name.prefix(40))'")
    }
    guard let labelColumn = label.map({ names.firstIndex(of: $0) }) ?? names.count - 1 else {
      throw reader.error(
        0, "no column is named '\(label!.prefix(40))'",
        hint: "the columns are \(names.prefix(20).map { String($0.prefix(40)) }.joined(separator: ", "))")
    }
    var (values, texts, codes) = ([Float](), [String](), [UInt8]())
    while let row = try reader.next() {
      guard row.count == names.count else {
        throw reader.error(row[0].offset, "\(row.count) fields, where the first line has \(names.count)")
      }
      for (column, field) in row.enumerated() {
        let text = field.text.trimmingCharacters(in: .whitespaces)
        let name = names[column].prefix(40)
        if Self.missing.contains(text.lowercased()) {
          throw reader.error(
            field.offset, "a missing value in column '\(name)'",
            hint: "remove the row or the column, or fill it in")
        }
        if column == labelColumn {
          if let code = texts.firstIndex(of: text) {
            codes.append(UInt8(code))
          } else {
            guard texts.count < 2 else {
              throw reader.error(
                field.offset,
                "'\(text.prefix(40))' is a third label, beside '\(texts[0].prefix(40))' and '\(texts[1].prefix(40))'",
                hint: "tables have two classes; choose the label's column by its name, with task.label")
            }
            texts.append(text)
            codes.append(UInt8(texts.count - 1))
          }
        } else {
          guard let number = Float(text), number.isFinite else {
            throw reader.error(
              field.offset, "'\(text.prefix(40))' in column '\(name)' is no number",
              hint: "features are finite decimal numbers; remove columns that are not")
          }
          values.append(number)
        }
      }
    }
    guard texts.count == 2 else {
      throw reader.error(
        0, "the column '\(names[labelColumn].prefix(40))' holds \(texts.count) labels, not two")
    }
    let isTurned = texts[0] > texts[1]
    self.init(
      name: (file.split(separator: "/").last.map(String.init)) ?? file,
      features: names.enumerated().filter { $0.offset != labelColumn }.map(\.element), values: values,
      labels: isTurned ? codes.map { 1 - $0 } : codes, classes: texts.sorted())
  }

  /// What stands for a value that is not known.
  private static let missing: Set<String> = ["", "?", "na", "n/a", "nan", "null", "none", "-"]
}
