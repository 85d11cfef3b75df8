import CKernels
import Foundation
import Tensors
import Testing

@Suite struct TensorTests {
  @Test func copiesShareMemoryAndReshapingKeepsIt() {
    let a = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
    let b = a.reshaped([3, 2])
    b[2, 1] = 9
    #expect(a[1, 2] == 9)
    #expect(a.copy().sharesMemory(with: a) == false)
    #expect(a.rows == 2 && a.columns == 3)
    #expect(Tensor(scalar: 4).scalar == 4)
  }

  @Test func memoryIsUsedAgain() {
    let before = Tensor(uninitialized: [1000, 777]).pointer
    let after = Tensor(uninitialized: [1000, 777]).pointer
    // Other tests run at the same time and may take the block: then a third is tried.
    #expect(before == after || before == Tensor(uninitialized: [1000, 777]).pointer)
    for bytes in [1, 64, 65, 1000, 4096, 5_000_000, 1 << 30] {
      let size = TensorMemory.blockSize(bytes)
      #expect(size >= bytes && size % 64 == 0 && Double(size) <= max(64, Double(bytes) * 1.126 + 64))
      #expect(TensorMemory.blockSize(size) == size)
    }
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 7), (33, 17, 65), (70, 130, 40), (70, 64, 9)], [false, true])
  func productsEqualTheReference(_ size: (Int, Int, Int), _ adds: Bool) {
    let (m, n, k) = size
    var random = RandomStream(seed: 1)
    let (a, b, start) = (random.normal([m * k]), random.normal([k * n]), random.normal([m * n]))
    for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
      let (fast, slow) = (start.copy(), start.copy())
      let beta: Float = adds ? 1 : 0
      gemm(
        a.pointer, b.pointer, into: fast.pointer, m: m, n: n, k: k, transposesA: first, transposesB: second,
        beta: beta)
      gemm(
        a.pointer, b.pointer, into: slow.pointer, m: m, n: n, k: k, transposesA: first, transposesB: second,
        beta: beta, with: ReferenceMultiplier())
      for (x, y) in zip(fast.values, slow.values) { #expect(abs(x - y) < 1e-4, "\(first) \(second)") }
    }
  }

  @Test(arguments: [(2, 3, 4), (65, 70, 5), (70, 32, 0)], [true, false])
  func productsStartWithBiasAndResidual(_ size: (Int, Int, Int), _ hasBias: Bool) {
    let (m, n, k) = size
    var random = RandomStream(seed: 2)
    let (a, b) = (random.normal([max(m * k, 1)]), random.normal([max(k * n, 1)]))
    let (bias, residual) = (random.normal([n]), random.normal([m * n]))
    for hasResidual in [true, false] {
      let start = ProductStart(
        bias: hasBias ? bias.pointer : nil, residual: hasResidual ? residual.pointer : nil)
      func product(_ multiplier: (any MatrixMultiplier)?) -> [Float] {
        let c = Tensor(repeating: .nan, [m, n])
        gemm(
          a.pointer, b.pointer, into: c.pointer, m: m, n: n, k: k, transposesB: true, start: start,
          with: multiplier)
        return c.values
      }
      for (place, (x, y)) in zip(product(nil), product(ReferenceMultiplier())).enumerated() {
        #expect(abs(x - y) < 1e-4)
        guard k == 0 else { continue }
        #expect(y == (hasBias ? bias.values[place % n] : 0) + (hasResidual ? residual.values[place] : 0))
      }
    }
  }

  @Test func slicesAreCopies() {
    let x = Tensor((0..<12).map(Float.init), shape: [3, 2, 2])
    let slice = x.slice(1..<3)
    #expect(slice.shape == [2, 2, 2] && slice.values == (4..<12).map(Float.init))
    #expect(!slice.sharesMemory(with: x) && x.slice(2..<2).count == 0)
  }

  @Test func aPoolRunsEveryItemOnceWhateverTheLoad() {
    let pool = WorkerPool(threads: 3)
    let counts = UnsafeMutablePointer<Int32>.allocate(capacity: 257)
    defer { counts.deallocate() }
    for count in [0, 1, 2, 3, 64, 257] {
      for _ in 0..<200 {
        counts.update(repeating: 0, count: 257)
        pool.run(count) { item, worker in
          counts[item] += worker < 3 ? 1 : 100
          // A loop inside a loop runs on its own thread.
          if item == 1 { pool.run(2) { inner, _ in if inner == 1 { counts[item] += 10 } } }
        }
        #expect((0..<count).allSatisfy { counts[$0] == ($0 == 1 ? 11 : 1) })
      }
    }
    var ranges: [Range<Int>] = []
    WorkerPool(threads: 1).run(10, grain: 4) { range, _ in ranges.append(range) }
    #expect(ranges == [0..<4, 4..<8, 8..<10])
  }

  /// Known answers of the generator's authors (Random123, kat_vectors: philox4x32, 10 rounds).
  @Test func philoxGivesTheKnownAnswers() {
    #expect(
      RandomStream.philox(counter: (0, 0, 0, 0), key: (0, 0))
        == (0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    let ones = UInt32.max
    #expect(
      RandomStream.philox(counter: (ones, ones, ones, ones), key: (ones, ones))
        == (0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
  }

  @Test func aStreamContinuesFromItsState() {
    for used in 0..<5 {
      var stream = RandomStream(seed: 7, stream: 3)
      for _ in 0..<used { _ = stream.next() }
      var again = RandomStream(state: stream.state)
      #expect((0..<9).map { _ in stream.next() } == (0..<9).map { _ in again.next() })
    }
    var (one, other) = (RandomStream(seed: 7), RandomStream(seed: 7, stream: 1))
    #expect(one.next() != other.next())
    // A state that never was: a spare word of no block.
    var odd = RandomStream(state: .init(key: 1, counter: 0, left: 1))
    #expect(odd.next() == RandomStream.block(key: 1, counter: 0).0)
  }

  @Test func normalsHaveTheMomentsOfNormals() {
    var random = RandomStream(seed: 5)
    let values = random.normal([200_001]).values.map(Double.init)
    let n = Double(values.count)
    let mean = values.reduce(0, +) / n
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    let fourth = values.reduce(0) { $0 + pow($1 - mean, 4) } / n
    // Within five standard errors.
    #expect(abs(mean) < 5 / n.squareRoot())
    #expect(abs(variance - 1) < 5 * (2 / n).squareRoot())
    #expect(abs(fourth - 3) < 5 * (96 / n).squareRoot())
    let uniform = random.uniform([10_000], from: -2, to: 3).values
    #expect(uniform.min()! >= -2 && uniform.max()! < 3 && abs(uniform.reduce(0, +) / 10_000 - 0.5) < 0.1)
  }
}
