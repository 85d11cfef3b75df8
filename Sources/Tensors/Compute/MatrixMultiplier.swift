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
