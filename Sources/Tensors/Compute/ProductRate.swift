/// How fast this machine multiplies matrices: the ceiling of training, and the sign of a library that chose the code of
/// another processor.
public enum ProductRate {
  /// GFLOP/s of c = a · bᵀ of m × k and n × k, on all threads: the best of `repeats`.
  ///
  /// - Parameters:
  ///   - inBFloat16: a and b in bf16 instead of f32; `BFloat16Product.isFast` says whether there is such a product.
  ///   - multiplier: for f32: the system's library, if not `nil` for what `gemm` chooses.
  public static func measure(
    _ m: Int, _ n: Int, _ k: Int, repeats: Int = 5, inBFloat16: Bool = false, pool: WorkerPool = .shared,
    with multiplier: (any MatrixMultiplier)? = FastestMultiplier.shared
  ) -> Double {
    if inBFloat16 { return bfloat16(m, n, k, repeats: repeats, pool: pool) }
    var random = RandomStream(seed: 2)
    let (a, b) = (random.uniform([m, k], from: -1, to: 1), random.uniform([n, k], from: -1, to: 1))
    let c = Tensor(uninitialized: [m, n])
    let clock = ContinuousClock()
    let best =
      (0..<max(repeats, 1)).map { _ in
        clock.measure {
          gemm(
            a.pointer, b.pointer, into: c.pointer, m: m, n: n, k: k, transposesB: true, pool: pool,
            with: multiplier)
        } / .seconds(1)
      }.min() ?? 1
    return 2 * Double(m) * Double(n) * Double(k) / best / 1e9
  }

  private static func bfloat16(_ m: Int, _ n: Int, _ k: Int, repeats: Int, pool: WorkerPool) -> Double {
    let (a, b) = (Tensor(repeating: 1, [m, k]), Tensor(repeating: 1, [n, k]))
    let c = Tensor(uninitialized: [m, n])
    // 1 in f32 is 1 and 0 in bf16.
    func brains(_ tensor: Tensor) -> UnsafePointer<UInt16> {
      UnsafePointer(UnsafeRawPointer(tensor.pointer).assumingMemoryBound(to: UInt16.self))
    }
    let band = max((n / pool.threads + 15) / 16 * 16, 16)
    let best =
      (0..<max(repeats, 1)).map { _ in
        ContinuousClock().measure {
          pool.run(n, grain: band) { columns, _ in
            BFloat16Product.multiply(
              m: m, n: columns.count, k: k, a: brains(a), lda: k, b: brains(b) + columns.lowerBound * k,
              ldb: k, c: c.pointer + columns.lowerBound, ldc: n)
          }
        } / .seconds(1)
      }.min() ?? 1
    return 2 * Double(m) * Double(n) * Double(k) / best / 1e9
  }

  /// Below this, in GFLOP/s per thread, a processor with AVX2 runs code that was made for another: such processors
  /// reach thirty and more, and code without AVX about ten.
  public static let suspicious = 15.0
}
