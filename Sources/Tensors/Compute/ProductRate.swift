/// How fast this machine multiplies matrices: the ceiling of training, and the sign of a library that chose the code of
/// another processor.
public enum ProductRate {
  /// GFLOP/s of c = a · bᵀ of m × k and n × k, on all threads: the best of `repeats`.
  public static func measure(_ m: Int, _ n: Int, _ k: Int, repeats: Int = 5) -> Double {
    var random = RandomStream(seed: 2)
    let (a, b) = (random.uniform([m, k], from: -1, to: 1), random.uniform([n, k], from: -1, to: 1))
    let c = Tensor(uninitialized: [m, n])
    let clock = ContinuousClock()
    let best =
      (0..<max(repeats, 1)).map { _ in
        clock.measure {
          gemm(a.pointer, b.pointer, into: c.pointer, m: m, n: n, k: k, transposesB: true)
        } / .seconds(1)
      }.min() ?? 1
    return 2 * Double(m) * Double(n) * Double(k) / best / 1e9
  }

  /// Below this, in GFLOP/s per thread, a processor with AVX2 runs code that was made for another: such processors
  /// reach thirty and more, and code without AVX about ten.
  public static let suspicious = 15.0
}
