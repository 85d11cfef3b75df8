import CKernels

/// How keys and values lie in memory: blocks of cells; in a block the heads, one after the other, and for every head
/// the cells, so that a head's keys are read as one stream.
public struct KVLayout: Equatable, Sendable {
  public enum Format: String, Sendable, CaseIterable {
    case float32 = "f32"
    case float16 = "f16"
    /// Eight bits, and a scale for every head of every cell.
    case int8

    var kernelFormat: ck_cell {
      switch self {
      case .float32: CK_CELL_F32
      case .float16: CK_CELL_F16
      case .int8: CK_CELL_INT8
      }
    }

    /// Bytes of one number.
    public var size: Int {
      switch self {
      case .float32: 4
      case .float16: 2
      case .int8: 1
      }
    }
  }

  /// Cells that are taken at once.
  public static let cellsPerBlock = 64

  public let heads: Int
  public let headSize: Int
  public let format: Format

  public init(heads: Int, headSize: Int, format: Format) {
    self.heads = heads
    self.headSize = headSize
    self.format = format
  }

  /// Bytes that one token takes in one slot: keys, values, and their scales in eight bits.
  public var bytesPerCell: Int { 2 * heads * (headSize * format.size + (format == .int8 ? 4 : 0)) }

  /// Bytes of a block: keys, values, scales of the keys, scales of the values. Each part is whole cache lines.
  public var blockBytes: Int { Self.cellsPerBlock * bytesPerCell }

  var partBytes: Int { Self.cellsPerBlock * heads * headSize * format.size }
  var scaleBytes: Int { format == .int8 ? Self.cellsPerBlock * heads * 4 : 0 }
}

/// Some cells of one head that follow each other in a block: where their vectors are, and their scales.
struct KVRun {
  var keys: UnsafeMutableRawPointer
  var values: UnsafeMutableRawPointer
  var keyScales: UnsafeMutablePointer<Float>
  var valueScales: UnsafeMutablePointer<Float>
}
