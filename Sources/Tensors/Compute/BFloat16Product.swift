#if os(Linux)
  import COneDNN
#endif

/// c = a · bᵀ of two bf16 matrices with f32 sums, on the calling thread alone.
///
/// About twice the rate of f32 where the processor multiplies pairs of bf16 (AVX512_BF16, AMX).
public enum BFloat16Product {
  /// Whether this processor and this system's library have it; elsewhere f32 is faster.
  public static let isFast: Bool = {
    #if os(Linux)
      looped_bf16_is_fast()
    #else
      false
    #endif
  }()

  /// Row-major c [m, n] = a [m, k] · bᵀ, b [n, k]; rows at the distances lda, ldb and ldc.
  /// - Precondition: `isFast`.
  public static func multiply(
    m: Int, n: Int, k: Int, a: UnsafePointer<UInt16>, lda: Int, b: UnsafePointer<UInt16>, ldb: Int,
    c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    #if os(Linux)
      let status = looped_bf16_gemm(m, n, k, a, lda, b, ldb, c, ldc)
      precondition(status == 0, "oneDNN refused a bf16 product of \(m) × \(k) and \(k) × \(n)")
    #else
      preconditionFailure("no bf16 products here")
    #endif
  }
}
