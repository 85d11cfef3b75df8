import CKernels
import Foundation
import Tensors
import Testing

/// Products of bf16: what is rounded, and that every instruction set gives the same bits.
@Suite struct BFloat16MatrixTests {
  /// To the nearest bf16, ties to even; zero where that is subnormal. In f64, by the definition.
  static func rounded(_ x: Float) -> Double {
    guard x.isFinite, x != 0 else { return Double(x) }
    // Seven bits behind the leading one.
    let unit = scalbn(1, Int(x.exponent) - 7)
    let y = (Double(x) / unit).rounded(.toNearestOrEven) * unit
    if abs(y) < Double(Float.leastNormalMagnitude) { return x < 0 ? -0.0 : 0 }
    return abs(y) < 0x1p128 ? y : y > 0 ? .infinity : -.infinity
  }

  /// c[i, j] = Σ a[i, p] b[p, j] of rounded factors, in f64.
  static func product(_ a: [Double], _ b: [Double], m: Int, n: Int, k: Int) -> [Double] {
    (0..<m * n).map { place in
      (0..<k).reduce(0) { $0 + a[place / n * k + $1] * b[$1 * n + place % n] }
    }
  }

  static func transposed(_ a: [Double], rows: Int, columns: Int) -> [Double] {
    (0..<a.count).map { a[$0 % rows * columns + $0 / rows] }
  }

  /// One number by the product with 1, which is exact.
  private func round(_ numbers: [Float]) -> [Float] {
    let one = BFloat16Matrix(rounding: Tensor([1], shape: [1, 1])).packed(transposes: false)
    let result = Tensor(uninitialized: [numbers.count])
    gemm(
      BFloat16Matrix(rounding: Tensor(numbers, shape: [numbers.count, 1])), packed: one, into: result.pointer,
      n: 1)
    return result.values
  }

  @Test func roundingIsToTheNearestEven() {
    var numbers: [Float] = [
      0, -0.0, 1, 1 + 0x1p-8, 1 + 0x1.8p-7, 1 + 0x1.000002p-8, -1 - 0x1p-8, 3.14159274, 0x1.fep127, .infinity,
      -.infinity, .leastNormalMagnitude, 0x1p-127, -0x1p-130, .leastNonzeroMagnitude,
      .greatestFiniteMagnitude,
    ]
    var random = RandomStream(seed: 3)
    numbers += random.normal([1000], deviation: 1e3).values
    for (x, y) in zip(numbers, round(numbers)) {
      #expect(Double(y) == Self.rounded(x), "\(x) becomes \(y)")
    }
    #expect(round([.nan])[0].isNaN, "divergence is to be seen")
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 7), (33, 17, 65), (70, 130, 41), (13, 64, 1030), (7, 100, 2)])
  func productsAreThoseOfRoundedFactors(_ size: (Int, Int, Int)) {
    let (m, n, k) = size
    var random = RandomStream(seed: 1)
    let (a, b) = (random.normal([m, k]), random.normal([k, n]))
    let (bias, residual) = (random.normal([n]), random.normal([m, n]))
    let (left, right) = (a.values.map(Self.rounded), b.values.map(Self.rounded))
    let exact = Self.product(left, right, m: m, n: n, k: k)
    func expect(_ got: Tensor, _ start: (Int) -> Double, _ what: String) {
      for (i, (x, y)) in zip(got.values, exact).enumerated() {
        let wanted = y + start(i)
        #expect(abs(Double(x) - wanted) < 1e-5 * Double(k).squareRoot() * (1 + abs(wanted)), "\(what) \(i)")
      }
    }
    let turned = Tensor(
      Self.transposed(b.values.map(Double.init), rows: k, columns: n).map(Float.init), shape: [n, k])
    let rows = BFloat16Matrix(rounding: a)
    let c = Tensor(repeating: .nan, [m, n])
    gemm(rows, packed: BFloat16Matrix(rounding: b).packed(transposes: false), into: c.pointer, n: n)
    expect(c, { _ in 0 }, "a · b")
    let packed = BFloat16Matrix(rounding: turned).packed(transposes: true)
    let start = ProductStart(bias: bias.pointer, residual: residual.pointer)
    let started = Tensor(repeating: .nan, [m, n])
    gemm(rows, packed: packed, into: started.pointer, n: n, start: start)
    expect(started, { Double(bias.pointer[$0 % n]) + Double(residual.pointer[$0]) }, "start + a · b")
    gemm(rows, packed: packed, into: c.pointer, n: n, adds: true)
    expect(c, { exact[$0] }, "a · b + a · b")
    // A sum over rows, as a weight's gradient is.
    let left2 = Tensor(
      Self.transposed(a.values.map(Double.init), rows: m, columns: k).map(Float.init), shape: [k, m])
    let sums = residual.copy()
    for adds in [true, false] {
      gemm(
        transposing: BFloat16Matrix(rounding: left2), BFloat16Matrix(rounding: b), into: sums.pointer,
        adds: adds)
      expect(sums, { adds ? Double(residual.pointer[$0]) : 0 }, "aᵀ · b")
    }
  }

  /// What a training run computes does not depend on whether the processor multiplies pairs of bf16.
  @Test(arguments: [(1, 1, 1), (6, 64, 5), (7, 70, 33), (13, 144, 40), (5, 16, 1030), (20, 200, 64)])
  func everyInstructionSetGivesTheSameBits(_ size: (Int, Int, Int)) {
    let (m, n, k) = size
    let alone = WorkerPool(threads: 1)
    var random = RandomStream(seed: 2)
    let (a, b, start) = (random.normal([m, k]), random.normal([n, k]), random.normal([m, n]))
    func run(_ level: KernelLevel) -> [[Float]] {
      #expect(ck_set_thread_level(Int32(level.rawValue)))
      defer { _ = ck_set_thread_level(-1) }
      func rounded(_ x: Tensor) -> BFloat16Matrix {
        BFloat16Matrix(rounding: x.pointer, rows: x.rows, columns: x.columns, pool: alone)
      }
      let (product, sum) = (start.copy(), Tensor(uninitialized: [k, k]))
      gemm(
        rounded(a), packed: rounded(b).packed(transposes: true, pool: alone), into: product.pointer, n: n,
        adds: true, pool: alone)
      gemm(transposing: rounded(a), rounded(a), into: sum.pointer, adds: false, pool: alone)
      let back = Tensor(uninitialized: [m, k])
      gemm(
        rounded(start), packed: rounded(b).packed(transposes: false, pool: alone), into: back.pointer, n: k,
        start: ProductStart(residual: a.pointer), pool: alone)
      return [product.values, sum.values, back.values]
    }
    let wanted = run(.scalar)
    for level in KernelLevel.allCases where level.isAvailable {
      let same = run(level) == wanted
      #expect(same, "\(level)")
    }
  }
}
