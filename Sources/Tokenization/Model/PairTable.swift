/// Pairs of numbers and what they map to: an open hash table that is written once and read without locks.
///
/// Memory: 16 bytes a slot, two to four slots an entry. Numbers are mixed with a number drawn at the start of the process,
/// so that no file can be made whose entries collide.
final class PairTable: @unchecked Sendable {
  /// What `lookup` returns for a pair that is not in the table.
  static let missing = UInt64.max

  private struct Slot {
    var key: UInt64
    var value: UInt64
  }
  static let seed = UInt64.random(in: .min ... .max) | 1

  private let slots: UnsafeMutablePointer<Slot>
  private let mask: UInt64

  /// - Parameter capacity: the most entries that will be set.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = .allocate(capacity: size)
    // No pair has this key: numbers are smaller than 2³².
    slots.initialize(repeating: Slot(key: .max, value: .max), count: size)
    mask = UInt64(size - 1)
  }

  deinit { slots.deallocate() }

  @inline(__always)
  private func start(_ key: UInt64) -> UInt64 {
    let product = (key ^ Self.seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return (product.high ^ product.low) & mask
  }

  /// Sets the value of a pair, also if it has one. Only while the table is built.
  func set(_ left: UInt32, _ right: UInt32, to value: UInt64) {
    let key = UInt64(left) << 32 | UInt64(right)
    var index = start(key)
    while slots[Int(index)].key != .max && slots[Int(index)].key != key { index = (index + 1) & mask }
    slots[Int(index)] = Slot(key: key, value: value)
  }

  @inline(__always)
  func lookup(_ left: UInt32, _ right: UInt32) -> UInt64 {
    let key = UInt64(left) << 32 | UInt64(right)
    var index = start(key)
    while true {
      let slot = slots[Int(index)]
      if slot.key == key { return slot.value }
      if slot.key == .max { return Self.missing }
      index = (index + 1) & mask
    }
  }
}
