import CKernels

/// What the sums of a product start with, instead of with zeros.
public struct ProductStart {
  /// One number per column.
  public var bias: UnsafePointer<Float>?
  /// As many numbers as the result has, laid out as it is.
  public var residual: UnsafePointer<Float>?

  public init(bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil) {
    (self.bias, self.residual) = (bias, residual)
  }
}

/// `c = start + op(a) · op(b) + beta · c` on all threads: every thread takes bands of the rows of c.
///
/// Dense, row-major. Made by the kernels of `gemm.c`, whose sums are the same however the rows are cut; products that are
/// too small or too odd for them, and all on systems whose library does better, by that library, in bands that depend
/// on the pool's number of threads alone. So results repeat bit by bit on one machine.
/// Complexity: 2 · m · n · k operations.
///
/// - Parameters:
///   - m: rows of c. - n: columns of c. - k: the inner extent.
///   - packed: op(b) as `packedMatrix` makes it, if it is at hand.
///   - beta: 0 where there is a start.
///   - multiplier: a library to use in any case.
public func gemm(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, m: Int, n: Int,
  k: Int, transposesA: Bool = false, transposesB: Bool = false, packed: Tensor? = nil, beta: Float = 0,
  start: ProductStart? = nil, pool: WorkerPool = .shared, with multiplier: (any MatrixMultiplier)? = nil
) {
  guard m > 0, n > 0 else { return }
  let lda = transposesA ? m : k
  // By sizes alone, not by what is packed already: a pass that is made again is to give the same bits.
  if multiplier == nil, PackedProduct.isPreferred, k > 0, n >= 16, m >= 16, beta == 0 || beta == 1 {
    let right =
      packed ?? (transposesB ? packedMatrix(b, k: k, n: n, transposes: true) : nil)
    let (pointer, ldb) = right.map { (UnsafePointer($0.pointer), 0) } ?? (b, n)
    let sums = start != nil ? CK_SUM_STARTS : beta == 0 ? CK_SUM_ZERO : CK_SUM_ADDS
    let (bias, residual) = (start?.bias, start?.residual)
    // The pool reads through the pointer.
    withExtendedLifetime(right) {
      pool.run(m, grain: productGrain(m: m, n: n, k: k, pool: pool)) { rows, _ in
        let row = rows.lowerBound
        ck_gemm(
          transposesA ? a + row : a + row * lda, lda, transposesA, pointer, ldb, c + row * n, rows.count, n,
          k,
          sums, bias, residual.map { $0 + row * n })
      }
    }
    return
  }
  let multiplier = multiplier ?? FastestMultiplier.shared
  // Below a hundred thousand operations a second thread costs more than it brings. Bands are whole cache lines.
  let parts = m * n * k < 50_000 || WorkerPool.isInside ? 1 : pool.threads
  let band = (((m + parts - 1) / parts) + 15) / 16 * 16
  pool.run(m, grain: max(band, 1)) { rows, _ in
    let out = c + rows.lowerBound * n
    if k > 0 {
      multiplier.multiply(
        transposesA: transposesA, transposesB: transposesB, m: rows.count, n: n, k: k,
        a: transposesA ? a + rows.lowerBound : a + rows.lowerBound * lda, lda: lda, b: b,
        ldb: transposesB ? k : n, beta: beta, c: out, ldc: n)
    } else {
      for i in 0..<rows.count * n { out[i] = beta == 0 ? 0 : beta * out[i] }
    }
    guard let start else { return }
    let residual = start.residual.map { $0 + rows.lowerBound * n }
    if let bias = start.bias {
      ck_add_bias(out, bias, residual, rows.count, n)
    } else if let residual {
      ck_add(out, residual, out, rows.count * n)
    }
  }
}

/// How many rows of a product a thread takes at a time: whole tiles of six; few enough for the cache, and for every thread
/// to have some.
func productGrain(m: Int, n: Int, k: Int, pool: WorkerPool) -> Int {
  if WorkerPool.isInside || m * n * k < 50_000 { return m }
  return max(6, min(192, (m / pool.threads + 5) / 6 * 6))
}

/// op(b), k × n, in the order in which the kernels of `gemm.c` read it: for a matrix that many are multiplied with.
///
/// Complexity: O(k · n).
public func packedMatrix(_ b: UnsafePointer<Float>, k: Int, n: Int, transposes: Bool) -> Tensor {
  let packed = Tensor(uninitialized: [ck_packed_count(k, n)])
  let (pointer, panel) = (packed.pointer, Int(CK_PANEL))
  WorkerPool.shared.run((n + panel - 1) / panel) { index, _ in
    let column = index * panel
    ck_pack(
      transposes ? b + column * k : b + column, transposes ? 1 : n, transposes ? k : 1, k,
      min(panel, n - column), pointer + column * k)
  }
  return packed
}

/// Whether `gemm` uses this project's own kernels.
public enum PackedProduct {
  /// Accelerate has units for matrices that vector instructions do not reach; scalar code is for comparing alone.
  public static var isPreferred: Bool {
    #if os(Linux)
      return ck_current_level() != CK_SCALAR
    #else
      return false
    #endif
  }
}
