/// Names of nodes, numbered in the order of their first appearance.
///
/// An open hash table over one pool of bytes; Swift's randomly seeded hash, so that no file can be made of collisions.
/// Memory: the names once, and 16 bytes a node.
struct NodeTable {
  private var pool: [UInt8] = []
  private var starts: [Int] = [0]
  /// Node numbers plus one; 0 is free.
  private var slots = [Int32](repeating: 0, count: 64)

  var count: Int { starts.count - 1 }

  func name(_ node: Int) -> String { String(decoding: pool[starts[node]..<starts[node + 1]], as: UTF8.self) }

  /// The node of that name, or `nil`.
  func find(_ name: ArraySlice<UInt8>) -> Int? {
    let slot = slots[slot(for: name)]
    return slot == 0 ? nil : Int(slot) - 1
  }

  /// The node of that name, which may be a new one.
  mutating func node(_ name: ArraySlice<UInt8>) -> Int {
    let slot = slot(for: name)
    if slots[slot] != 0 { return Int(slots[slot]) - 1 }
    pool.append(contentsOf: name)
    starts.append(pool.count)
    slots[slot] = Int32(count)
    if count * 2 > slots.count { grow() }
    return count - 1
  }

  private func hash(_ name: UnsafeRawBufferPointer) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: name)
    return hasher.finalize()
  }

  private func slot(for name: ArraySlice<UInt8>) -> Int {
    name.withUnsafeBytes { name in
      pool.withUnsafeBytes { pool in
        var slot = hash(name) & (slots.count - 1)
        while slots[slot] != 0 {
          let node = Int(slots[slot]) - 1
          let candidate = pool[starts[node]..<starts[node + 1]]
          if candidate.count == name.count && candidate.elementsEqual(name) { break }
          slot = (slot + 1) & (slots.count - 1)
        }
        return slot
      }
    }
  }

  private mutating func grow() {
    var larger = [Int32](repeating: 0, count: slots.count * 2)
    pool.withUnsafeBytes { pool in
      for node in 0..<count {
        var slot =
          hash(UnsafeRawBufferPointer(rebasing: pool[starts[node]..<starts[node + 1]])) & (larger.count - 1)
        while larger[slot] != 0 { slot = (slot + 1) & (larger.count - 1) }
        larger[slot] = Int32(node + 1)
      }
    }
    slots = larger
  }

  /// The numbers that the names are, if all are whole numbers without signs and leading zeros.
  var numbers: [Int]? {
    var numbers: [Int] = []
    numbers.reserveCapacity(count)
    for node in 0..<count {
      let name = pool[starts[node]..<starts[node + 1]]
      guard name.count <= 18, name.count == 1 || name.first != 48, !name.isEmpty else { return nil }
      var number = 0
      for byte in name {
        guard byte &- 48 < 10 else { return nil }
        number = number * 10 + Int(byte &- 48)
      }
      numbers.append(number)
    }
    return numbers
  }
}
