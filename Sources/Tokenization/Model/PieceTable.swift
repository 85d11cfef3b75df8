/// The pieces of a vocabulary: bytes by number, and numbers by bytes.
///
/// Memory: the pieces themselves, 8 bytes per number and 8 to 16 per piece for the hash table.
struct PieceTable: Sendable {
  private(set) var arena: [UInt8]
  /// Where the piece with a number lies in `arena`; `Span.hole` for numbers without a piece.
  private(set) var spans: [Span]
  private var slots: [Int32] = []
  private let mask: Int

  struct Span: Sendable, Equatable {
    var start: UInt32
    var count: UInt32
    static let hole = Span(start: 0, count: .max)
  }

  /// Why a table cannot be made; the caller knows how to name the place.
  enum Conflict: Error {
    case sameNumber(Int, Span, Span)
    case samePiece(Span, Int, Int)
    case gap(Int, entries: Int)
  }

  /// - Parameter entries: numbers and where their pieces lie in `arena`, in any order.
  /// - Throws: `Conflict`.
  init(arena: [UInt8], entries: [(id: Int32, span: Span)]) throws {
    self.arena = arena
    var largest = -1
    for entry in entries { largest = max(largest, Int(entry.id)) }
    // Memory follows what the file holds: a single entry must not ask for a table of a billion.
    guard largest < 2 * entries.count + 65536 else { throw Conflict.gap(largest, entries: entries.count) }
    spans = Array(repeating: .hole, count: largest + 1)
    var size = 16
    while size < entries.count * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    mask = size - 1
    for (id, span) in entries {
      guard spans[Int(id)] == .hole else { throw Conflict.sameNumber(Int(id), spans[Int(id)], span) }
      spans[Int(id)] = span
    }
    try arena.withUnsafeBufferPointer { arena in
      let base = arena.baseAddress
      for (id, span) in entries {
        var index = 0
        if span.count == 0 || base == nil {
          index = slot(base, 0)
        } else {
          index = slot(base! + Int(span.start), Int(span.count), base!)
        }
        guard slots[index] < 0 else { throw Conflict.samePiece(span, Int(slots[index]), Int(id)) }
        slots[index] = id
      }
    }
  }

  var count: Int { spans.count }

  /// The number of a piece; `nil` if it has none.
  func id(_ p: UnsafePointer<UInt8>?, _ count: Int) -> Int32? {
    arena.withUnsafeBufferPointer { arena in
      let id = slots[slot(p, count, arena.baseAddress)]
      return id < 0 ? nil : id
    }
  }

  func id(of piece: some Collection<UInt8>) -> Int32? {
    piece.withContiguousStorageIfAvailable { id($0.baseAddress, $0.count) }
      ?? Array(piece).withUnsafeBufferPointer { id($0.baseAddress, $0.count) }
  }

  /// The bytes of a piece; `nil` if the number has none.
  subscript(_ id: Int32) -> ArraySlice<UInt8>? {
    guard spans.indices.contains(Int(id)), spans[Int(id)] != .hole else { return nil }
    return self[spans[Int(id)]]
  }

  subscript(_ span: Span) -> ArraySlice<UInt8> {
    arena[Int(span.start)..<Int(span.start) + Int(span.count)]
  }

  /// The slot that holds a piece, or the free one where it would go.
  private func slot(_ p: UnsafePointer<UInt8>?, _ count: Int, _ base: UnsafePointer<UInt8>? = nil) -> Int {
    var index = Int(truncatingIfNeeded: Self.hash(p, count)) & mask
    while slots[index] >= 0 {
      let span = spans[Int(slots[index])]
      if Int(span.count) == count {
        guard count > 0, let p, let base else { return index }
        if Self.equal(p, base + Int(span.start), count) { return index }
      }
      index = (index + 1) & mask
    }
    return index
  }

  @inline(__always)
  private static func equal(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    for index in 0..<count where a[index] != b[index] { return false }
    return true
  }

  /// Seeded per process, so that no file can be made whose pieces collide.
  static func hash(_ p: UnsafePointer<UInt8>?, _ count: Int) -> UInt64 {
    func mix(_ value: UInt64) -> UInt64 {
      let product = value.multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
      return product.high ^ product.low
    }
    var state = mix(PairTable.seed ^ UInt64(count))
    guard let p else { return state }
    var index = 0
    while index + 8 <= count {
      state = mix(state ^ UnsafeRawPointer(p + index).loadUnaligned(as: UInt64.self))
      index += 8
    }
    var tail: UInt64 = 0
    while index < count {
      tail = tail << 8 | UInt64(p[index])
      index += 1
    }
    return mix(state ^ tail)
  }
}
