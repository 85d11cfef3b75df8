import CKernels
import LanguageModel
import Tensors
import Testing

/// The products of a few rows: bit by bit the same on every instruction set, and whatever else is in the batch.
@Suite struct DecodeKernelTests {
  static let shapes = [
    (1, 1), (3, 7), (16, 32), (17, 33), (48, 576), (40, 100), (33, 64), (130, 160), (97, 2048),
  ]

  static func product(_ matrix: WeightMatrix, _ x: [Float], batch: Int, pool: WorkerPool) -> [Float] {
    var y = [Float](repeating: .nan, count: batch * matrix.rows)
    matrix.multiply(x, batch: batch, into: &y, pool: pool)
    return y
  }

  /// The levels of this processor below the best, each without integer dot products if they can be left out.
  static func atLevel<Result>(_ level: KernelLevel, _ body: () -> Result) -> Result {
    #expect(ck_set_thread_level(Int32(level.rawValue)))
    defer { _ = ck_set_thread_level(-1) }
    return body()
  }

  /// One thread, because levels are chosen for a thread.
  static let alone = WorkerPool(threads: 1)

  @Test(arguments: WeightMatrix.Format.allCases, shapes)
  func levelsAgreeBitByBit(_ format: WeightMatrix.Format, _ shape: (Int, Int)) {
    let (matrix, _) = TestMatrix.random(shape.0, shape.1, format)
    var random = RandomStream(seed: 4)
    for batch in [1, 2, 3, 4, 5, 6, 7, 8, 11, 16] {
      let x = random.normal([batch, shape.1]).values
      let wanted = Self.atLevel(.scalar) { Self.product(matrix, x, batch: batch, pool: Self.alone) }
      for level in KernelLevel.allCases where level != .scalar && level.isAvailable {
        let got = Self.atLevel(level) { Self.product(matrix, x, batch: batch, pool: Self.alone) }
        #expect(got == wanted, "\(level), \(format), \(shape), batch \(batch)")
      }
    }
  }

  /// Packing and reading back, with a group that is not finite and one that is constant.
  @Test(arguments: WeightMatrix.Format.allCases, shapes)
  func levelsPackAlike(_ format: WeightMatrix.Format, _ shape: (Int, Int)) {
    let (rows, columns) = shape
    var random = RandomStream(seed: 5)
    var values = random.normal([rows, columns]).values
    values[rows * columns / 2] = .nan
    for c in 0..<min(columns, 40) { values[(rows - 1) * columns + c] = 0.3 }
    func pack() -> WeightMatrix {
      WeightMatrix.pack(rows: rows, columns: columns, to: format, pool: Self.alone) { row, out in
        for c in 0..<columns { out[c] = values[row * columns + c] }
      }
    }
    let wanted = Self.atLevel(.scalar, pack)
    func bytes(_ matrix: WeightMatrix) -> [UInt8] {
      withExtendedLifetime(matrix) { Array(matrix.bytes.buffer) }
    }
    // As bits, because NaN equals nothing.
    let wantedValues = Self.atLevel(.scalar) { TestMatrix.values(wanted) }.map(\.bitPattern)
    for level in KernelLevel.allCases where level != .scalar && level.isAvailable {
      #expect(bytes(Self.atLevel(level, pack)) == bytes(wanted), "\(level)")
      #expect(Self.atLevel(level) { TestMatrix.values(wanted) }.map(\.bitPattern) == wantedValues, "\(level)")
    }
  }

  @Test(arguments: WeightMatrix.Format.allCases, shapes)
  func rowsDoNotDependOnTheBatch(_ format: WeightMatrix.Format, _ shape: (Int, Int)) {
    let (rows, columns) = shape
    let (matrix, _) = TestMatrix.random(rows, columns, format)
    var random = RandomStream(seed: 6)
    let x = random.normal([WeightMatrix.decodeRows, columns]).values
    let single = (0..<WeightMatrix.decodeRows).map { row in
      Self.product(matrix, Array(x[row * columns..<(row + 1) * columns]), batch: 1, pool: .shared)
    }
    let threads = WorkerPool(threads: 3)
    for batch in 1...WeightMatrix.decodeRows {
      // The last rows, so that a row's place in the batch changes too.
      let first = WeightMatrix.decodeRows - batch
      let y = Self.product(matrix, Array(x[(first * columns)...]), batch: batch, pool: threads)
      for b in 0..<batch {
        #expect(Array(y[b * rows..<(b + 1) * rows]) == single[first + b], "row \(b) of \(batch)")
      }
    }
  }

  @Test(arguments: WeightMatrix.Format.allCases) func extremes(_ format: WeightMatrix.Format) {
    let (rows, columns) = (20, 100)
    let (matrix, _) = TestMatrix.random(rows, columns, format)
    for level in KernelLevel.allCases where level.isAvailable {
      func product(_ x: [Float]) -> [Float] {
        Self.atLevel(level) { Self.product(matrix, x, batch: 2, pool: Self.alone) }
      }
      #expect(product([Float](repeating: 0, count: 2 * columns)).allSatisfy { $0 == 0 }, "\(level)")
      // What is not finite shows in its own row and nowhere else, in the last columns too.
      for (place, value) in [(3, Float.nan), (99, .nan), (40, .infinity), (99, -.infinity)] {
        var x = [Float](repeating: 0.5, count: 2 * columns)
        x[place] = value
        let y = product(x)
        #expect(y[..<rows].allSatisfy { !$0.isFinite }, "\(level): \(value) at \(place)")
        #expect(y[rows...].allSatisfy { $0.isFinite }, "\(level): \(value) at \(place)")
      }
      // Sizes from one end of f32 to the other; eight bits take activations below 1e-36 for zeros, and products of bf16
      // pairs every sum below the smallest normal number.
      for size in [Float.leastNonzeroMagnitude, 1e-37, 1e-35, 1e-20, 1e20, 1e35] {
        let x = (0..<2 * columns).map { $0 % 3 == 0 ? size : -size / 2 }
        var wanted = [Float](repeating: 0, count: 2 * rows)
        matrix.multiplyReference(x, batch: 2, into: &wanted)
        let isZero = format.hasGroups && size < 1e-36
        let lost = format == .bfloat16 ? 100 * Float.leastNormalMagnitude : 100 * .leastNonzeroMagnitude
        let y = product(x)
        #expect(
          y.indices.allSatisfy {
            isZero ? y[$0] == 0 : abs(y[$0] - wanted[$0]) <= 0.5 * size + lost
          },
          "\(level): \(size)")
      }
    }
  }

  /// The greatest integers a group can sum: no step may saturate.
  @Test func largestWeightsTimesLargestActivations() {
    let (rows, columns) = (32, 64)
    for (format, low) in [(WeightMatrix.Format.int8, Float(-1)), (.int4, 0), (.int4, -1), (.int4Affine, 0)] {
      let matrix = WeightMatrix.pack(rows: rows, columns: columns, to: format) { row, values in
        for c in 0..<columns { values[c] = row % 2 == 0 || c == 1 ? 1 : low }
      }
      for sign in [Float(1), -1] {
        let x = [Float](repeating: sign, count: columns)
        var wanted = [Float](repeating: 0, count: rows)
        matrix.multiplyReference(x, batch: 1, into: &wanted)
        for level in KernelLevel.allCases where level.isAvailable {
          let y = Self.atLevel(level) { Self.product(matrix, x, batch: 1, pool: Self.alone) }
          for (a, b) in zip(y, wanted) { #expect(abs(a - b) <= 1e-3 * abs(b) + 1e-3, "\(level), \(format)") }
        }
      }
    }
  }

  /// Q8_0 blocks may hold -128, which our own packing never makes.
  @Test func bytesOfMinus128() {
    let block = [UInt8]([0x00, 0x3C]) + [UInt8](repeating: 0x80, count: 32)
    let matrix = WeightMatrix.repack(
      SharedBytes.copy(Array(repeatElement(block, count: 16).joined())), .q80, rows: 16, columns: 32)
    let x = (0..<32).map { _ in Float(1) }
    for level in KernelLevel.allCases where level.isAvailable {
      let y = Self.atLevel(level) { Self.product(matrix, x, batch: 1, pool: Self.alone) }
      for value in y { #expect(abs(value + 128 * 32) < 0.01, "\(level)") }
    }
  }

  @Test func weightsNeedNoAlignment() {
    let (rows, columns) = (9, 50)
    for format in [WeightMatrix.Format.float32, .float16, .bfloat16] {
      let (matrix, _) = TestMatrix.random(rows, columns, format)
      let shifted = SharedBytes.copy([0xFF] + withExtendedLifetime(matrix) { Array(matrix.bytes.buffer) })[
        1..<matrix.byteCount + 1]
      let other = WeightMatrix(shifted, format: format, rows: rows, columns: columns)
      var random = RandomStream(seed: 8)
      let x = random.normal([3, columns]).values
      #expect(
        Self.product(other, x, batch: 3, pool: .shared) == Self.product(matrix, x, batch: 3, pool: .shared))
      #expect(TestMatrix.values(other) == TestMatrix.values(matrix))
    }
  }
}
