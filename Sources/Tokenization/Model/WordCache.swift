/// Tokens of words seen lately: a table with one place per hash, so that memory is fixed and nothing is ever searched.
///
/// Of one encoding at a time. Memory: 1 MiB. Words of up to 24 bytes and 9 tokens are kept, which is nearly all text.
final class WordCache {
  static let longestWord = 24
  static let mostTokens = 9
  private static let bits = 14

  /// 64 bytes, a cache line.
  private struct Entry {
    var key: (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// Bytes of the word plus 256 times its tokens; 0 for an empty place.
    var counts: UInt32 = 0
    var tokens: (Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0, 0, 0, 0)
  }

  private let entries: UnsafeMutablePointer<Entry>

  init() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: (1 << Self.bits) * 64, alignment: 64)
    entries = memory.bindMemory(to: Entry.self, capacity: 1 << Self.bits)
    entries.initialize(repeating: Entry(), count: 1 << Self.bits)
  }

  deinit { entries.deallocate() }

  struct Key {
    fileprivate var parts: (UInt64, UInt64, UInt64)
    fileprivate var count: UInt32
    fileprivate var index: Int
  }

  /// - Parameter p: `longestWord` bytes can be read, whatever `count`.
  /// - Precondition: 1 ≤ count ≤ `longestWord`.
  @inline(__always)
  static func key(_ p: UnsafePointer<UInt8>, _ count: Int) -> Key {
    let raw = UnsafeRawPointer(p)
    func part(_ offset: Int) -> UInt64 {
      let bytes = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let rest = count - offset
      return rest >= 8 ? bytes : rest <= 0 ? 0 : bytes & (1 << UInt64(rest * 8) - 1)
    }
    let parts = (part(0), part(8), part(16))
    let sum =
      parts.0 &* 0x9e37_79b9_7f4a_7c15 ^ parts.1 &* 0xc2b2_ae3d_27d4_eb4f ^ parts.2 &* 0x1656_67b1_9e37_79f9
    let mixed = (sum ^ sum >> 29) &* 0xbf58_476d_1ce4_e5b9
    return Key(parts: parts, count: UInt32(count), index: Int(mixed >> UInt64(64 - bits)))
  }

  /// Appends the tokens of a word, if they are known.
  @inline(__always)
  func find(_ key: Key, into output: inout TokenBuffer) -> Bool {
    let entry = entries + key.index
    guard entry.pointee.counts & 0xff == key.count, entry.pointee.key == key.parts else { return false }
    let count = Int(entry.pointee.counts >> 8)
    let tokens = UnsafeRawPointer(entry).advanced(by: 28).assumingMemoryBound(to: Int32.self)
    output.append(tokens, count, atMost: Self.mostTokens)
    return true
  }

  func keep(_ key: Key, _ tokens: UnsafePointer<Int32>, _ count: Int) {
    guard count <= Self.mostTokens else { return }
    let entry = entries + key.index
    entry.pointee.key = key.parts
    entry.pointee.counts = key.count | UInt32(count) << 8
    UnsafeMutableRawPointer(entry).advanced(by: 28).copyMemory(from: tokens, byteCount: count * 4)
  }
}

/// Tokens as they are found. Grows by doubling.
struct TokenBuffer: ~Copyable {
  private(set) var pointer: UnsafeMutablePointer<Int32>
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int) {
    self.capacity = max(capacity, 64)
    pointer = .allocate(capacity: self.capacity)
  }

  deinit { pointer.deallocate() }

  @inline(__always)
  mutating func append(_ token: Int32) {
    if count == capacity { grow(1) }
    pointer[count] = token
    count += 1
  }

  /// - Parameter limit: so many can be read at `tokens`; copying them all is faster than asking how many are meant.
  @inline(__always)
  mutating func append(_ tokens: UnsafePointer<Int32>, _ added: Int, atMost limit: Int) {
    if count + limit > capacity { grow(limit) }
    for index in 0..<limit { pointer[count + index] = tokens[index] }
    count += added
  }

  @inline(never)
  private mutating func grow(_ added: Int) {
    capacity = max(capacity * 2, count + added)
    let larger = UnsafeMutablePointer<Int32>.allocate(capacity: capacity)
    larger.update(from: pointer, count: count)
    pointer.deallocate()
    pointer = larger
  }

  var array: [TokenID] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
