import CKernels

/// A matrix rounded to bf16: a factor of products whose sums are f32, in half the memory.
///
/// Rounded to the nearest, ties to even, and to zero where that would be subnormal, as processors multiply bf16. The
/// same on every processor, and the products too; twice as fast as f32 where the processor multiplies pairs of bf16
/// (AVX512_BF16), hardly slower elsewhere. Measured in Documentation/TrainingEngine.md.
public struct BFloat16Matrix {
  public let rows: Int
  public let columns: Int
  /// Two neighbours of a row to 32 bits, every row (columns + 1) / 2 of these.
  private let pairs: Tensor
  fileprivate var stride: Int { (columns + 1) / 2 }
  fileprivate var start: UnsafeRawPointer { UnsafeRawPointer(pairs.pointer) }

  /// Rounds rows × columns numbers, row-major and dense, on all threads. Complexity: O(rows · columns).
  public init(rounding numbers: UnsafePointer<Float>, rows: Int, columns: Int, pool: WorkerPool = .shared) {
    (self.rows, self.columns) = (rows, columns)
    let stride = (columns + 1) / 2
    pairs = Tensor(uninitialized: [rows, stride])
    let out = UnsafeMutableRawPointer(pairs.pointer)
    pool.run(rows, grain: Self.grain(columns)) { range, _ in
      let row = range.lowerBound
      ck_bf16_round(numbers + row * columns, range.count, columns, out + 4 * row * stride)
    }
  }

  /// Rounds the rows of a tensor.
  public init(rounding tensor: Tensor) {
    self.init(rounding: tensor.pointer, rows: tensor.rows, columns: tensor.columns)
  }

  /// Rows that are worth a thread's while.
  private static func grain(_ columns: Int) -> Int { max(1, (1 << 15) / max(columns, 1)) }

  /// Between paired rows. A cache line more than they are long: of rows that lie a power of two apart, as those of 1024 or
  /// 2048 columns, a cache holds only a few at once (measured: 413 and 487 GFLOP/s of a weight's gradient).
  fileprivate var pairedStride: Int { columns + 16 }

  /// (rows + 1) / 2 rows of pairs, each of two rows: what a sum over rows reads.
  fileprivate func pairedRows(_ pool: WorkerPool) -> Tensor {
    let (columns, paired) = (columns, pairedStride)
    let result = Tensor(uninitialized: [(rows + 1) / 2, paired])
    let out = UnsafeMutableRawPointer(result.pointer)
    pool.run(result.shape[0], grain: Self.grain(columns)) { range, _ in
      let first = range.lowerBound
      ck_bf16_pair_rows(
        start + 8 * first * stride, min(2 * range.count, rows - 2 * first), columns, out + 4 * first * paired,
        paired)
    }
    return result
  }

  /// The matrix as the right factor of many products, or its transpose: see `gemm(_:packed:into:n:)`.
  ///
  /// Complexity: O(rows · columns).
  public func packed(transposes: Bool, pool: WorkerPool = .shared) -> Tensor {
    let (k, n) = transposes ? (columns, rows) : (rows, columns)
    let from = transposes ? pairs : pairedRows(pool)
    let packed = Tensor(uninitialized: [ck_packed_count((k + 1) / 2, n)])
    let (source, out) = (UnsafeRawPointer(from.pointer), UnsafeMutableRawPointer(packed.pointer))
    let (panel, depth) = (Int(CK_PANEL), (k + 1) / 2)
    // The pool reads through the pointer.
    withExtendedLifetime(from) {
      pool.run((n + panel - 1) / panel) { index, _ in
        let column = index * panel
        ck_bf16_pack(
          source + 4 * column * (transposes ? depth : 1), transposes ? 1 : pairedStride,
          transposes ? depth : 1, k,
          min(panel, n - column), out + 4 * column * depth)
      }
    }
    return packed
  }
}

/// `c = start + a · b` on all threads, where b was packed and c is a.rows × n: see `gemm` for f32.
///
/// - Parameters:
///   - b: `BFloat16Matrix.packed`, a.columns × n.
///   - adds: c = a · b + c; there is no start then.
/// Complexity: 2 · a.rows · n · a.columns operations.
public func gemm(
  _ a: BFloat16Matrix, packed b: Tensor, into c: UnsafeMutablePointer<Float>, n: Int, adds: Bool = false,
  start: ProductStart? = nil, pool: WorkerPool = .shared
) {
  precondition(b.count == ck_packed_count(a.stride, n), "\(a.columns) × \(n) were not packed")
  multiply(
    a.start, lda: a.stride, transposes: false, UnsafeRawPointer(b.pointer), ldb: 0, into: c, m: a.rows, n: n,
    k: a.columns, adds: adds, start: start, pool: pool)
}

/// `c = aᵀ · b`, a.columns × b.columns, or that added to c: what a batch of rows adds to a weight's gradient.
///
/// Complexity: 2 · a.columns · b.columns · a.rows operations, and room for both factors once more.
public func gemm(
  transposing a: BFloat16Matrix, _ b: BFloat16Matrix, into c: UnsafeMutablePointer<Float>, adds: Bool,
  pool: WorkerPool = .shared
) {
  precondition(a.rows == b.rows, "a sum over \(a.rows) and \(b.rows) rows")
  let (left, right) = (a.pairedRows(pool), b.pairedRows(pool))
  withExtendedLifetime((left, right)) {
    multiply(
      UnsafeRawPointer(left.pointer), lda: a.pairedStride, transposes: true, UnsafeRawPointer(right.pointer),
      ldb: b.pairedStride, into: c, m: a.columns, n: b.columns, k: a.rows, adds: adds, start: nil, pool: pool)
  }
}

private func multiply(
  _ a: UnsafeRawPointer, lda: Int, transposes: Bool, _ b: UnsafeRawPointer, ldb: Int,
  into c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int, adds: Bool, start: ProductStart?,
  pool: WorkerPool
) {
  guard m > 0, n > 0 else { return }
  precondition(start == nil || !adds, "a sum has one start")
  let sums = start != nil ? CK_SUM_STARTS : adds ? CK_SUM_ADDS : CK_SUM_ZERO
  let (bias, residual) = (start?.bias, start?.residual)
  pool.run(m, grain: productGrain(m: m, n: n, k: k, pool: pool)) { rows, _ in
    let row = rows.lowerBound
    ck_bf16_gemm(
      a + 4 * row * (transposes ? 1 : lda), lda, transposes, b, ldb, c + row * n, rows.count, n, k, sums,
      bias, residual.map { $0 + row * n })
  }
}
