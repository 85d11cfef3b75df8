import CKernels
import Tensors

extension WeightMatrix {
  /// One matrix of a product, and where its outputs go, [batch, rows].
  public typealias Product = (matrix: WeightMatrix, output: UnsafeMutablePointer<Float>)

  /// Up to this batch the kernels read the weights once and treat every row of x alone: a row's result is bit by bit
  /// the same whatever else is in the batch. Larger batches are the library's products of panels.
  public static let decodeRows = 16

  /// y = x · Wᵀ: x [batch, columns], y [batch, rows].
  ///
  /// With weights in bf16 a small batch is rounded to bf16, as in the reference implementation of Ouro; in formats with
  /// groups it is quantised to eight bits, 32 columns at a time. A large one is rounded to bf16 where the weights are
  /// bf16 or smaller and the processor multiplies bf16 faster than f32.
  /// Complexity: 2 · batch · rows · columns operations; a small batch takes as long as the weights take to read.
  public func multiply(
    _ x: UnsafePointer<Float>, batch: Int, into y: UnsafeMutablePointer<Float>, pool: WorkerPool = .shared
  ) {
    Self.multiply(x, batch: batch, by: [(self, y)], pool: pool)
  }

  /// Several matrices times one input, all threads at work from the first row to the last.
  /// - Precondition: the matrices have as many columns as x, and outputs do not overlap.
  public static func multiply(
    _ x: UnsafePointer<Float>, batch: Int, by products: [Product], pool: WorkerPool = .shared
  ) {
    guard batch > 0, let columns = products.first?.matrix.columns else { return }
    // The kernels see addresses alone, which do not keep the bytes.
    defer { withExtendedLifetime(products) {} }
    precondition(
      products.allSatisfy { $0.matrix.columns == columns },
      "matrices of \(products.map(\.matrix.columns)) columns have no input in common")
    if batch > decodeRows {
      let brains = BFloat16Panels.pays ? products.filter { $0.matrix.format.fitsBFloat16 } : []
      if !brains.isEmpty { BFloat16Panels(x, batch: batch, columns: columns, pool: pool).multiply(brains) }
      let others = brains.isEmpty ? products : products.filter { !$0.matrix.format.fitsBFloat16 }
      if !others.isEmpty { multiplyPanels(x, batch: batch, columns: columns, by: others, pool: pool) }
      return
    }
    // Whichever arrangements the formats want.
    func count(_ wanted: (Format) -> Bool, _ count: (Int, Int) -> Int) -> Int {
      products.contains { wanted($0.matrix.format) } ? count(batch, columns) : 0
    }
    let floats = count({ $0 == .float32 || $0 == .float16 }, ck_arranged_count)
    let brains = count({ $0 == .bfloat16 }, ck_bf16_arranged_count)
    let groups = count({ $0.hasGroups }, ck_activations_count)
    withUnsafeTemporaryAllocation(byteCount: floats * 4 + brains * 2, alignment: 64) { arranged in
      withUnsafeTemporaryAllocation(of: ck_activations.self, capacity: groups) { quantized in
        // Multiples of 64 bytes, so that the second begins at one.
        let rows = Rows(
          floats: arranged.bindMemory(to: Float.self).baseAddress,
          brains: arranged.baseAddress.map { ($0 + floats * 4).assumingMemoryBound(to: UInt16.self) },
          quantized: quantized.baseAddress)
        if floats > 0 { ck_arrange(x, batch, columns, rows.floats) }
        if brains > 0 { ck_bf16_arrange(x, batch, columns, rows.brains) }
        if groups > 0 { ck_quantize_activations(x, batch, columns, rows.quantized) }
        multiplyRows(rows, batch: batch, by: products, pool: pool)
      }
    }
  }

  /// A few rows of activations as the kernels of each format take them.
  private struct Rows {
    let floats: UnsafeMutablePointer<Float>?
    let brains: UnsafeMutablePointer<UInt16>?
    let quantized: UnsafeMutablePointer<ck_activations>?
  }

  private static func multiplyRows(_ rows: Rows, batch: Int, by products: [Product], pool: WorkerPool) {
    // Long parts, because the processor fetches long streams best; enough of them that no thread waits for another.
    let share = products.reduce(0) { $0 + $1.matrix.byteCount } / (pool.threads * 8)
    spread(products, bytesPerItem: min(max(share, 64 << 10), 512 << 10), pool: pool) { product, part, _ in
      let matrix = product.matrix
      let (start, y) = (matrix.address(ofRow: part.lowerBound), product.output + part.lowerBound)
      switch matrix.format {
      case .float32, .float16:
        ck_row_major_multiply(
          matrix.format.kernelFormat, start, rows.floats, batch, y, matrix.rows, part.count, matrix.columns)
      case .bfloat16: ck_bf16_multiply(start, rows.brains, batch, y, matrix.rows, part.count, matrix.columns)
      case .int8: ck_int8_multiply(start, rows.quantized, batch, y, matrix.rows, part.count, matrix.columns)
      case .int4: ck_int4_multiply(start, rows.quantized, batch, y, matrix.rows, part.count, matrix.columns)
      case .int4Affine:
        ck_int4_affine_multiply(start, rows.quantized, batch, y, matrix.rows, part.count, matrix.columns)
      }
    }
  }

  /// Panels of the weights become f32 in memory that stays in the last cache, and each is multiplied with all of x.
  private static func multiplyPanels(
    _ x: UnsafePointer<Float>, batch: Int, columns: Int, by products: [Product], pool: WorkerPool
  ) {
    let multiplier = FastestMultiplier.shared
    let rows = products.reduce(0) { $0 + $1.matrix.rows }
    let share = rows / (pool.threads * 4) / Format.tile * Format.tile
    let most = panelBytes / (columns * 4) / Format.tile * Format.tile
    let panelRows = max(min(share, most), 2 * Format.tile)
    let scratch = Tensor(uninitialized: [pool.threads, panelRows * columns])
    spread(products, rowsPerItem: panelRows, pool: pool) { product, rows, worker in
      let panel = scratch.pointer + worker * panelRows * columns
      product.matrix.dequantize(rows: rows, into: panel)
      multiplier.multiply(
        transposesA: false, transposesB: true, m: batch, n: rows.count, k: columns, a: x, lda: columns,
        b: panel, ldb: columns, beta: 0, c: product.output + rows.lowerBound, ldc: product.matrix.rows)
    }
  }

  /// Measured: panels of 64 rows cost a fifth of the product's rate, of 256 rows 6 %, of 512 rows 3 %.
  private static let panelBytes = 4 << 20

  /// Calls `body` with parts of the matrices' rows; parts begin at tiles.
  static func spread(
    _ products: [Product], bytesPerItem: Int = 0, rowsPerItem: Int? = nil, pool: WorkerPool,
    _ body: (_ product: Product, _ rows: Range<Int>, _ worker: Int) -> Void
  ) {
    let grains = products.map { product in
      rowsPerItem
        ?? max(
          bytesPerItem * product.matrix.rows / max(product.matrix.byteCount, 1) / Format.tile * Format.tile,
          Format.tile)
    }
    let counts = zip(products, grains).map { ($0.matrix.rows + $1 - 1) / $1 }
    pool.run(counts.reduce(0, +)) { item, worker in
      var (index, part) = (0, item)
      while part >= counts[index] {
        part -= counts[index]
        index += 1
      }
      let (product, grain) = (products[index], grains[index])
      body(product, part * grain..<min((part + 1) * grain, product.matrix.rows), worker)
    }
  }
}
