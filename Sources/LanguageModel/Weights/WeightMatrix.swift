import Tensors

/// A matrix of weights, [rows (outputs), columns (inputs)], in the format in which it is read during decoding.
///
/// Never changes. The bytes are a mapped file's or memory of our own; formats without groups are row-major as files
/// hold them, so that a checkpoint is used where it lies.
public final class WeightMatrix: Sendable {
  public enum Format: String, Sendable, CaseIterable {
    case float32 = "f32"
    case float16 = "f16"
    case bfloat16 = "bf16"
    /// Eight bits and a scale for every 32 weights of a row.
    case int8
    /// Four bits, and a scale and an offset for every 32 weights of a row.
    case int4
  }

  public let rows: Int
  public let columns: Int
  public let format: Format
  package let bytes: SharedBytes

  package init(rows: Int, columns: Int, format: Format, bytes: SharedBytes) {
    self.rows = rows
    self.columns = columns
    self.format = format
    self.bytes = bytes
  }

  /// Row-major weights of a format without groups. No copy is made.
  /// - Precondition: as many bytes as the shape needs, and no groups.
  public convenience init(_ bytes: SharedBytes, format: Format, rows: Int, columns: Int) {
    let size = format == .float32 ? 4 : 2
    precondition(format != .int8 && format != .int4, "\(format) is packed, not row-major")
    precondition(bytes.count == rows * columns * size, "\(bytes.count) bytes for \(rows) × \(columns)")
    self.init(rows: rows, columns: columns, format: format, bytes: bytes)
  }

  /// Bytes that one use of the matrix reads.
  public var byteCount: Int { bytes.count }
}
