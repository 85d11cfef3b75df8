import CKernels
import LanguageModel
import Tensors
import Testing

/// Matrices that tests make.
enum TestMatrix {
  static func random(
    _ rows: Int, _ columns: Int, _ format: WeightMatrix.Format, seed: UInt64 = 1
  ) -> (matrix: WeightMatrix, values: Tensor) {
    var random = RandomStream(seed: seed)
    let values = random.normal([rows, columns])
    let matrix = WeightMatrix.pack(rows: rows, columns: columns, to: format) { row, out in
      out.update(from: values.pointer + row * columns, count: columns)
    }
    return (matrix, values)
  }

  static func values(_ matrix: WeightMatrix) -> [Float] {
    var out = [Float](repeating: 0, count: matrix.rows * matrix.columns)
    matrix.dequantize(rows: 0..<matrix.rows, into: &out)
    return out
  }
}

@Suite struct WeightMatrixTests {
  static let shapes = [(1, 1), (3, 7), (16, 32), (17, 33), (48, 576), (40, 100), (33, 64), (130, 160)]

  /// What a format keeps of a weight: half a step of its group, or half a unit of its last place.
  @Test(arguments: WeightMatrix.Format.allCases, shapes)
  func packingErrsByHalfAStepAtMost(_ format: WeightMatrix.Format, _ shape: (Int, Int)) {
    let (rows, columns) = shape
    let (matrix, values) = TestMatrix.random(rows, columns, format)
    let kept = TestMatrix.values(matrix)
    for row in 0..<rows {
      for group in stride(from: 0, to: columns, by: 32) {
        let range = row * columns + group..<row * columns + min(group + 32, columns)
        let wanted = range.map { values.pointer[$0] }
        let (low, high) = (wanted.min()!, wanted.max()!)
        let top = max(abs(low), abs(high))
        for (index, value) in zip(range, wanted) {
          let bound: Float =
            switch format {
            case .float32: 0
            case .float16: abs(value) / 2048 + 1e-7
            case .bfloat16: abs(value) / 256
            // Half a step; the scale's rounding to f16 moves the last step by 127 / 2048 of one.
            case .int8: top / 127 * 0.57
            // Cut off at 7 steps of which the greatest is 8 or 8.5.
            case .int4: top / 8.5 * 1.51 + 1e-6
            case .int4Affine: (high - low) / 15 * 0.51 + abs(low) / 2048 + 1e-6
            }
          #expect(abs(kept[index] - value) <= bound, "\(format), row \(row), \(value) became \(kept[index])")
        }
      }
    }
  }

  /// Squared errors of normal numbers: half a bit less costs an eighth.
  @Test func affineErrsLess() {
    func error(_ format: WeightMatrix.Format) -> Float {
      let (matrix, values) = TestMatrix.random(64, 2048, format)
      return zip(TestMatrix.values(matrix), values.values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let (plain, affine) = (error(.int4), error(.int4Affine))
    #expect(plain > affine && plain < 1.16 * affine, "\(plain / affine)")
  }

  /// Few rows through the kernels, many through the matrix product, against the obvious loop.
  @Test(arguments: WeightMatrix.Format.allCases, shapes)
  func productsEqualTheReference(_ format: WeightMatrix.Format, _ shape: (Int, Int)) {
    let (rows, columns) = shape
    let (matrix, _) = TestMatrix.random(rows, columns, format)
    var random = RandomStream(seed: 2)
    for batch in [1, 2, 5, 8, 9, 16, 17, 40] {
      let x = random.normal([batch, columns])
      let isSmall = batch <= WeightMatrix.decodeRows
      let inBFloat16 = isSmall ? format == .bfloat16 : format.fitsBFloat16 && BFloat16Panels.pays
      // Bit patterns of bf16 are the upper halves of f32's: the product then rounds nothing.
      if inBFloat16 {
        for i in 0..<batch * columns {
          x.pointer[i] = Float(bitPattern: x.pointer[i].bitPattern & 0xffff_0000)
        }
      }
      var (got, wanted) = (
        [Float](repeating: .nan, count: batch * rows), [Float](repeating: 0, count: batch * rows)
      )
      matrix.multiply(x.pointer, batch: batch, into: &got)
      matrix.multiplyReference(x.pointer, batch: batch, into: &wanted)
      // Activations in eight bits err by 1/254 of the greatest of 32, at random; weights in bf16 by 1/512.
      let tolerance: Float = !format.hasGroups ? 2e-5 : isSmall ? 0.03 : inBFloat16 ? 8e-3 : 2e-5
      let size = Float(columns).squareRoot() + 1
      for i in got.indices {
        #expect(abs(got[i] - wanted[i]) <= tolerance * size, "\(format), batch \(batch), output \(i)")
      }
    }
  }

  @Test func severalMatricesInOneDispatch() {
    let columns = 96
    let matrices = WeightMatrix.Format.allCases.enumerated().map { index, format in
      TestMatrix.random(20 + 31 * index, columns, format, seed: UInt64(index)).matrix
    }
    var random = RandomStream(seed: 5)
    for batch in [1, 3, 20] {
      let x = random.normal([batch, columns])
      let together = matrices.map { Tensor(zeros: [batch, $0.rows]) }
      let alone = matrices.map { Tensor(zeros: [batch, $0.rows]) }
      WeightMatrix.multiply(x.pointer, batch: batch, by: zip(matrices, together).map { ($0, $1.pointer) })
      for (matrix, y) in zip(matrices, alone) { matrix.multiply(x.pointer, batch: batch, into: y.pointer) }
      for (a, b) in zip(together, alone) { #expect(a.values == b.values) }
    }
  }

  @Test func rowsFromTheMiddle() {
    for format in WeightMatrix.Format.allCases {
      let (matrix, _) = TestMatrix.random(50, 40, format)
      let all = TestMatrix.values(matrix)
      for rows in [0..<0, 3..<4, 15..<17, 10..<45, 48..<50] {
        var part = [Float](repeating: .nan, count: rows.count * 40)
        matrix.dequantize(rows: rows, into: &part)
        #expect(part == Array(all[rows.lowerBound * 40..<rows.upperBound * 40]))
      }
    }
  }
}
