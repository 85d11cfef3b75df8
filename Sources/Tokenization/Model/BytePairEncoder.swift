/// The memory that one encoding needs, kept for the next one: a thread has its own.
final class BytePairEncoder {
  let model: BytePairModel
  let cache = WordCache()
  /// Tokens of the word at hand, and, by position, the value of the pair that begins there.
  private var tokens: UnsafeMutablePointer<Int32>
  private var pairs: UnsafeMutablePointer<UInt64>
  private var capacity = 0

  /// Longer words go through a heap.
  static let shortWord = 48

  init(_ model: BytePairModel) {
    self.model = model
    capacity = 256
    tokens = .allocate(capacity: capacity)
    pairs = .allocate(capacity: capacity)
  }

  deinit {
    tokens.deallocate()
    pairs.deallocate()
  }

  private func reserve(_ count: Int) {
    guard count > capacity else { return }
    tokens.deallocate()
    pairs.deallocate()
    capacity = count
    tokens = .allocate(capacity: capacity)
    pairs = .allocate(capacity: capacity)
  }

  /// Gives back what an unusually long word took.
  func trim() {
    guard capacity > 1 << 16 else { return }
    capacity = 0
    reserve(256)
  }

  /// Appends the tokens of a word.
  ///
  /// - Parameter p: `WordCache.longestWord` bytes can be read, whatever `count`.
  /// Complexity: O(1) for a word in the cache; else O(n²) for short words, O(n log n) for long ones.
  @inline(__always)
  func encode(_ p: UnsafePointer<UInt8>, _ count: Int, into output: inout TokenBuffer) {
    guard count <= WordCache.longestWord else { return encodeUncached(p, count, into: &output) }
    let key = WordCache.key(p, count)
    if cache.find(key, into: &output) { return }
    let start = output.count
    encodeUncached(p, count, into: &output)
    cache.keep(key, output.pointer + start, output.count - start)
  }

  @inline(never)
  func encodeUncached(_ p: UnsafePointer<UInt8>, _ count: Int, into output: inout TokenBuffer) {
    guard count > 0 else { return }
    if model.ignoresMerges, let id = model.id(ofText: p, count) { return output.append(id) }
    let symbols = begin(p, count)
    let merged = symbols <= Self.shortWord ? mergeShort(symbols) : mergeLong(symbols)
    for index in 0..<merged { output.append(tokens[index]) }
  }

  // MARK: For tests: the steps one by one

  func begin(_ word: [UInt8]) { _ = begin(word, word.count) }

  func tokens(_ count: Int) -> [Int32] { Array(UnsafeBufferPointer(start: tokens, count: count)) }

  // MARK: The first tokens

  /// Writes what the word begins with to `tokens`.
  /// - Returns: how many.
  private func begin(_ p: UnsafePointer<UInt8>, _ count: Int) -> Int {
    // A byte's letter has two bytes at most, each of which may become a token of its own.
    reserve(2 * count + 2)
    if model.isByteLevel {
      let isComplete = model.byteTokens.withUnsafeBufferPointer { table in
        for index in 0..<count {
          let token = table[Int(p[index])]
          if token < 0 { return false }
          tokens[index] = token
        }
        return true
      }
      if isComplete { return count }
    }
    var written = 0
    // Unknown characters wait, so that neighbours can become one token.
    var waiting = false
    var index = 0
    while index < count {
      var length = 1
      var letter: [UInt8] = []
      var token: Int32 = -1
      if model.isByteLevel {
        token = model.byteTokens[Int(p[index])]
        if token < 0 { letter = Array(Unicode.UTF8.encode(ByteAlphabet.letters[Int(p[index])])!) }
      } else {
        length = UTF8Text.decode(p, index, count).count
        token = model.pieces.id(p + index, length) ?? -1
        if token < 0 { letter = Array(UnsafeBufferPointer(start: p + index, count: length)) }
      }
      index += length
      if token >= 0 {
        if waiting, let unknown = model.unknown {
          tokens[written] = unknown
          written += 1
          waiting = false
        }
        tokens[written] = token
        written += 1
        continue
      }
      if model.fallsBackToBytes {
        let bytes = letter.map { model.fallbackTokens[Int($0)] }
        if bytes.allSatisfy({ $0 >= 0 }) {
          for byte in bytes {
            tokens[written] = byte
            written += 1
          }
          continue
        }
      }
      guard let unknown = model.unknown else { continue }
      if waiting && !model.fusesUnknown {
        tokens[written] = unknown
        written += 1
      }
      waiting = true
    }
    if waiting, let unknown = model.unknown {
      tokens[written] = unknown
      written += 1
    }
    return written
  }

  // MARK: Merging

  @inline(__always)
  private func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    model.merges.lookup(UInt32(bitPattern: left), UInt32(bitPattern: right))
  }

  /// Searches all pairs for the lowest rank, again and again.
  func mergeShort(_ symbols: Int) -> Int {
    var count = symbols
    guard count > 1 else { return count }
    let tokens = tokens
    let pairs = pairs
    for index in 0..<(count - 1) { pairs[index] = pair(tokens[index], tokens[index + 1]) }
    while true {
      var best = PairTable.missing
      var place = -1
      for index in 0..<(count - 1) where pairs[index] < best {
        best = pairs[index]
        place = index
      }
      guard place >= 0 else { return count }
      tokens[place] = Int32(truncatingIfNeeded: best)
      count -= 1
      var index = place + 1
      while index < count {
        tokens[index] = tokens[index + 1]
        pairs[index - 1] = pairs[index]
        index += 1
      }
      if place > 0 { pairs[place - 1] = pair(tokens[place - 1], tokens[place]) }
      if place + 1 < count { pairs[place] = pair(tokens[place], tokens[place + 1]) }
    }
  }

  /// A linked list and a heap of pairs, of which stale ones are dropped when they come up. Equal to `mergeShort`.
  func mergeLong(_ symbols: Int) -> Int {
    let tokens = tokens
    var next = (0..<symbols).map { Int32($0 + 1 < symbols ? $0 + 1 : -1) }
    var previous = (0..<symbols).map { Int32($0 - 1) }
    var heap = PairHeap()
    heap.reserve(symbols)
    for index in 0..<(symbols - 1) {
      let value = pair(tokens[index], tokens[index + 1])
      if value != PairTable.missing {
        heap.push(rank: value >> 32, place: index, token: Int32(truncatingIfNeeded: value))
      }
    }
    while let (rank, place, token) = heap.pop() {
      guard tokens[place] >= 0, case let right = Int(next[place]), right >= 0,
        pair(tokens[place], tokens[right]) == rank << 32 | UInt64(UInt32(bitPattern: token))
      else { continue }
      tokens[place] = token
      tokens[right] = -1
      next[place] = next[right]
      if next[right] >= 0 { previous[Int(next[right])] = Int32(place) }
      for left in [Int(previous[place]), place] where left >= 0 && next[left] >= 0 {
        let value = pair(tokens[left], tokens[Int(next[left])])
        if value != PairTable.missing {
          heap.push(rank: value >> 32, place: left, token: Int32(truncatingIfNeeded: value))
        }
      }
    }
    var count = 0
    for index in 0..<symbols where tokens[index] >= 0 {
      tokens[count] = tokens[index]
      count += 1
    }
    return count
  }
}

/// A binary heap of pairs by rank, then place.
struct PairHeap {
  private var keys: [UInt64] = []
  private var tokens: [Int32] = []

  mutating func reserve(_ count: Int) {
    keys.reserveCapacity(count)
    tokens.reserveCapacity(count)
  }

  mutating func push(rank: UInt64, place: Int, token: Int32) {
    let key = rank << 32 | UInt64(place)
    var hole = keys.count
    keys.append(key)
    tokens.append(token)
    while hole > 0, case let parent = (hole - 1) / 2, keys[parent] > key {
      keys[hole] = keys[parent]
      tokens[hole] = tokens[parent]
      hole = parent
    }
    keys[hole] = key
    tokens[hole] = token
  }

  mutating func pop() -> (rank: UInt64, place: Int, token: Int32)? {
    guard let top = keys.first else { return nil }
    let token = tokens[0]
    let key = keys.removeLast()
    let moved = tokens.removeLast()
    if !keys.isEmpty {
      var hole = 0
      while true {
        var child = 2 * hole + 1
        guard child < keys.count else { break }
        if child + 1 < keys.count && keys[child + 1] < keys[child] { child += 1 }
        guard keys[child] < key else { break }
        keys[hole] = keys[child]
        tokens[hole] = tokens[child]
        hole = child
      }
      keys[hole] = key
      tokens[hole] = moved
    }
    return (top >> 32, Int(top & 0xffff_ffff), token)
  }
}
