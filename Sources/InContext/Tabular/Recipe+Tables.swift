import Foundation
import Tensors

extension Recipe {
  /// The tables of a tabular recipe: those of its files, or synthetic ones of its seed.
  ///
  /// Files are read once per process. - Throws: `SourceError`.
  func numericTables() throws -> [NumericTable] {
    if files.isEmpty {
      var random = RandomStream(seed: UInt64(bitPattern: Int64(seed)), stream: 30)
      return SyntheticTables.make(count: tables, rows: tableRows, dimension: dimension, random: &random)
    }
    return try files.map { try TableStore.shared.table($0, label: label.isEmpty ? nil : label) }
  }
}

/// Tables that were read, so that a recipe finds the same rows whenever it asks for its task.
private final class TableStore: @unchecked Sendable {
  static let shared = TableStore()
  private struct Key: Hashable {
    var path: String
    var label: String?
  }
  private let lock = NSLock()
  private var tables: [Key: NumericTable] = [:]

  func table(_ path: String, label: String?) throws -> NumericTable {
    let key = Key(path: path, label: label)
    if let table = lock.withLock({ tables[key] }) { return table }
    let table = try NumericTable(path: path, label: label)
    return lock.withLock {
      tables[key] = table
      return table
    }
  }
}
