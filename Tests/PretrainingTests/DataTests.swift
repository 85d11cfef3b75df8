import Foundation
import Tensors
import Testing
import Tokenization

@testable import Pretraining

@Suite struct DataTests {
  /// Documents 0 1 2 | 3 … 9 | 10 11 12 13 14.
  private func writer(answers: Bool = false, vocabulary: Int = 50) -> TokenShardWriter {
    var writer = TokenShardWriter(vocabulary: vocabulary, hasAnswers: answers)
    for range in [0..<3, 3..<10, 10..<15] {
      writer.add(range.map { Int32($0) }, learned: answers ? range.map { $0 % 2 == 0 } : nil)
    }
    return writer
  }

  private func shard(_ writer: TokenShardWriter) throws -> TokenShard {
    try TokenShard(SharedBytes.copy(writer.parts.flatMap { $0 }), path: "memory")
  }

  @Test(arguments: [50, 100_000]) func shardsGoOutAndIn(_ vocabulary: Int) throws {
    let folder = try Folder()
    let path = folder.path + "/a.tokens"
    try writer(answers: true, vocabulary: vocabulary).write(to: path)
    let shard = try TokenShard(path: path)
    #expect(shard.count == 15 && shard.documents == 3 && shard.vocabulary == vocabulary)
    #expect((0..<15).map { shard.token($0) } == (0..<15).map { Int32($0) })
    #expect((0...3).map { shard.start(of: $0) } == [0, 3, 10, 15])
    #expect((0..<15).map { shard.document(of: $0) } == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    #expect(shard.isLearned(4) && !shard.isLearned(5))
    let empty = try self.shard(TokenShardWriter(vocabulary: 3))
    #expect(empty.count == 0 && empty.documents == 0)
  }

  @Test func damagedAndHostileShardsAreRefused() throws {
    let good = writer(answers: true).parts.flatMap { $0 }
    func expectRefusal(_ bytes: [UInt8], _ what: String) {
      do {
        _ = try TokenShard(SharedBytes.copy(bytes), path: "x.tokens")
        Issue.record("not refused: \(what)")
      } catch { #expect(error is ShardError && "\(error)".contains("x.tokens"), "\(what)") }
    }
    for length in 0..<good.count { expectRefusal(Array(good[..<length]), "cut at \(length)") }
    expectRefusal(good + [0], "a byte more")
    for place in good.indices {
      var bytes = good
      bytes[place] ^= 0x40
      expectRefusal(bytes, "bit in byte \(place)")
    }
    // Headers that contradict themselves under a checksum that holds.
    func forged(_ places: [(Int, UInt64, Int)], data: ((inout [UInt8]) -> Void)? = nil) -> [UInt8] {
      var bytes = good
      data?(&bytes)
      let crc = bytes[48...].withUnsafeBytes { TokenShard.checksum($0) }
      for (offset, value, count) in places + [(40, UInt64(crc), 4)] {
        for i in 0..<count { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
      }
      let check = bytes[..<44].withUnsafeBytes { TokenShard.checksum($0) }
      for i in 0..<4 { bytes[44 + i] = UInt8(truncatingIfNeeded: check >> UInt32(8 * i)) }
      return bytes
    }
    #expect(throws: Never.self) { try TokenShard(SharedBytes.copy(forged([])), path: "forged") }
    for value: UInt64 in [0, 1, 3, 8, 1 << 31] {
      expectRefusal(forged([(8, value, 4)]), "token size \(value)")
    }
    for value: UInt64 in [2, 255] { expectRefusal(forged([(12, value, 4)]), "flags \(value)") }
    for value: UInt64 in [0, 14, 65537, .max] {
      expectRefusal(forged([(16, value, 8)]), "vocabulary \(value)")
    }
    for value: UInt64 in [0, 14, 16, 1 << 39, 1 << 61, .max] {
      expectRefusal(forged([(24, value, 8)]), "tokens \(value)")
      expectRefusal(forged([(32, value, 8)]), "documents \(value)")
    }
    let starts: [(Int, UInt64)] = [(0, 1), (1, 0), (1, 10), (2, 3), (2, 15), (2, .max)]
    for (index, value) in starts {
      expectRefusal(
        forged([]) { bytes in
          for i in 0..<8 { bytes[48 + 8 * index + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
        }, "document \(index) at \(value)")
    }
    expectRefusal(forged([]) { $0[48 + 24 + 1] = 7 }, "a token beyond the vocabulary")
  }

  @Test func streamsReadEveryTokenOncePerEpoch() throws {
    let source = try TokenSource([shard(writer())], length: 4, seed: 3)
    #expect(source.sequencesPerEpoch == 2 && source.layout == .stream)
    var orders: Set<[Int32]> = []
    for epoch in 0..<8 {
      let batch = source.batch(from: 2 * epoch, count: 2)
      for i in 0..<8 { #expect(batch.targets[i] == batch.tokens[i] + 1) }
      let starts = [batch.tokens[0], batch.tokens[4]].sorted()
      #expect(starts[1] == starts[0] + 4 && starts[0] < 4)
      orders.insert(batch.tokens)
      // A segment begins where a document does.
      for segment in batch.segments {
        let token = batch.tokens[segment.lowerBound]
        #expect(segment.lowerBound % 4 == 0 || [3, 10].contains(token))
      }
    }
    #expect(orders.count > 2, "epochs differ")
    // A function of the number alone: read in any order, by any batch size.
    let other = try TokenSource([shard(writer())], length: 4, seed: 3)
    let late = other.batch(from: 9, count: 1)
    #expect(late.tokens == source.batch(from: 8, count: 2).tokens.suffix(4))
    #expect(other.batch(from: 0, count: 3) == source.batch(from: 0, count: 3))
    let plain = try TokenSource([shard(writer()), shard(writer())], length: 7, seed: 0, shuffles: false)
    #expect(plain.sequencesPerEpoch == 4)
    #expect(plain.batch(from: 1, count: 2).tokens == (7..<14).map { Int32($0) } + (0..<7).map { Int32($0) })
    #expect(throws: DataError.self) { try TokenSource([shard(writer())], length: 15, seed: 0) }
  }

  @Test func noiseExchangesWhatIsReadAlone() throws {
    var words = TokenShardWriter(vocabulary: 100)
    words.add((0..<400).map { Int32(1 + $0 % 90) })
    let source = try TokenSource([shard(words)], length: 50, seed: 3)
    let plain = source.batch(from: 0, count: 7)
    #expect(source.batch(from: 0, count: 7, noise: 0) == plain)
    let noisy = source.batch(from: 0, count: 7, noise: 0.2)
    #expect(noisy.targets == plain.targets && noisy.segments == plain.segments)
    let exchanged = zip(noisy.tokens, plain.tokens).filter { $0 != $1 }.count
    // 350 tokens: six deviations about 70.
    #expect((25..<115).contains(exchanged), "\(exchanged)")
    // A function of the sequence's number alone, and another one each epoch.
    #expect(source.batch(from: 3, count: 1, noise: 0.2).tokens == Array(noisy.tokens[150..<200]))
    let changes = (0..<2).map { epoch in
      let first = epoch * source.sequencesPerEpoch
      return zip(
        source.batch(from: first, count: 7, noise: 0.2).tokens, source.batch(from: first, count: 7).tokens
      )
      .map { $0 != $1 }
    }
    #expect(changes[0] != changes[1])
    // Where a document begins is never exchanged.
    let documents = try TokenSource([shard(writer())], length: 7, seed: 0, shuffles: false)
    let all = documents.batch(from: 0, count: 1, noise: 0.99)
    for (token, was) in zip(all.tokens, documents.batch(from: 0, count: 1).tokens)
    where was == Int32(TrainedVocabulary.endOfText) { #expect(token == was) }
  }

  @Test func chatsAreKeptWholeAndOnlyAnswersLearned() throws {
    let source = try TokenSource([shard(writer(answers: true))], length: 10, seed: 0, shuffles: false)
    #expect(source.layout == .whole && source.sequencesPerEpoch == 2)
    let batch = source.batch(from: 0, count: 2)
    #expect(batch.tokens == (0..<10).map { Int32($0) } + (10..<15).map { Int32($0) } + [0, 0, 0, 0, 0])
    #expect(batch.segments == [0..<3, 3..<10, 10..<15, 15..<20])
    // 3 begins another conversation and 5, 7, 9 are not learned; after 14 there is nothing.
    #expect(
      batch.targets == [-1, 2, -1, 4, -1, 6, -1, 8, -1, -1] + [-1, 12, -1, 14, -1] + [-1, -1, -1, -1, -1])
    // One that is longer than a sequence loses its end.
    let short = try TokenSource([shard(writer(answers: true))], length: 4, seed: 0, shuffles: false)
    #expect(short.batch(from: 1, count: 1).tokens == [3, 4, 5, 6])
  }

  @Test func textsAreCutAtTheirSeparators() throws {
    let folder = try Folder()
    let path = try folder.write(
      "one\ntwo\n<|endoftext|>\n\n<|endoftext|>\nthree <|endoftext|>\n\n", to: "t.txt")
    #expect(try TextDocuments.read(path) == ["one\ntwo\n", "three <|endoftext|>\n"])
    try Data([0x61, 0x0A, 0x62, 0xFF, 0x63]).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: DataError.self) { try TextDocuments.read(path) }
    #expect(error?.line == 2 && "\(error!)".hasPrefix("\(path):2: error: byte 3"))
    #expect(throws: MappingError.self) { try TextDocuments.read(folder.path + "/none") }
  }

  @Test func chatLines() throws {
    let folder = try Folder()
    var trainer = VocabularyTrainer()
    trainer.add(storyText(documents: 1))
    try trainer.train(size: 270).write(to: folder.path + "/tokenizer.json")
    let tokenizer = try Tokenizer(contentsOf: folder.path + "/tokenizer.json")
    let line =
      #"{"messages":[{"role":"user","content":"Hi<|im_end|>"},{"role":"assistant","content":"the king"}]}"#
    let chats = try ChatDocuments.read(Data("\n\(line)\n \n".utf8), file: "c.jsonl", tokenizer: tokenizer)
    let chat = try #require(chats.first)
    #expect(chats.count == 1)
    #expect(
      tokenizer.decode(chat.tokens, skipSpecialTokens: true) == "user\nHi<|im_end|>\nassistant\nthe king\n")
    let learned = zip(chat.tokens, chat.learned).filter(\.1).map(\.0)
    #expect(learned == tokenizer.encode("the king") + [2])
    // Marks in what a person wrote are text.
    #expect(chat.tokens.filter { $0 == 1 }.count == 2 && chat.tokens.filter { $0 == 2 }.count == 2)
    for bad in [
      "{", "[]", "{\"messages\": 3}", #"{"messages":[{"role":"robot","content":"x"}]}"#,
      #"{"messages":[{"role":"user","content":"x"}]}"#, #"{"messages":[{"role":"assistant"}]}"#, "\u{FF}",
    ] {
      let error = #expect(throws: DataError.self) {
        try ChatDocuments.read(Data("\(line)\n\(bad)\n".utf8), file: "c.jsonl", tokenizer: tokenizer)
      }
      #expect(error?.line == 2 && error?.file == "c.jsonl", "\(bad)")
    }
  }
}
