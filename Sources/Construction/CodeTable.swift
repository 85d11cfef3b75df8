/// Numbers distinct vectors by their bits: equal vectors have equal numbers. −0 counts as 0.
///
/// A vector is read as a sequence of *dials*, pairs of entries (the last may be a single one), and the table keeps proof
/// that the scalar product tells different vectors apart. Let m be the smallest |a_p|² − a_p·b_p over all dials p and all
/// different pairs a_p, b_p that occur as a dial p. Then for a query a, a key a scores more than any key b ≠ a:
///
///     a·a − a·b = Σ_p (|a_p|² − a_p·b_p) ≥ m > 0
///
/// in exact arithmetic, and in floating point if m is larger than the rounding of both sums, which is at most
/// 2·d·u·Σ|a_i b_i| for d entries, whatever the order of summation. `isTellingApart` says whether it is.
///
/// Memory: O(distinct vectors); complexity O(1) per look-up, and O(distinct dials) for a dial that is new.
final class CodeTable<Scalar: BinaryFloatingPoint & Sendable> {
  let dimension: Int
  private(set) var isTellingApart = true
  private var slots: [Int32]
  private var vectors: [Scalar] = []
  private var count = 0
  private var dials: [[(Scalar, Scalar)]]
  private var knownDials: [Set<SIMD2<UInt64>>]
  private var smallestGap = Double.infinity
  /// More different dials than this, and the vectors are not taken for codes.
  private static var mostDials: Int { 1 << 13 }
  private var largestNorm = 0.0

  static var none: Int32 { -1 }

  init(dimension: Int) {
    self.dimension = dimension
    slots = Array(repeating: -1, count: 64)
    dials = Array(repeating: [], count: (dimension + 1) / 2)
    knownDials = Array(repeating: [], count: (dimension + 1) / 2)
  }

  @inline(__always)
  func isEqual(_ id: Int32, _ vector: UnsafePointer<Scalar>) -> Bool {
    guard id >= 0 else {
      for i in 0..<dimension where vector[i] != 0 { return false }
      return true
    }
    return vectors.withUnsafeBufferPointer { vectors in
      for i in 0..<dimension where vectors[Int(id) * dimension + i] != vector[i] { return false }
      return true
    }
  }

  @inline(__always)
  private func bits(_ entry: Scalar) -> UInt64 { Double(entry == 0 ? 0 : entry).bitPattern }

  @inline(__always)
  private func hash(_ vector: UnsafePointer<Scalar>) -> Int {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
    for i in 0..<dimension {
      hash = (hash ^ bits(vector[i])) &* 0xff51_afd7_ed55_8ccd
      hash ^= hash >> 32
    }
    return Int(truncatingIfNeeded: hash >> 1)
  }

  /// The number of `vector`, which is `none` if it is zero.
  @inline(__always)
  func number(of vector: UnsafePointer<Scalar>) -> Int32 {
    if isEqual(Self.none, vector) { return Self.none }
    var slot = hash(vector) & (slots.count - 1)
    while slots[slot] >= 0 {
      if isEqual(slots[slot], vector) { return slots[slot] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return add(vector)
  }

  private func add(_ vector: UnsafePointer<Scalar>) -> Int32 {
    if 2 * (count + 1) > slots.count { grow() }
    let id = Int32(count)
    vectors.append(contentsOf: UnsafeBufferPointer(start: vector, count: dimension))
    count += 1
    place(id)
    checkGaps(vector)
    return id
  }

  private func place(_ id: Int32) {
    vectors.withUnsafeBufferPointer { vectors in
      var slot = hash(vectors.baseAddress! + Int(id) * dimension) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = id
    }
  }

  private func grow() {
    slots = Array(repeating: -1, count: 2 * slots.count)
    for id in 0..<Int32(count) { place(id) }
  }

  private func checkGaps(_ vector: UnsafePointer<Scalar>) {
    for p in dials.indices {
      let new = (vector[2 * p], 2 * p + 1 < dimension ? vector[2 * p + 1] : 0)
      guard knownDials[p].count < Self.mostDials else {
        isTellingApart = false
        return
      }
      guard knownDials[p].insert(SIMD2(bits(new.0), bits(new.1))).inserted else { continue }
      let (x, y) = (Double(new.0), Double(new.1))
      let norm = x * x + y * y
      largestNorm = max(largestNorm, norm)
      for old in dials[p] {
        let (u, v) = (Double(old.0), Double(old.1))
        let (dx, dy) = (x - u, y - v)
        // |a|² − a·b = a·(a − b), in both roles.
        smallestGap = min(smallestGap, x * dx + y * dy, -(u * dx + v * dy))
      }
      dials[p].append(new)
    }
    // Σ|a_i b_i| ≤ (dials)·(largest norm); u = ulp/2; and as much again for the products computed here.
    let rounding = 2 * Double(dimension) * Double(Scalar.ulpOfOne) * Double(dials.count) * largestNorm
    isTellingApart = isTellingApart && smallestGap > rounding
  }
}

/// Finds the columns that have a code, by its number: a list of columns per code.
final class CodeIndex {
  let codes: UnsafeMutablePointer<Int32>
  private var heads: [Int32] = []
  private let next: UnsafeMutablePointer<Int32>
  private let previous: UnsafeMutablePointer<Int32>

  init(columnCount: Int) {
    codes = .allocate(capacity: columnCount)
    codes.initialize(repeating: -1, count: columnCount)
    next = .allocate(capacity: columnCount)
    next.initialize(repeating: -1, count: columnCount)
    previous = .allocate(capacity: columnCount)
    previous.initialize(repeating: -1, count: columnCount)
  }

  deinit {
    codes.deallocate()
    next.deallocate()
    previous.deallocate()
  }

  /// The first column with `code`, or -1. Follow `after(_:)` for the others.
  @inline(__always)
  func first(_ code: Int32) -> Int32 { code >= 0 && Int(code) < heads.count ? heads[Int(code)] : -1 }

  @inline(__always)
  func after(_ column: Int32) -> Int32 { next[Int(column)] }

  /// Moves `column` to `code`, or to no code if it is negative. Complexity: O(1).
  @inline(__always)
  func update(_ column: Int, to code: Int32) {
    let old = codes[column]
    guard old != code else { return }
    if old >= 0 {
      let (before, behind) = (previous[column], next[column])
      if before >= 0 { next[Int(before)] = behind } else { heads[Int(old)] = behind }
      if behind >= 0 { previous[Int(behind)] = before }
    }
    codes[column] = code
    guard code >= 0 else { return }
    while heads.count <= Int(code) { heads.append(-1) }
    let head = heads[Int(code)]
    next[column] = head
    previous[column] = -1
    if head >= 0 { previous[Int(head)] = Int32(column) }
    heads[Int(code)] = Int32(column)
  }
}
