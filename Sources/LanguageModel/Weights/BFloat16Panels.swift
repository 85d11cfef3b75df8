import CKernels
import Tensors

/// Products of a prompt's rows in bf16, as the reference implementation of Ouro computes them: x rounded to bf16, sums
/// in f32.
///
/// Measured on a Zen 4: twice the rate of f32 panels (Documentation/DecodeKernels.md).
package struct BFloat16Panels {
  /// Whether the processor has it, and no other level is being tried.
  package static var pays: Bool { BFloat16Product.isFast && ck_current_level() == CK_AVX512 }

  private let x: [UInt16]
  private let batch: Int
  private let columns: Int
  private let pool: WorkerPool

  /// Rounds x [batch, columns]. Complexity: O(batch · columns).
  init(_ x: UnsafePointer<Float>, batch: Int, columns: Int, pool: WorkerPool) {
    self.x = [UInt16](unsafeUninitializedCapacity: batch * columns) { rounded, count in
      let rounded = Address(rounded.baseAddress!)
      pool.run(batch, grain: max(batch / (pool.threads * 2), 1)) { rows, _ in
        ck_floats_store(
          CK_BF16, x + rows.lowerBound * columns, rounded.pointer + rows.lowerBound * columns,
          rows.count * columns)
      }
      count = batch * columns
    }
    (self.batch, self.columns, self.pool) = (batch, columns, pool)
  }

  /// bf16 weights are used where they lie; others become bf16 in panels that stay in the last cache.
  func multiply(_ products: [WeightMatrix.Product]) {
    let tile = WeightMatrix.Format.tile
    let rows = products.reduce(0) { $0 + $1.matrix.rows }
    let share = rows / (pool.threads * 4) / tile * tile
    let panelRows = max(min(share, Self.panelRows), 2 * tile)
    let copies = products.contains { !$0.matrix.liesAsBFloat16 }
    let panels = Tensor(uninitialized: [copies ? pool.threads : 0, (panelRows * columns + 1) / 2])
    let values = Tensor(uninitialized: [copies ? pool.threads : 0, tile * columns])
    x.withUnsafeBufferPointer { x in
      let x = Address(UnsafeMutablePointer(mutating: x.baseAddress!))
      WeightMatrix.spread(products, rowsPerItem: panelRows, pool: pool) { product, rows, worker in
        let matrix = product.matrix
        let weights: UnsafePointer<UInt16>
        if matrix.liesAsBFloat16 {
          weights = matrix.address(ofRow: rows.lowerBound).assumingMemoryBound(to: UInt16.self)
        } else {
          let panel = UnsafeMutableRawPointer(panels.pointer + worker * ((panelRows * columns + 1) / 2))
            .assumingMemoryBound(to: UInt16.self)
          let strip = values.pointer + worker * tile * columns
          for start in stride(from: rows.lowerBound, to: rows.upperBound, by: tile) {
            let part = start..<min(start + tile, rows.upperBound)
            matrix.dequantize(rows: part, into: strip)
            ck_floats_store(
              CK_BF16, strip, panel + (start - rows.lowerBound) * columns, part.count * columns)
          }
          weights = UnsafePointer(panel)
        }
        BFloat16Product.multiply(
          m: batch, n: rows.count, k: columns, a: x.pointer, lda: columns, b: weights, ldb: columns,
          c: product.output + rows.lowerBound, ldc: matrix.rows)
      }
    }
  }

  private static let panelRows = 512

  /// An address that threads share; each writes its own part.
  private struct Address: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<UInt16>
    init(_ pointer: UnsafeMutablePointer<UInt16>) { self.pointer = pointer }
  }
}

extension WeightMatrix {
  /// A mapped file may hold its weights at an odd address.
  fileprivate var liesAsBFloat16: Bool {
    format == .bfloat16 && Int(bitPattern: address(ofRow: 0)) % 2 == 0
  }
}

extension WeightMatrix.Format {
  /// Whether rounding x to bf16 loses no more than the format has lost already.
  package var fitsBFloat16: Bool { self == .bfloat16 || hasGroups }
}
