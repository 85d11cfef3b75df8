import CKernels
import Tensors

extension WeightMatrix {
  /// Weights given row by row as f32, in any format.
  ///
  /// Formats without groups round to the nearest. Eight bits take a scale of the greatest size / 127 for every 32
  /// weights of a row, affine four bits the smallest weight and steps of (greatest - smallest) / 15; weights err by half a
  /// step at most, besides the rounding of scales and offsets to f16. Four bits take a scale of the weight of greatest
  /// size / -8 or -8.5, whichever errs less; then weights near the opposite of that one are cut off at 7 steps. A row shorter than a multiple of 32 ends in a
  /// smaller group. Weights that are not finite make their group NaN.
  ///
  /// Memory: the result, and sixteen rows of f32 for each thread.
  /// - Parameter row: writes the `columns` values of a row; called once for every row, on several threads.
  public static func pack(
    rows: Int, columns: Int, to format: Format, pool: WorkerPool = .shared,
    row: (_ index: Int, _ values: UnsafeMutablePointer<Float>) -> Void
  ) -> WeightMatrix {
    let bytes = tiles(rows: rows, columns: columns, format: format, pool: pool) { range, tile, scratch in
      for index in range { row(index, scratch + (index - range.lowerBound) * columns) }
      switch format {
      case .int8: ck_int8_pack(scratch, range.count, columns, tile)
      case .int4: ck_int4_pack(scratch, range.count, columns, tile)
      case .int4Affine: ck_int4_affine_pack(scratch, range.count, columns, tile)
      default: ck_floats_store(format.kernelFormat, scratch, tile, range.count * columns)
      }
    }
    return WeightMatrix(rows: rows, columns: columns, format: format, bytes: bytes)
  }

  /// The same weights in another format.
  public func packed(to format: Format, pool: WorkerPool = .shared) -> WeightMatrix {
    if format == self.format { return self }
    return Self.pack(rows: rows, columns: columns, to: format, pool: pool) { row, values in
      dequantize(rows: row..<row + 1, into: values)
    }
  }

  /// A block format of GGUF files.
  public enum BlockFormat: String, Sendable, CaseIterable {
    case q80 = "Q8_0"
    case q40 = "Q4_0"
    case q41 = "Q4_1"
    case q4K = "Q4_K"
    case q6K = "Q6_K"

    /// Values of a block, and its bytes.
    public var block: (values: Int, bytes: Int) {
      (ck_block_values(kernelFormat), ck_block_bytes(kernelFormat))
    }

    /// The format of matrices that holds this one: four bits without loss (Q4_K but for the rounding of scales to
    /// f16), Q8_0 without loss; Q6_K is quantised afresh to eight bits.
    public var packed: Format {
      switch self {
      case .q80, .q6K: .int8
      case .q40: .int4
      case .q41, .q4K: .int4Affine
      }
    }

    var kernelFormat: ck_block {
      switch self {
      case .q80: CK_Q8_0
      case .q40: CK_Q4_0
      case .q41: CK_Q4_1
      case .q4K: CK_Q4_K
      case .q6K: CK_Q6_K
      }
    }

    /// The values of whole blocks.
    /// - Precondition: `count` is a multiple of a block's values.
    public func dequantize(_ blocks: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>, count: Int) {
      precondition(count % block.values == 0, "\(count) values are no whole blocks of \(self)")
      ck_blocks_load(kernelFormat, blocks, values, count)
    }

    /// Quantises values to whole blocks.
    /// - Precondition: `count` is a multiple of a block's values.
    public func quantize(_ values: UnsafePointer<Float>, into blocks: UnsafeMutableRawPointer, count: Int) {
      precondition(count % block.values == 0, "\(count) values are no whole blocks of \(self)")
      ck_blocks_store(kernelFormat, values, blocks, count)
    }
  }

  /// Blocks of a GGUF file, row after row, moved into tiles (`BlockFormat.packed` says which, and what is lost).
  /// - Precondition: `columns` is a multiple of the block's values, and the bytes are those of the shape.
  public static func repack(
    _ blocks: SharedBytes, _ format: BlockFormat, rows: Int, columns: Int, pool: WorkerPool = .shared
  ) -> WeightMatrix {
    let (values, size) = format.block
    precondition(columns % values == 0, "\(columns) columns are no whole blocks of \(format)")
    let rowBytes = columns / values * size
    precondition(
      blocks.count == rows * rowBytes, "\(blocks.count) bytes for \(rows) × \(columns) in \(format)")
    let bytes = tiles(rows: rows, columns: columns, format: format.packed, pool: pool) {
      range, tile, scratch in
      let first = blocks.buffer.baseAddress! + range.lowerBound * rowBytes
      if !ck_blocks_to_tile(format.kernelFormat, first, rowBytes, range.count, columns, tile) {
        ck_blocks_load(format.kernelFormat, first, scratch, range.count * columns)
        ck_int8_pack(scratch, range.count, columns, tile)
      }
    }
    return WeightMatrix(rows: rows, columns: columns, format: format.packed, bytes: bytes)
  }

  /// Memory that `fill` writes sixteen rows at a time, with room for those rows in f32.
  private static func tiles(
    rows: Int, columns: Int, format: Format, pool: WorkerPool,
    fill: (_ rows: Range<Int>, _ tile: UnsafeMutableRawPointer, _ scratch: UnsafeMutablePointer<Float>) ->
      Void
  ) -> SharedBytes {
    let tileBytes = format.byteCount(rows: Format.tile, columns: columns)
    let scratch = Tensor(uninitialized: [pool.threads, Format.tile * columns])
    // Weights as files hold them are mapped as a rule, in small pages: ours are no faster, so that what is measured with
    // random weights is what a checkpoint gives.
    return SharedBytes.allocate(
      format.byteCount(rows: rows, columns: columns), prefersLargePages: format.hasGroups
    ) { memory in
      guard let start = memory.baseAddress else { return }
      pool.run(rows, grain: Format.tile) { range, worker in
        fill(
          range, start + range.lowerBound / Format.tile * tileBytes,
          scratch.pointer + worker * Format.tile * columns)
      }
    }
  }
}
