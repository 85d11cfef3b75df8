import CKernels
import Tensors

/// An array of a model as a file holds it: rows of plain numbers or of blocks, perhaps in another order than ours.
struct ModelTensor: Sendable {
  let file: String
  let name: String
  let type: GGUFTensorType
  let rows: Int
  let columns: Int
  let order: RowOrder
  /// Rows as they are stored, one after the other.
  let bytes: SharedBytes

  /// - Precondition: rows are whole blocks, and the bytes are those of the shape.
  init(
    file: String, name: String, type: GGUFTensorType, rows: Int, columns: Int, order: RowOrder = .halves,
    bytes: SharedBytes
  ) {
    precondition(type.rowBytes(columns).map { $0 * rows } == bytes.count, "\(name): \(bytes.count) bytes")
    self.file = file
    self.name = name
    self.type = type
    self.rows = rows
    self.columns = columns
    self.order = order
    self.bytes = bytes
  }

  var rowBytes: Int { rows == 0 ? 0 : bytes.count / rows }

  /// Where a row of our order begins.
  func address(ofRow row: Int) -> UnsafeRawPointer {
    bytes.buffer.baseAddress! + order.stored(row) * rowBytes
  }

  /// A row of our order as f32.
  func read(row: Int, into values: UnsafeMutablePointer<Float>) {
    type.read(address(ofRow: row), into: values, count: columns)
  }

  /// Everything as f32: for norms and the gate. Complexity: O(elements).
  func values() -> [Float] {
    [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      for row in 0..<rows { read(row: row, into: buffer.baseAddress! + row * columns) }
      count = rows * columns
    }
  }

  /// The stored bytes in our order of rows: themselves, or a copy.
  func ordered(pool: WorkerPool) -> SharedBytes {
    if order == .halves { return bytes }
    let copy = SharedBytes.allocate(bytes.count) { memory in
      pool.run(rows, grain: 64) { range, _ in
        for row in range {
          (memory.baseAddress! + row * rowBytes).copyMemory(from: address(ofRow: row), byteCount: rowBytes)
        }
      }
    }
    bytes.releasePages()
    return copy
  }

  /// The matrix for decoding.
  ///
  /// Plain numbers are used where they lie and blocks of 32 are moved into tiles, both without loss, if `format` asks
  /// for nothing else. Whatever is converted is read once and its pages given back.
  func matrix(_ format: WeightMatrix.Format?, pool: WorkerPool) -> WeightMatrix {
    let natural = type.matrixFormat
    let format = format ?? natural
    if type.isPlain, format == natural {
      return WeightMatrix(ordered(pool: pool), format: format, rows: rows, columns: columns)
    }
    defer { bytes.releasePages() }
    if let blocks = type.blocks, blocks.packed == format {
      return WeightMatrix.repack(ordered(pool: pool), blocks, rows: rows, columns: columns, pool: pool)
    }
    return WeightMatrix.pack(rows: rows, columns: columns, to: format, pool: pool) { row, values in
      read(row: row, into: values)
    }
  }
}

extension GGUFTensorType {
  /// The block format, or `nil` for plain numbers.
  var blocks: WeightMatrix.BlockFormat? {
    switch self {
    case .f32, .f16, .bf16: return nil
    case .q80: return .q80
    case .q40: return .q40
    case .q41: return .q41
    case .q4K: return .q4K
    case .q6K: return .q6K
    }
  }

  /// The format of a matrix that is read in this type.
  var matrixFormat: WeightMatrix.Format {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    default: blocks?.packed ?? .int8
    }
  }

  private var plain: ck_float {
    switch self {
    case .f16: CK_F16
    case .bf16: CK_BF16
    default: CK_F32
    }
  }

  /// Elements as f32, exactly for plain numbers.
  /// - Precondition: `count` elements are whole blocks.
  func read(_ bytes: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>, count: Int) {
    if let blocks {
      blocks.dequantize(bytes, into: values, count: count)
    } else {
      ck_floats_load(plain, bytes, values, count)
    }
  }

  /// Elements rounded or quantised to this type.
  /// - Precondition: `count` elements are whole blocks.
  func write(_ values: UnsafePointer<Float>, into bytes: UnsafeMutableRawPointer, count: Int) {
    if let blocks {
      blocks.quantize(values, into: bytes, count: count)
    } else {
      ck_floats_store(plain, values, bytes, count)
    }
  }
}
