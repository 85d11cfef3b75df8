/// A library's product of two f32 matrices, on the calling thread alone; `gemm` spreads it over threads.
public protocol MatrixMultiplier: Sendable {
  var name: String { get }

  /// Row-major `c = op(a) · op(b) + beta · c`, where c is m × n and op(a) is m × k.
  ///
  /// `a` is m × k with rows at the distance `lda`, or k × m if `transposesA`; `b` is k × n at `ldb`, or n × k if
  /// `transposesB`. Where `beta` is 0, `c` need not be initialised.
  func multiply(
    transposesA: Bool, transposesB: Bool, m: Int, n: Int, k: Int, a: UnsafePointer<Float>, lda: Int,
    b: UnsafePointer<Float>, ldb: Int, beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int)
}

/// The slow, obvious product: what the fast ones are tested against.
public struct ReferenceMultiplier: MatrixMultiplier {
  public let name = "reference"

  public init() {}

  public func multiply(
    transposesA: Bool, transposesB: Bool, m: Int, n: Int, k: Int, a: UnsafePointer<Float>, lda: Int,
    b: UnsafePointer<Float>, ldb: Int, beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    for i in 0..<m {
      for j in 0..<n {
        var sum: Float = 0
        for p in 0..<k {
          sum +=
            (transposesA ? a[p * lda + i] : a[i * lda + p]) * (transposesB ? b[j * ldb + p] : b[p * ldb + j])
        }
        c[i * ldc + j] = beta == 0 ? sum : sum + beta * c[i * ldc + j]
      }
    }
  }
}

#if os(Linux)
  import COneDNN

  /// oneDNN, which chooses the kernel for the processor by itself.
  public struct OneDNNMultiplier: MatrixMultiplier {
    public var name: String {
      guard let version = dnnl_version()?.pointee else { return "oneDNN" }
      return "oneDNN \(version.major).\(version.minor).\(version.patch)"
    }

    public init() {}

    public func multiply(
      transposesA: Bool, transposesB: Bool, m: Int, n: Int, k: Int, a: UnsafePointer<Float>, lda: Int,
      b: UnsafePointer<Float>, ldb: Int, beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
      let letters = (UInt8(ascii: "N"), UInt8(ascii: "T"))
      let status = looped_sgemm(
        CChar(transposesA ? letters.1 : letters.0), CChar(transposesB ? letters.1 : letters.0), m, n, k, 1, a,
        lda,
        b, ldb, beta, c, ldc)
      precondition(status == 0, "oneDNN refused a product of \(m) × \(k) and \(k) × \(n)")
    }
  }
#elseif canImport(Accelerate)
  import Accelerate

  /// Apple's library, which uses its own threads.
  public struct AccelerateMultiplier: MatrixMultiplier {
    public let name = "Accelerate"

    public init() {}

    public func multiply(
      transposesA: Bool, transposesB: Bool, m: Int, n: Int, k: Int, a: UnsafePointer<Float>, lda: Int,
      b: UnsafePointer<Float>, ldb: Int, beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
      cblas_sgemm(
        CblasRowMajor, transposesA ? CblasTrans : CblasNoTrans, transposesB ? CblasTrans : CblasNoTrans,
        Int32(m),
        Int32(n), Int32(k), 1, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
    }
  }
#endif

/// The multiplier of this system.
public enum FastestMultiplier {
  #if os(Linux)
    public static let shared: any MatrixMultiplier = OneDNNMultiplier()
  #elseif canImport(Accelerate)
    public static let shared: any MatrixMultiplier = AccelerateMultiplier()
  #else
    public static let shared: any MatrixMultiplier = ReferenceMultiplier()
  #endif
}

/// `c = op(a) · op(b) + beta · c` on all threads: every thread takes a band of the rows of c.
///
/// Dense, row-major. The bands depend on the pool's number of threads alone, so results repeat bit by bit on one
/// machine. Complexity: 2 · m · n · k operations.
///
/// - Parameters:
///   - m: rows of c. - n: columns of c. - k: the inner extent.
public func gemm(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, m: Int, n: Int,
  k: Int,
  transposesA: Bool = false, transposesB: Bool = false, beta: Float = 0, pool: WorkerPool = .shared,
  with multiplier: any MatrixMultiplier = FastestMultiplier.shared
) {
  guard m > 0, n > 0 else { return }
  guard k > 0 else {
    for i in 0..<m * n { c[i] = beta == 0 ? 0 : beta * c[i] }
    return
  }
  let lda = transposesA ? m : k
  let ldb = transposesB ? k : n
  // Below a hundred thousand operations a second thread costs more than it brings. Bands are whole cache lines.
  let parts = m * n * k < 50_000 ? 1 : pool.threads
  let band = (((m + parts - 1) / parts) + 15) / 16 * 16
  pool.run(m, grain: max(band, 1)) { rows, _ in
    multiplier.multiply(
      transposesA: transposesA, transposesB: transposesB, m: rows.count, n: n, k: k,
      a: transposesA ? a + rows.lowerBound : a + rows.lowerBound * lda, lda: lda, b: b, ldb: ldb, beta: beta,
      c: c + rows.lowerBound * n, ldc: n)
  }
}
