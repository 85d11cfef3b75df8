import Foundation
import LanguageModel
import Tensors
import Testing

@Suite struct PromptCacheTests {
  private let model = TinyModels.ouro()

  private func path() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent(
      "prompt-\(UInt64.random(in: 0...(.max))).cache"
    ).path
  }

  private func logits(_ cache: KVCache) throws -> [Float] {
    let decoder = SequenceDecoder(LoopExecutor(model), cache: cache)
    let logits = Tensor(uninitialized: [96])
    for token in [3, 4] as [Int32] { try decoder.append(token) }
    decoder.readOut(into: logits.pointer)
    return logits.values
  }

  @Test(arguments: KVLayout.Format.allCases, KVSharing.allCases)
  func roundTrip(_ format: KVLayout.Format, _ sharing: KVSharing) throws {
    let tokens = TinyModels.tokens(70)
    let cache = KVCache(model.configuration, format: format, sharing: sharing)
    try LoopExecutor(model).prefill(tokens, into: cache, loops: 3)
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let fingerprint = model.fingerprint()
    try PromptCacheFile.write(cache, tokens: tokens, fingerprint: fingerprint, to: path)
    let (read, readTokens) = try PromptCacheFile.read(
      path, configuration: model.configuration, fingerprint: fingerprint)
    #expect(
      readTokens == tokens && read.count == 70 && read.sharing == sharing && read.layout == cache.layout)
    #expect(try logits(read) == logits(cache))
  }

  /// Part of a prompt reused: what follows is as if all had been read.
  @Test func partsAreReused() throws {
    let tokens = TinyModels.tokens(40)
    let cache = KVCache(model.configuration)
    let executor = LoopExecutor(model)
    try executor.prefill(tokens, into: cache, loops: 3, chunk: 16)
    let prompt = Array(tokens.prefix(25)) + [7, 7]
    #expect(PromptCacheFile.reusableCount(tokens, for: prompt) == 25)
    #expect(PromptCacheFile.reusableCount(tokens, for: tokens) == 39)
    #expect(PromptCacheFile.reusableCount(tokens, for: []) == 0)
    cache.truncate(to: 25)
    try executor.prefill([7, 7], into: cache, loops: 3, chunk: 16)
    let whole = KVCache(model.configuration)
    try executor.prefill(prompt, into: whole, loops: 3, chunk: 16)
    #expect(try logits(cache) == logits(whole))
  }

  @Test func fingerprintsTellModelsApart() {
    let fingerprints = [
      model, TinyModels.ouro(seed: 2), TinyModels.ouro(format: .bfloat16), TinyModels.ouro(keyValueHeads: 2),
      TinyModels.llama(),
    ].map { $0.fingerprint() }
    #expect(Set(fingerprints).count == 5)
    #expect(model.fingerprint(pool: WorkerPool(threads: 1)) == fingerprints[0])
    #expect(fingerprints.allSatisfy { $0.count == 16 })
  }

  @Test func foreignFilesAreRefused() throws {
    let tokens = TinyModels.tokens(5)
    let cache = KVCache(model.configuration)
    try LoopExecutor(model).prefill(tokens, into: cache, loops: 3)
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try PromptCacheFile.write(cache, tokens: tokens, fingerprint: "a", to: path)
    func problem(_ body: () throws -> Void) -> PromptCacheError.Problem? {
      do {
        try body()
        return nil
      } catch { return (error as? PromptCacheError)?.problem }
    }
    func read(_ fingerprint: String = "a", contextLimit: Int? = nil) throws {
      _ = try PromptCacheFile.read(
        path, configuration: model.configuration, fingerprint: fingerprint, contextLimit: contextLimit)
    }
    #expect(problem { try read() } == nil)
    #expect(problem { try read("b") } == .otherModel)
    #expect(throws: ContextLimitError(limit: 4, needed: 5)) { try read(contextLimit: 4) }
    // Other files of the same container.
    let file = try SafetensorsFile(path: path)
    let stored = try file.entries.map { try file.tensor($0.name) }
    func rewrite(_ change: (inout [StoredTensor], inout [String: String]) -> Void) throws {
      var tensors = stored
      var metadata = file.metadata
      change(&tensors, &metadata)
      try AtomicFile.write(SafetensorsFile.parts(tensors, metadata: metadata), to: path)
    }
    try rewrite { _, metadata in metadata["format"] = "pt" }
    #expect(problem { try read() } == .otherFormat)
    try rewrite { _, metadata in metadata["version"] = "2" }
    #expect(problem { try read() } == .otherVersion("2"))
    for (key, value) in [("loops", "0"), ("loops", "99999999999"), ("sharing", "x"), ("cells", "f64")] {
      try rewrite { _, metadata in metadata[key] = value }
      #expect(problem { try read() } == .damaged("its metadata"))
    }
    // More loops than there are tensors, another sharing, another format, fewer tensors, more tensors.
    for (key, value) in [
      ("loops", "4"), ("loops", "2"), ("sharing", "last"), ("cells", "f32"), ("cells", "int8"),
    ] {
      try rewrite { _, metadata in metadata[key] = value }
      let found = problem { try read() }
      guard case .damaged = found else {
        Issue.record("\(key) \(value): \(String(describing: found))")
        continue
      }
    }
    try rewrite { tensors, _ in tensors.removeAll { $0.name == "keys.3" } }
    #expect(problem { try read() } == .damaged("the tensor \"keys.3\""))
    try rewrite { tensors, _ in tensors.append(StoredTensor("more", shape: [1], [Float(1)])) }
    #expect(problem { try read() } == .damaged("tensors that do not belong there"))
    try rewrite { tensors, _ in
      tensors[tensors.firstIndex { $0.name == "tokens" }!] = StoredTensor(
        "tokens", shape: [5], [0, 1, 2, 3, 96] as [Int32])
    }
    #expect(problem { try read() } == .damaged("the tensor \"tokens\""))
    // Tokens whose number contradicts the cells.
    try rewrite { tensors, _ in
      tensors[tensors.firstIndex { $0.name == "tokens" }!] = StoredTensor(
        "tokens", shape: [4], [0, 1, 2, 3] as [Int32])
    }
    #expect(problem { try read() } == .damaged("the tensor \"keys.0\""))
  }

  /// Every truncation and every flipped bit is an error, and none a crash.
  @Test func damageIsFound() throws {
    let tokens = TinyModels.tokens(2)
    let cache = KVCache(model.configuration, loops: 1, format: .int8)
    try LoopExecutor(model).prefill(tokens, into: cache, loops: 1)
    let path = path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try PromptCacheFile.write(cache, tokens: tokens, fingerprint: "a", to: path)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func isRefused(_ bytes: [UInt8]) throws -> Bool {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try PromptCacheFile.read(path, configuration: model.configuration, fingerprint: "a")
        return false
      } catch is SafetensorsError { return true } catch is PromptCacheError { return true }
    }
    #expect(try !isRefused(bytes))
    for length in stride(from: 0, to: bytes.count, by: 97) {
      #expect(try isRefused(Array(bytes.prefix(length))))
    }
    var random = RandomStream(seed: 1)
    let header = Int(bytes[0]) | Int(bytes[1]) << 8
    for _ in 0..<150 {
      var damaged = bytes
      // Blanks behind the header's JSON may change into nothing but blanks: flips there are errors as well.
      let place = 8 + header + Int(random.next() % UInt64(bytes.count - header - 8))
      damaged[place] ^= 1 << UInt8(random.next() % 8)
      #expect(try isRefused(damaged), "byte \(place)")
    }
  }
}
