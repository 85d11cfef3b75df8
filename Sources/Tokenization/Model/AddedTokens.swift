/// A token that is found in the text before anything else is, such as <|im_end|>.
public struct AddedToken: Equatable, Sendable {
  public var id: TokenID
  public var content: String
  /// Left out of the decoded text on request, and kept apart from what a user writes.
  public var isSpecial: Bool
  /// Whether it takes the blanks before it, and after it.
  public var stripsLeft: Bool
  public var stripsRight: Bool
  /// Whether it must stand alone, no letter beside it.
  public var isSingleWord: Bool
  /// Whether it is looked for in the normalised text.
  public var isNormalized: Bool

  public init(
    id: TokenID, content: String, isSpecial: Bool, stripsLeft: Bool = false, stripsRight: Bool = false,
    isSingleWord: Bool = false, isNormalized: Bool = false
  ) {
    self.id = id
    self.content = content
    self.isSpecial = isSpecial
    self.stripsLeft = stripsLeft
    self.stripsRight = stripsRight
    self.isSingleWord = isSingleWord
    self.isNormalized = isNormalized
  }
}

/// Finds added tokens: at every place the longest that begins there, from left to right.
struct AddedTokenMatcher: Sendable {
  private let tokens: [AddedToken]
  private let trie: PairTable
  /// The token that ends at a node of the trie, or -1.
  private var ends: [Int32] = [-1]
  private var isFirst = [Bool](repeating: false, count: 256)

  enum Part {
    case text(Range<Int>)
    case token(Int32)
  }

  /// - Parameter contents: what to look for, one per token; empty ones are never found.
  init(_ tokens: [AddedToken], contents: [[UInt8]]) {
    self.tokens = tokens
    trie = PairTable(capacity: contents.reduce(0) { $0 + $1.count })
    for (index, content) in contents.enumerated() where !content.isEmpty {
      isFirst[Int(content[0])] = true
      var node: UInt32 = 0
      for byte in content {
        let child = trie.lookup(node, UInt32(byte))
        if child == PairTable.missing {
          trie.set(node, UInt32(byte), to: UInt64(ends.count))
          node = UInt32(ends.count)
          ends.append(-1)
        } else {
          node = UInt32(child)
        }
      }
      // Of two that look the same the last one is meant.
      ends[Int(node)] = Int32(index)
    }
  }

  var isEmpty: Bool { ends.count == 1 }

  /// Takes a text apart.
  /// - Parameter findsSpecial: whether special tokens are looked for.
  func split(
    _ p: UnsafePointer<UInt8>, _ count: Int, findsSpecial: Bool, _ emit: (Part) -> Void
  ) {
    guard count > 0 else { return }
    guard !isEmpty else { return emit(.text(0..<count)) }
    var position = 0
    var i = 0
    isFirst.withUnsafeBufferPointer { isFirst in
      while i < count {
        guard isFirst[Int(p[i])], let (index, end) = longest(p, i, count) else {
          i += 1
          continue
        }
        let found = i..<end
        i = end
        let token = tokens[index]
        if token.isSpecial && !findsSpecial { continue }
        if token.isSingleWord && (endsWithWord(p, found.lowerBound) || beginsWithWord(p, end, count)) {
          continue
        }
        var start = found.lowerBound
        var stop = end
        if token.stripsLeft {
          while start > 0, case let before = UTF8Text.previous(p, start, 0), isBlank(p, before, start) {
            start = before
          }
          start = max(start, position)
        }
        if token.stripsRight {
          while stop < count, isBlank(p, stop, count) { stop += UTF8Text.decode(p, stop, count).count }
        }
        if position < start { emit(.text(position..<start)) }
        emit(.token(token.id))
        position = stop
      }
    }
    if position < count { emit(.text(position..<count)) }
  }

  private func longest(_ p: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> (Int, Int)? {
    var node: UInt32 = 0
    var i = start
    var result: (Int, Int)?
    while i < count {
      let child = trie.lookup(node, UInt32(p[i]))
      guard child != PairTable.missing else { break }
      node = UInt32(child)
      i += 1
      if ends[Int(node)] >= 0 { result = (Int(ends[Int(node)]), i) }
    }
    return result
  }

  private func isBlank(_ p: UnsafePointer<UInt8>, _ i: Int, _ end: Int) -> Bool {
    CharacterTable[UTF8Text.decode(p, i, end).scalar].contains(.space)
  }

  /// \w as the regular expressions of Rust have it: with the joiners, without ² and its like.
  private func isWord(_ scalar: UInt32) -> Bool {
    if scalar == 0x200c || scalar == 0x200d { return true }
    let kind = CharacterTable[scalar]
    return kind.contains(.word) && !(scalar < 256 && kind.contains(.number) && scalar >= 128)
  }

  private func endsWithWord(_ p: UnsafePointer<UInt8>, _ end: Int) -> Bool {
    guard end > 0 else { return false }
    return isWord(UTF8Text.decode(p, UTF8Text.previous(p, end, 0), end).scalar)
  }

  private func beginsWithWord(_ p: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> Bool {
    start < count && isWord(UTF8Text.decode(p, start, count).scalar)
  }
}
