import LanguageModel
import Tokenization

/// Keys and values of finished requests, for requests that begin alike: a conversation's next turn reads only what is
/// new in it.
///
/// Memory: at most `limit` bytes; the ones that were not used for longest go first.
struct PrefixStore {
  /// What caches must agree in to stand for each other.
  struct Kind: Hashable {
    var loops: Int
    var format: KVLayout.Format
  }

  private struct Entry {
    var kind: Kind
    var cache: KVCache
    var tokens: [TokenID]
  }

  let limit: Int
  /// The last used one last.
  private var entries: [Entry] = []
  private(set) var bytes = 0

  init(limit: Int) { self.limit = limit }

  var count: Int { entries.count }

  /// A cache that holds as many of the prompt's first tokens as possible, at most all but one; it leaves the store.
  /// - Returns: `nil` if no cache holds at least 16 of them.
  mutating func take(_ prompt: [TokenID], kind: Kind) -> KVCache? {
    var best: (place: Int, count: Int)?
    for (place, entry) in entries.enumerated() where entry.kind == kind {
      let count = min(zip(entry.tokens, prompt).prefix { $0 == $1 }.count, prompt.count - 1)
      if count >= max(16, best?.count ?? 0) { best = (place, count) }
    }
    guard let best else { return nil }
    let entry = entries.remove(at: best.place)
    bytes -= entry.cache.byteCount
    if entry.cache.count > best.count { entry.cache.truncate(to: best.count) }
    return entry.cache
  }

  /// Keeps a cache, if it is not larger than all that may be kept.
  mutating func insert(_ cache: KVCache, tokens: [TokenID], kind: Kind) {
    guard cache.byteCount <= limit, cache.count > 0 else { return }
    // What another one begins with is of no use beside it.
    for place in entries.indices.reversed() where entries[place].kind == kind {
      if tokens.starts(with: entries[place].tokens) { remove(place) }
    }
    entries.append(Entry(kind: kind, cache: cache, tokens: tokens))
    bytes += cache.byteCount
    while bytes > limit { remove(0) }
  }

  private mutating func remove(_ place: Int) {
    bytes -= entries.remove(at: place).cache.byteCount
  }
}
