import CKernels
import Foundation
import LanguageModel
import Tensors
import Testing

/// Block formats of GGUF files: read as they are defined, written within their error, moved into tiles without loss.
@Suite struct BlockTests {
  typealias BlockFormat = WeightMatrix.BlockFormat

  /// Blocks of random bytes, with scales that are numbers.
  static func randomBlocks(_ format: BlockFormat, count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = RandomStream(seed: seed)
    var bytes = (0..<count * format.block.bytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    for block in 0..<count {
      let start = block * format.block.bytes
      for offset in format == .q6K ? [208] : format == .q80 || format == .q40 ? [0] : [0, 2] {
        let scale = Float16(Double(Int(random.next() % 2000) - 1000) / 3000)
        bytes[start + offset] = UInt8(scale.bitPattern & 255)
        bytes[start + offset + 1] = UInt8(scale.bitPattern >> 8)
      }
    }
    return bytes
  }

  static func values(_ format: BlockFormat, _ bytes: [UInt8]) -> [Float] {
    let count = bytes.count / format.block.bytes * format.block.values
    var out = [Float](repeating: .nan, count: count)
    format.dequantize(bytes, into: &out, count: count)
    return out
  }

  @Test func sizesAreThoseOfTheFormat() {
    let sizes = Dictionary(uniqueKeysWithValues: BlockFormat.allCases.map { ($0, $0.block) })
    #expect(sizes[.q80]! == (32, 34) && sizes[.q40]! == (32, 18) && sizes[.q41]! == (32, 20))
    #expect(sizes[.q4K]! == (256, 144) && sizes[.q6K]! == (256, 210))
  }

  /// One block of each by hand.
  @Test func valuesByTheDefinition() {
    let half: [UInt8] = [0x00, 0x38]  // 0.5
    let quarter: [UInt8] = [0x00, 0x34]
    let q8 = Self.values(.q80, half + (0..<32).map { UInt8(bitPattern: Int8($0 - 16)) })
    #expect(q8 == (0..<32).map { 0.5 * Float($0 - 16) })
    let nibbles = (0..<16).map { UInt8($0 | (15 - $0) << 4) }
    let q40 = Self.values(.q40, half + nibbles)
    let q41 = Self.values(.q41, half + quarter + nibbles)
    for i in 0..<32 {
      let q = i < 16 ? Float(i) : Float(31 - i)
      #expect(q40[i] == 0.5 * (q - 8) && q41[i] == 0.5 * q + 0.25, "value \(i)")
    }
    // Scales 1 to 8 (four bits suffice), minima 33 to 40 (bit 5 of the last four lies apart).
    let (scales, minima) = ((1...8).map { $0 }, (33...40).map { $0 })
    var packed = [UInt8](repeating: 0, count: 12)
    for j in 0..<4 {
      packed[j] = UInt8(scales[j] | (scales[j + 4] >> 4) << 6)
      packed[j + 4] = UInt8(minima[j] | (minima[j + 4] >> 4) << 6)
      packed[j + 8] = UInt8((scales[j + 4] & 15) | (minima[j + 4] & 15) << 4)
    }
    let q4k = Self.values(.q4K, half + quarter + packed + (0..<128).map { UInt8($0 % 16 | 3 << 4) })
    for i in 0..<256 {
      let q = (i / 32) % 2 == 0 ? Float(i % 16) : 3
      #expect(q4k[i] == 0.5 * Float(scales[i / 32]) * q - 0.25 * Float(minima[i / 32]), "value \(i)")
    }
    // Lower bits 5, upper bits 2: 37 - 32.
    let q6k = Self.values(
      .q6K,
      [UInt8](repeating: 0x55, count: 128) + [UInt8](repeating: 0b10_10_10_10, count: 64)
        + (0..<16).map { UInt8(bitPattern: Int8($0 - 8)) } + half)
    for i in 0..<256 { #expect(q6k[i] == 0.5 * Float(i / 16 - 8) * 5, "value \(i)") }
  }

  @Test(arguments: BlockFormat.allCases) func writingErrsLittle(_ format: BlockFormat) {
    var random = RandomStream(seed: 7)
    let count = 4 * 256
    let values = random.normal([count])
    var bytes = [UInt8](repeating: 0xAA, count: count / format.block.values * format.block.bytes)
    format.quantize(values.pointer, into: &bytes, count: count)
    let kept = Self.values(format, bytes)
    var error = 0.0
    for i in 0..<count { error += pow(Double(kept[i] - values.pointer[i]), 2) }
    // Root mean square error of normal values, a little above what the formats are known for.
    let bound = [BlockFormat.q80: 0.008, .q40: 0.11, .q41: 0.095, .q4K: 0.09, .q6K: 0.03][format]!
    #expect((error / Double(count)).squareRoot() < bound)
    // What was read can be written again without change.
    var again = [UInt8](repeating: 0, count: bytes.count)
    format.quantize(kept, into: &again, count: count)
    let twice = Self.values(format, again)
    for i in 0..<count { #expect(abs(twice[i] - kept[i]) <= 0.02 * (1 + abs(kept[i])), "value \(i)") }
  }

  @Test(arguments: BlockFormat.allCases) func zerosAndNumbersThatAreNone(_ format: BlockFormat) {
    let count = 256
    var bytes = [UInt8](repeating: 0xAA, count: count / format.block.values * format.block.bytes)
    format.quantize([Float](repeating: 0, count: count), into: &bytes, count: count)
    #expect(Self.values(format, bytes).allSatisfy { $0 == 0 })
    for odd in [Float.nan, .infinity, -.infinity] {
      var values = [Float](repeating: 0.25, count: count)
      values[5] = odd
      format.quantize(values, into: &bytes, count: count)
      #expect(!Self.values(format, bytes)[5].isFinite, "\(odd)")
    }
  }

  @Test(arguments: BlockFormat.allCases) func blocksMoveIntoTiles(_ format: BlockFormat) {
    let (rows, columns) = (35, 512)
    let blocks = Self.randomBlocks(format, count: rows * columns / format.block.values)
    let matrix = WeightMatrix.repack(SharedBytes.copy(blocks), format, rows: rows, columns: columns)
    #expect(matrix.format == format.packed && matrix.rows == rows && matrix.columns == columns)
    let (got, wanted) = (TestMatrix.values(matrix), Self.values(format, blocks))
    for i in got.indices {
      let tolerance: Float =
        switch format {
        // A product and a sum that are rounded once or twice.
        case .q80, .q40, .q41: 1e-6
        // Scales rounded to f16: of up to 63 · 1/3, times 15.
        case .q4K: 0.2
        // Steps of 1/127 of up to 128 · 32 / 3.
        case .q6K: 1366 / 127 * 0.6
        }
      #expect(abs(got[i] - wanted[i]) <= tolerance * (format == .q80 ? 0 : 1), "value \(i)")
    }
  }
}
