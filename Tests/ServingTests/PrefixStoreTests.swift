import LanguageModel
import Testing
import Tokenization

@testable import Serving

struct PrefixStoreTests {
  private let configuration = TestServer.loaded.model.configuration
  private let kind = PrefixStore.Kind(loops: 3, format: .float16)

  /// A cache that holds tokens.
  private func cache(_ tokens: [TokenID]) throws -> KVCache {
    let cache = KVCache(configuration, loops: 3)
    try LoopExecutor(TestServer.loaded.model).prefill(tokens, into: cache, loops: 3)
    return cache
  }

  @Test func theLongestBeginningIsTaken() throws {
    var store = PrefixStore(limit: 1 << 30)
    let text = (0..<100).map { TokenID($0) }
    store.insert(try cache(Array(text.prefix(40))), tokens: Array(text.prefix(40)), kind: kind)
    let other = Array(text.prefix(30)) + (0..<40).map { TokenID(200 + $0) }
    store.insert(try cache(other), tokens: other, kind: kind)
    #expect(store.count == 2)
    #expect(store.take(text, kind: PrefixStore.Kind(loops: 2, format: .float16)) == nil)
    #expect(store.take((150..<250).map { TokenID($0) }, kind: kind) == nil)
    // At least one token must be left to run.
    #expect(store.take(Array(text.prefix(20)), kind: kind)?.count == 19)
    #expect(store.count == 1)
    #expect(store.take(text, kind: kind) != nil)
    #expect(store.count == 0 && store.bytes == 0)
  }

  @Test func whatAnotherBeginsWithGoes() throws {
    var store = PrefixStore(limit: 1 << 30)
    let text = (0..<80).map { TokenID($0) }
    store.insert(try cache(Array(text.prefix(40))), tokens: Array(text.prefix(40)), kind: kind)
    store.insert(try cache(text), tokens: text, kind: kind)
    #expect(store.count == 1)
  }

  @Test func memoryIsBounded() throws {
    let size = try cache((0..<64).map { TokenID($0) }).byteCount
    var store = PrefixStore(limit: 3 * size)
    for first in 0..<8 {
      let tokens = (0..<64).map { TokenID(first * 30 + $0) % 300 }
      store.insert(try cache(tokens), tokens: tokens, kind: kind)
      #expect(store.bytes <= 3 * size)
    }
    #expect(store.count == 3)
    // The oldest are gone.
    #expect(store.take((0..<100).map { TokenID($0) }, kind: kind) == nil)
    var small = PrefixStore(limit: size / 2)
    small.insert(try cache((0..<64).map { TokenID($0) }), tokens: (0..<64).map { TokenID($0) }, kind: kind)
    #expect(small.count == 0)
  }
}
