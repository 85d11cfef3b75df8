import Tensors

extension ModelTensor {
  /// Bytes of the rows that are converted at a time.
  private static let chunkBytes = 8 << 20

  /// Hands out the rows, in `order`, as elements of `type`, in pieces.
  ///
  /// What already has the type is copied byte for byte. Time: one reading of the tensor, on all threads. Memory: two
  /// pieces; the file's pages are given back behind them.
  /// - Precondition: rows are whole blocks of `type`.
  /// - Throws: what `write` throws.
  func stream(
    as type: GGUFTensorType, order target: RowOrder, pool: WorkerPool,
    write: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard let outBytes = type.rowBytes(columns) else {
      preconditionFailure("\(name): \(columns) columns are no whole blocks of \(type.name)")
    }
    if rows == 0 || columns == 0 { return }
    // Chunks of whole heads, so that a chunk's rows lie together in the source too.
    let head = [order, target].map { if case .pairs(let size) = $0 { size } else { 1 } }.max() ?? 1
    let chunk = max(Self.chunkBytes / max(outBytes, rowBytes) / head, 1) * head
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(chunk, rows) * outBytes, alignment: 64)
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: pool.threads * columns)
    defer {
      buffer.deallocate()
      scratch.deallocate()
    }
    for start in stride(from: 0, to: rows, by: chunk) {
      let count = min(chunk, rows - start)
      pool.run(count, grain: 16) { range, worker in
        for index in range {
          let source = address(ofRow: target.row(stored: start + index))
          let out = buffer.baseAddress! + index * outBytes
          if type == self.type {
            out.copyMemory(from: source, byteCount: outBytes)
          } else {
            let values = scratch + worker * columns
            self.type.read(source, into: values, count: columns)
            type.write(values, into: out, count: columns)
          }
        }
      }
      try write(UnsafeRawBufferPointer(rebasing: buffer[..<(count * outBytes)]))
      bytes[start * rowBytes..<(start + count) * rowBytes].releasePages()
    }
  }
}
