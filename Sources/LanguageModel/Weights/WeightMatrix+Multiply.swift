import CKernels
import Tensors

extension WeightMatrix {
  /// Writes the rows of a range as f32, [rows.count, columns].
  public func dequantize(rows range: Range<Int>, into y: UnsafeMutablePointer<Float>) {
    let start = bytes.buffer.baseAddress!
    let count = range.count * columns
    let first = range.lowerBound * columns
    switch format {
    case .float32:
      y.update(from: start.assumingMemoryBound(to: Float.self) + first, count: count)
    case .bfloat16:
      let x = start.assumingMemoryBound(to: UInt16.self) + first
      for i in 0..<count { y[i] = Float(bitPattern: UInt32(x[i]) << 16) }
    case .float16:
      let x = start.assumingMemoryBound(to: Float16.self) + first
      for i in 0..<count { y[i] = Float(x[i]) }
    case .int8, .int4: preconditionFailure("\(format) is not multiplied yet")
    }
  }

  /// Makes a matrix of f32 rows, rounded to `format`.
  public static func pack(
    rows: Int, columns: Int, to format: Format, pool: WorkerPool = .shared,
    row: (Int, UnsafeMutablePointer<Float>) -> Void
  ) -> WeightMatrix {
    let size = format == .float32 ? 4 : 2
    let bytes = SharedBytes.allocate(rows * columns * size) { memory in
      let start = memory.baseAddress!
      let values = UnsafeMutablePointer<Float>.allocate(capacity: columns)
      defer { values.deallocate() }
      for r in 0..<rows {
        row(r, values)
        switch format {
        case .float32:
          (start.assumingMemoryBound(to: Float.self) + r * columns).update(from: values, count: columns)
        case .bfloat16:
          let y = start.assumingMemoryBound(to: UInt16.self) + r * columns
          for i in 0..<columns {
            let bits = values[i].bitPattern
            y[i] = UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
          }
        case .float16:
          let y = start.assumingMemoryBound(to: Float16.self) + r * columns
          for i in 0..<columns { y[i] = Float16(values[i]) }
        case .int8, .int4: preconditionFailure("\(format) is not packed yet")
        }
      }
    }
    return WeightMatrix(bytes, format: format, rows: rows, columns: columns)
  }

  /// y[batch, rows] = x[batch, columns] · Wᵀ.
  public func multiply(
    _ x: UnsafePointer<Float>, batch: Int, into y: UnsafeMutablePointer<Float>, pool: WorkerPool
  ) {
    Self.multiply(x, batch: batch, by: [(self, y)], pool: pool)
  }

  /// Several matrices, one input.
  public static func multiply(
    _ x: UnsafePointer<Float>, batch: Int, by products: [(WeightMatrix, UnsafeMutablePointer<Float>)],
    pool: WorkerPool
  ) {
    for (matrix, y) in products {
      let columns = matrix.columns
      pool.run(matrix.rows, grain: 64) { range, _ in
        let values = UnsafeMutablePointer<Float>.allocate(capacity: columns)
        defer { values.deallocate() }
        for r in range {
          matrix.dequantize(rows: r..<r + 1, into: values)
          for b in 0..<batch { y[b * matrix.rows + r] = Float(ck_dot(x + b * columns, values, columns)) }
        }
      }
    }
  }
}
