import CKernels
import Foundation
import Tensors
import Testing

/// Attention over a cache, and what lies between products, against loops in double precision.
@Suite struct CellAttentionTests {
  /// Keys and values of one head in blocks of `blockCells`, with something else before, between and behind.
  final class Cache {
    let format: ck_cell_format
    let (headSize, blockCells): (Int, Int)
    /// What the cells hold after rounding, [cell][headSize].
    var (keys, values): ([[Float]], [[Float]]) = ([], [])
    private var (keyBlocks, valueBlocks): ([UnsafeMutablePointer<UInt8>], [UnsafeMutablePointer<UInt8>]) = (
      [], []
    )
    private let (offset, stride): (Int, Int)

    init(_ format: ck_cell_format, headSize: Int, blockCells: Int, cells: Int) {
      (self.format, self.headSize, self.blockCells) = (format, headSize, blockCells)
      (offset, stride) = (5, ck_cell_bytes(format, headSize) + 3)
      var random = RandomStream(seed: 9)
      for cell in 0..<cells {
        if cell % blockCells == 0 {
          for _ in 0..<2 {
            let block = UnsafeMutablePointer<UInt8>.allocate(capacity: offset + stride * blockCells)
            block.update(repeating: 0xFF, count: offset + stride * blockCells)
            if keyBlocks.count == valueBlocks.count {
              keyBlocks.append(block)
            } else {
              valueBlocks.append(block)
            }
          }
        }
        for isKey in [true, false] {
          let x = random.normal([headSize]).values
          let at = (isKey ? keyBlocks : valueBlocks)[cell / blockCells] + offset + cell % blockCells * stride
          ck_cell_store(format, x, headSize, at)
          var kept = [Float](repeating: .nan, count: headSize)
          ck_cell_load(format, at, headSize, &kept)
          for (a, b) in zip(kept, x) { #expect(abs(a - b) <= (format == CK_CELL_F32 ? 0 : 0.02)) }
          if isKey { keys.append(kept) } else { values.append(kept) }
        }
      }
    }

    deinit { for block in keyBlocks + valueBlocks { block.deallocate() } }

    func attend(
      _ q: [Float], rows: Int, heads: Int, seen: Int, path: [Int32] = []
    ) -> [Float] {
      let (keys, values) = (
        keyBlocks.map { UnsafePointer($0) as UnsafePointer<UInt8>? },
        valueBlocks.map { UnsafePointer($0) as UnsafePointer<UInt8>? }
      )
      var out = [Float](repeating: .nan, count: rows * heads * headSize)
      var scratch = [Float](repeating: .nan, count: ck_cells_scratch(rows, seen, path.count))
      keys.withUnsafeBufferPointer { keys in
        values.withUnsafeBufferPointer { values in
          var cells = ck_cells(
            format: format, head_size: headSize, block_cells: blockCells, offset: offset, stride: stride,
            keys: keys.baseAddress, values: values.baseAddress)
          let width = heads * headSize
          ck_attention_over_cells(
            q, width, rows, heads, &cells, seen, path, path.count, 1 / Float(headSize).squareRoot(), &scratch,
            &out, width)
        }
      }
      return out
    }

    func reference(_ q: ArraySlice<Float>, cells: [Int]) -> [Double] {
      let q = Array(q)
      let scores = cells.map { cell in
        zip(q, keys[cell]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / Double(headSize).squareRoot()
      }
      let top = scores.max()!
      let weights = scores.map { exp($0 - top) }
      let sum = weights.reduce(0, +)
      return (0..<headSize).map { i in
        zip(weights, cells).reduce(0.0) { $0 + $1.0 / sum * Double(values[$1.1][i]) }
      }
    }
  }

  static let formats = [CK_CELL_F32, CK_CELL_F16, CK_CELL_S8]

  static func atLevel<Result>(_ level: KernelLevel, _ body: () -> Result) -> Result {
    #expect(ck_set_thread_level(Int32(level.rawValue)))
    defer { _ = ck_set_thread_level(-1) }
    return body()
  }

  @Test(arguments: formats, [8, 16, 64, 71, 128])
  func equalsTheReference(_ format: ck_cell_format, _ headSize: Int) {
    let heads = 3
    let cache = Cache(format, headSize: headSize, blockCells: 16, cells: 70)
    var random = RandomStream(seed: 10)
    for level in KernelLevel.allCases where level.isAvailable {
      for (rows, seen, path) in [(1, 1, []), (1, 33, []), (1, 20, [40, 69, 41]), (9, 1, []), (6, 60, [])] {
        let q = random.normal([rows, heads * headSize]).values
        let path = path.map(Int32.init)
        let got = Self.atLevel(level) { cache.attend(q, rows: rows, heads: heads, seen: seen, path: path) }
        for row in 0..<rows {
          for head in 0..<heads {
            let start = (row * heads + head) * headSize
            let wanted = cache.reference(
              q[start..<start + headSize], cells: Array(0..<seen + row) + path.map(Int.init))
            for i in 0..<headSize {
              #expect(
                abs(Double(got[start + i]) - wanted[i]) < 2e-5, "\(level), row \(row), head \(head), \(i)")
            }
          }
        }
      }
    }
  }

  @Test(arguments: formats) func rowsDoNotDependOnTheRowsBeside(_ format: ck_cell_format) {
    let (headSize, heads, rows, seen) = (72, 2, 11, 30)
    let cache = Cache(format, headSize: headSize, blockCells: 8, cells: 64)
    var random = RandomStream(seed: 12)
    let q = random.normal([rows, heads * headSize]).values
    for level in KernelLevel.allCases where level.isAvailable {
      Self.atLevel(level) {
        let together = cache.attend(q, rows: rows, heads: heads, seen: seen)
        for row in 0..<rows {
          let part = row * heads * headSize..<(row + 1) * heads * headSize
          let alone = cache.attend(Array(q[part]), rows: 1, heads: heads, seen: seen + row)
          #expect(Array(together[part]) == alone, "\(level), row \(row)")
          // The same cells, some of them named by a path.
          let path = (seen - 5..<seen + row).map(Int32.init)
          let named = cache.attend(Array(q[part]), rows: 1, heads: heads, seen: seen - 5, path: path)
          #expect(named == alone, "\(level), row \(row) by a path")
        }
      }
    }
  }

  @Test func numbersThatAreNoneShow() {
    for format in Self.formats {
      let cache = Cache(format, headSize: 16, blockCells: 4, cells: 8)
      var q = [Float](repeating: 1, count: 16)
      q[3] = .nan
      for level in KernelLevel.allCases where level.isAvailable {
        let y = Self.atLevel(level) { cache.attend(q, rows: 1, heads: 1, seen: 8) }
        #expect(y.allSatisfy { $0.isNaN }, "\(level)")
      }
    }
    var cell = [UInt8](repeating: 0, count: 8)
    ck_cell_store(CK_CELL_S8, [1, .infinity, 2, 3], 4, &cell)
    var kept = [Float](repeating: 0, count: 4)
    ck_cell_load(CK_CELL_S8, cell, 4, &kept)
    #expect(kept.allSatisfy { $0.isNaN })
  }

  @Test(arguments: [1, 7, 16, 33, 576]) func residualNormAndGate(_ columns: Int) {
    let rows = 3
    let epsilon: Float = 1e-6
    var random = RandomStream(seed: 13)
    let (h, branch) = (random.normal([rows, columns]).values, random.normal([rows, columns]).values)
    let (gain, branchGain) = (random.normal([columns]).values, random.normal([columns]).values)
    func rms(_ x: [Float]) -> [Double] {
      let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(columns)
      return x.map { Double($0) / (mean + Double(epsilon)).squareRoot() }
    }
    for level in KernelLevel.allCases where level.isAvailable {
      for (hasBranch, hasGain, hasOut) in [
        (true, true, true), (true, false, true), (false, false, true), (true, true, false),
      ] {
        var (sum, out) = (h, [Float](repeating: .nan, count: rows * columns))
        Self.atLevel(level) {
          branch.withUnsafeBufferPointer { branch in
            branchGain.withUnsafeBufferPointer { branchGain in
              out.withUnsafeMutableBufferPointer { out in
                ck_residual_norm(
                  &sum, hasBranch ? branch.baseAddress : nil, hasGain ? branchGain.baseAddress : nil, gain,
                  hasOut ? out.baseAddress : nil, rows, columns, epsilon)
              }
            }
          }
        }
        for row in 0..<rows {
          let part = row * columns..<(row + 1) * columns
          let added = hasGain ? rms(Array(branch[part])) : branch[part].map { Double($0) }
          for c in 0..<columns {
            let wanted =
              Double(h[part][part.lowerBound + c])
              + (hasBranch ? added[c] * (hasGain ? Double(branchGain[c]) : 1) : 0)
            #expect(abs(Double(sum[part.lowerBound + c]) - wanted) < 1e-5, "\(level), column \(c)")
          }
          guard hasOut else { continue }
          for (c, value) in rms(Array(sum[part])).enumerated() {
            #expect(
              abs(Double(out[part.lowerBound + c]) - value * Double(gain[c])) < 1e-5, "\(level), column \(c)")
          }
        }
      }
      var y = [Float](repeating: .nan, count: h.count)
      Self.atLevel(level) { ck_silu_multiply(h, branch, &y, h.count) }
      for i in h.indices {
        let wanted = Double(h[i]) / (1 + exp(-Double(h[i]))) * Double(branch[i])
        #expect(abs(Double(y[i]) - wanted) < 1e-6 * (1 + abs(wanted)), "\(level), \(i)")
      }
    }
  }
}

extension ck_cell_format: @retroactive CustomTestStringConvertible {
  public var testDescription: String { "\(rawValue)" }
}
