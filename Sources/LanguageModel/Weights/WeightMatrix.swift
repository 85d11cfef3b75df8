import CKernels
import Tensors

/// A matrix of weights, [rows (outputs), columns (inputs)], in the format in which it is read during decoding.
///
/// Never changes. The bytes are a mapped file's or memory of our own; formats without groups are row-major as files
/// hold them, so that a checkpoint is used where it lies. Formats with groups lie in tiles of sixteen rows
/// (`decode.h` in CKernels).
public final class WeightMatrix: Sendable {
  public enum Format: String, Sendable, CaseIterable {
    case float32 = "f32"
    case float16 = "f16"
    case bfloat16 = "bf16"
    /// Eight bits and a scale for every 32 weights of a row.
    case int8
    /// Four bits and a scale for every 32 weights of a row: 4.5 bits a weight.
    case int4
    /// Four bits, and a scale and an offset for every 32 weights of a row: 5 bits a weight, and smaller errors.
    case int4Affine = "int4-affine"

    /// Whether weights share scales, 32 of a row each, and lie in tiles.
    public var hasGroups: Bool { self == .int8 || self == .int4 || self == .int4Affine }

    /// Bytes that a matrix of this format takes.
    public func byteCount(rows: Int, columns: Int) -> Int {
      switch self {
      case .float32: rows * columns * 4
      case .float16, .bfloat16: rows * columns * 2
      case .int8, .int4, .int4Affine: (rows + Self.tile - 1) / Self.tile * tileBytes(columns: columns)
      }
    }

    /// Bytes of sixteen rows.
    /// - Precondition: the format has groups.
    func tileBytes(columns: Int) -> Int {
      switch self {
      case .int8: ck_int8_tile_bytes(columns)
      case .int4: ck_int4_tile_bytes(columns)
      case .int4Affine: ck_int4_affine_tile_bytes(columns)
      case .float32, .float16, .bfloat16: preconditionFailure("\(self) has no tiles")
      }
    }

    static let tile = Int(CK_TILE)

    /// The kernels' name of a format without groups.
    var kernelFormat: ck_float {
      switch self {
      case .float16: CK_F16
      case .bfloat16: CK_BF16
      default: CK_F32
      }
    }
  }

  public let rows: Int
  public let columns: Int
  public let format: Format
  package let bytes: SharedBytes

  package init(rows: Int, columns: Int, format: Format, bytes: SharedBytes) {
    precondition(rows >= 0 && columns > 0, "\(rows) × \(columns) is no matrix")
    precondition(
      bytes.count == format.byteCount(rows: rows, columns: columns),
      "\(bytes.count) bytes for \(rows) × \(columns) in \(format)")
    self.rows = rows
    self.columns = columns
    self.format = format
    self.bytes = bytes
  }

  /// Row-major weights of a format without groups. No copy is made, and the bytes need no alignment.
  /// - Precondition: as many bytes as the shape needs, and no groups.
  public convenience init(_ bytes: SharedBytes, format: Format, rows: Int, columns: Int) {
    precondition(!format.hasGroups, "\(format) is packed, not row-major")
    self.init(rows: rows, columns: columns, format: format, bytes: bytes)
  }

  /// Bytes that one use of the matrix reads.
  public var byteCount: Int { bytes.count }

  /// The weights of some rows as f32, [rows.count, columns].
  ///
  /// Complexity: O(rows.count · columns); rows of a format with groups are read tile by tile.
  /// - Precondition: `rows` lies within the matrix.
  public func dequantize(rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows \(rows) of \(self.rows)")
    guard !rows.isEmpty else { return }
    // The kernels see an address alone, which does not keep the bytes.
    defer { withExtendedLifetime(self) {} }
    switch format {
    case .float32, .float16, .bfloat16:
      ck_floats_load(format.kernelFormat, address(ofRow: rows.lowerBound), output, rows.count * columns)
    case .int8, .int4, .int4Affine:
      let load =
        format == .int8 ? ck_int8_unpack : format == .int4 ? ck_int4_unpack : ck_int4_affine_unpack
      var row = rows.lowerBound
      while row < rows.upperBound {
        let (first, end) = (row % Format.tile, min(row - row % Format.tile + Format.tile, rows.upperBound))
        load(address(ofRow: row), first, end - row, columns, output + (row - rows.lowerBound) * columns)
        row = end
      }
    }
  }

  /// Where a row begins, or the tile that holds it.
  func address(ofRow row: Int) -> UnsafeRawPointer {
    switch format {
    case .float32: bytes.buffer.baseAddress! + row * columns * 4
    case .float16, .bfloat16: bytes.buffer.baseAddress! + row * columns * 2
    case .int8, .int4, .int4Affine:
      bytes.buffer.baseAddress! + row / Format.tile * format.tileBytes(columns: columns)
    }
  }
}
