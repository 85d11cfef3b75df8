import Foundation
import Tensors

/// Damage to valid files, in a bounded number of cases, or for LOOPED_FUZZ_SECONDS seconds.
///
/// Cases are the same in every run: a failure names its case.
package enum Fuzzing {
  package static let seconds = ProcessInfo.processInfo.environment["LOOPED_FUZZ_SECONDS"].flatMap(Double.init)

  /// Calls `body` with damaged copies of `valid`: bytes, whole words, ranges changed, cut, doubled, moved.
  /// - Parameter keep: leading bytes that stay, so that most cases come further than the magic number.
  /// - Returns: how many cases there were.
  @discardableResult
  package static func mutate(
    _ valid: [UInt8], keep: Int = 0, cases: Int, seed: UInt64 = 1, _ body: ([UInt8]) throws -> Void
  ) rethrows -> Int {
    var random = RandomStream(seed: seed)
    let end = seconds.map { Date(timeIntervalSinceNow: $0) }
    var done = 0
    while end.map({ Date() < $0 }) ?? (done < cases) {
      try body(damaged(valid, keep: keep, random: &random))
      done += 1
    }
    return done
  }

  private static func damaged(_ valid: [UInt8], keep: Int, random: inout RandomStream) -> [UInt8] {
    var bytes = valid
    func below(_ bound: Int) -> Int { Int(random.next() % UInt32(max(bound, 1))) }
    func place() -> Int { keep + below(bytes.count - keep) }
    for _ in 0...below(4) {
      guard bytes.count > keep + 1 else { break }
      switch below(8) {
      case 0, 1: bytes[place()] = UInt8(truncatingIfNeeded: random.next())
      case 2: bytes[place()] ^= 1 << UInt8(below(8))
      case 3:
        // A number at the limits of its type.
        let values: [UInt64] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 62, .max, .max - 31, 1 << 32]
        let (value, start) = (values[below(values.count)], place())
        for index in 0..<(1 << below(4)) where start + index < bytes.count {
          bytes[start + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
        }
      case 4: bytes.removeLast(below(bytes.count - keep))
      case 5:
        let start = place()
        bytes.removeSubrange(start..<min(start + 1 + below(16), bytes.count))
      case 6:
        let start = place()
        bytes.insert(contentsOf: bytes[start..<min(start + 1 + below(64), bytes.count)], at: place())
      default:
        let (start, other) = (place(), place())
        for index in 0..<below(16) where max(start, other) + index < bytes.count {
          bytes[start + index] = bytes[other + index]
        }
      }
    }
    return bytes
  }
}
