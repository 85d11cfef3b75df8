import CKernels
import Tensors
import Testing

/// Every instruction set this processor has gives what the scalar code gives, at sizes that leave remainders.
@Suite struct KernelLevelTests {
  typealias Pointer = UnsafeMutablePointer<Float>

  static let sizes = [(1, 1), (3, 7), (5, 16), (2, 31), (4, 33), (3, 100), (2, 128)]

  /// Runs `kernel` on fresh copies of the same random inputs at every level and compares all arrays afterwards.
  private func expectEqualLevels(
    _ counts: [Int], tolerance: Float = 3e-5, sourceLocation: SourceLocation = #_sourceLocation,
    _ kernel: ([Pointer]) -> Double?
  ) {
    var random = RandomStream(seed: 3)
    let inputs = counts.map { random.normal([$0]) }
    func run(_ level: KernelLevel) -> (arrays: [[Float]], result: Double?) {
      #expect(ck_set_thread_level(Int32(level.rawValue)))
      defer { _ = ck_set_thread_level(-1) }
      let copies = inputs.map { $0.copy() }
      let result = kernel(copies.map(\.pointer))
      return (copies.map(\.values), result)
    }
    let wanted = run(.scalar)
    for level in KernelLevel.allCases where level != .scalar && level.isAvailable {
      let got = run(level)
      for (number, (a, b)) in zip(got.arrays, wanted.arrays).enumerated() {
        for i in a.indices {
          #expect(
            abs(a[i] - b[i]) <= tolerance * (1 + abs(b[i])), "\(level): array \(number), element \(i)",
            sourceLocation: sourceLocation)
        }
      }
      if let result = got.result, let expected = wanted.result {
        #expect(
          abs(result - expected) <= 1e-4 * (1 + abs(expected)), "\(level)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: sizes) func norms(_ size: (Int, Int)) {
    let (rows, columns) = size
    let all = rows * columns
    // x, gain, bias, y, mean, scale, dy, dx, dgain, dbias
    for adds in [false, true] {
      expectEqualLevels(
        [all, columns, columns, all, rows, rows, all, all, columns, columns],
        tolerance: columns == 1 ? 1 : 2e-4
      ) { p in
        ck_layer_norm_forward(p[0], p[1], p[2], p[3], p[4], p[5], rows, columns, 1e-5)
        ck_layer_norm_backward(p[6], p[0], p[1], p[4], p[5], p[7], adds, p[8], p[9], rows, columns)
        return nil
      }
      expectEqualLevels([all, columns, all, rows, all, all, columns]) { p in
        ck_rms_norm_forward(p[0], p[1], p[2], p[3], rows, columns, 1e-6)
        ck_rms_norm_backward(p[4], p[0], p[1], p[3], p[5], adds, p[6], rows, columns)
        return nil
      }
    }
  }

  @Test(arguments: sizes) func activations(_ size: (Int, Int)) {
    let (rows, columns) = size
    let all = rows * columns
    // u, bias, y, dy, dbias, x, dx, and for SwiGLU pairs.
    expectEqualLevels([all, columns, all, all, columns, all, all, 2 * all, all, 2 * all]) { p in
      ck_gelu_forward(p[5], p[6], all)
      ck_gelu_backward(p[5], p[6], p[6], all)
      ck_leaky_relu_backward(p[5], p[6], 0.1, p[6], all)
      ck_leaky_relu_forward(p[5], -0.1, p[5], all)
      ck_bias_gelu_forward(p[0], p[1], p[2], rows, columns)
      ck_bias_gelu_backward(p[0], p[3], p[3], p[4], rows, columns)
      ck_swiglu_forward(p[7], p[8], rows, columns)
      ck_swiglu_backward(p[7], p[8], p[9], rows, columns)
      return nil
    }
  }

  @Test(arguments: sizes) func softmaxAndCrossEntropy(_ size: (Int, Int)) {
    let (rows, columns) = size
    let targets = (0..<rows).map { Int32($0 == 1 ? -1 : ($0 * 7) % columns) }
    expectEqualLevels([rows * columns, rows * columns, rows * columns, rows, rows]) { p in
      ck_scale(20, p[0], p[0], rows * columns)
      // Over its input, as the losses of loops use it, and without a gradient.
      ck_scale(1, p[0], p[1], rows * columns)
      ck_cross_entropy_rows(p[1], targets, p[3], p[4], p[1], rows, columns)
      ck_axpy(2, p[1], p[2], rows * columns)
      ck_cross_entropy_rows(p[0], targets, p[3], p[4], nil, rows, columns)
      ck_softmax(p[0], p[1], rows, columns)
      _ = ck_cross_entropy(p[0], targets, nil, 0.5, rows, columns)
      return ck_cross_entropy(p[0], targets, p[2], 0.5, rows, columns)
    }
  }

  @Test(arguments: [(1, 1), (3, 7), (5, 16), (17, 8), (22, 16), (131, 33), (82, 32), (40, 64)])
  func attention(_ size: (Int, Int)) {
    let (tokens, head) = size
    // Rows further apart than they are long: what lies between must stay as it is.
    let (stride, outStride) = (3 * head + 2, head + 3)
    let scratch = ck_attention_scratch(tokens, head)
    expectEqualLevels([tokens * stride, tokens * outStride, tokens, tokens * outStride, tokens * stride]) {
      p in
      let memory = Tensor(repeating: .nan, [scratch])
      let (x, dx) = (p[0], p[4])
      ck_attention_forward(
        x, x + head, x + 2 * head, stride, p[1], outStride, p[2], tokens, head, 0.4, memory.pointer)
      memory.fill(.nan)
      ck_attention_backward(
        x, x + head, x + 2 * head, stride, p[1], p[3], outStride, p[2], dx, dx + head, dx + 2 * head, tokens,
        head,
        0.4, memory.pointer)
      return nil
    }
  }

  @Test(arguments: [(1, 1, 1), (6, 64, 5), (7, 70, 33), (13, 144, 40), (5, 16, 530), (20, 200, 64)])
  func products(_ size: (Int, Int, Int)) {
    let (m, n, k) = size
    let packedCount = ck_packed_count(k, n)
    // a, b, bias, residual, and a result for every kind of sum.
    expectEqualLevels([m * k, k * n, n, m * n, m * n, m * n, m * n, m * n], tolerance: 3e-4) { p in
      let packed = Tensor(repeating: .nan, [packedCount])
      // b as n × k, and a as k × m.
      ck_pack(p[1], 1, k, k, n, packed.pointer)
      ck_gemm(p[0], k, false, packed.pointer, 0, p[4], m, n, k, CK_SUM_ZERO, nil, nil)
      ck_gemm(p[0], k, false, packed.pointer, 0, p[5], m, n, k, CK_SUM_STARTS, p[2], p[3])
      ck_pack(p[1], n, 1, k, n, packed.pointer)
      ck_gemm(p[0], m, true, packed.pointer, 0, p[6], m, n, k, CK_SUM_ADDS, nil, nil)
      ck_gemm(p[0], m, true, p[1], n, p[7], m, n, k, CK_SUM_STARTS, nil, p[3])
      return nil
    }
  }

  @Test(arguments: [(1, 1, 2), (4, 3, 6), (2, 2, 32), (3, 1, 50)]) func rotary(_ size: (Int, Int, Int)) {
    let (tokens, heads, head) = size
    expectEqualLevels([tokens * (heads * head + 1), tokens * head / 2, tokens * head / 2]) { p in
      ck_rotary(p[0], heads * head + 1, p[1], p[2], -1, tokens, heads, head)
      return nil
    }
  }

  @Test(arguments: sizes) func elementwiseAndAdam(_ size: (Int, Int)) {
    let (rows, columns) = size
    let all = rows * columns
    expectEqualLevels([all, all, all, columns, columns, all]) { p in
      ck_add(p[0], p[1], p[2], all)
      ck_multiply(p[2], p[0], p[2], all)
      ck_axpy(-0.5, p[2], p[1], all)
      ck_add_bias(p[0], p[3], nil, rows, columns)
      ck_add_bias(p[0], p[3], p[5], rows, columns)
      ck_column_sums(p[0], p[4], rows, columns)
      return ck_dot(p[0], p[1], all) + ck_sum(p[1], all) + ck_sum_of_squares(p[2], all)
    }
    var settings = ck_adam_settings(
      rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay: 0.1, l2: 0.2, correction1: 0.3,
      correction2: 0.2,
      gradient_scale: 0.7)
    expectEqualLevels([all, all, all, all]) { p in
      ck_multiply(p[3], p[3], p[3], all)
      ck_adam(p[0], p[1], p[2], p[3], all, settings)
      settings.l2 = 0.2
      return nil
    }
  }

  /// A number that is none must not become one on the way: divergence is to be seen.
  @Test(arguments: KernelLevel.allCases) func nothingHidesNotANumber(_ level: KernelLevel) {
    guard ck_set_thread_level(Int32(level.rawValue)) else { return }
    defer { _ = ck_set_thread_level(-1) }
    for place in [0, 5, 17, 36] {
      let x = Tensor(repeating: 0.5, [37])
      x[place] = .nan
      let y = Tensor(zeros: [37])
      ck_gelu_forward(x.pointer, y.pointer, 37)
      #expect(y[place].isNaN)
      ck_softmax(x.pointer, y.pointer, 1, 37)
      #expect(y[place].isNaN)
      #expect(ck_sum_of_squares(x.pointer, 37).isNaN)
      #expect(ck_cross_entropy(x.pointer, [3], nil, 1, 1, 37).isNaN)
      let loss = Tensor(zeros: [1])
      ck_cross_entropy_rows(x.pointer, [3], [1], loss.pointer, nil, 1, 37)
      #expect(loss.scalar.isNaN)
    }
  }
}
