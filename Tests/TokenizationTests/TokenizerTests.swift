import Testing

@testable import Tokenization

@Suite struct TokenizerTests {
  @Test func mergesByRank() throws {
    let tokenizer = try TinyVocabulary.hello.tokenizer()
    #expect(tokenizer.pieces("hello world's 12") == ["hello", "Ġworld", "'s", "Ġ", "12"])
    #expect(tokenizer.pieces("hello  world") == ["hello", "Ġ", "Ġworld"])
    // All aa come before the first aaa: the lower rank goes first, wherever it stands.
    #expect(tokenizer.pieces("aaaaaa") == ["aa", "aa", "aa"])
    #expect(tokenizer.pieces("aaaaa") == ["aa", "aaa"])
    #expect(tokenizer.pieces("é") == ["Ã©"])
    #expect(tokenizer.encode("") == [])
    #expect(tokenizer.vocabularySize == 272 && tokenizer.id(of: "hello") == 259)
    #expect(tokenizer.piece(259) == "hello" && tokenizer.piece(272) == nil && tokenizer.piece(-1) == nil)
    #expect(tokenizer.bytes(of: 271) == [0xc3, 0xa9] && tokenizer.bytes(of: 5000) == [])
  }

  @Test func everyByteComesBack() throws {
    let tokenizer = try TinyVocabulary.hello.tokenizer()
    let bytes = (0...255).map { UInt8($0) } + (0...255).reversed().map { UInt8($0) } + [0xe2, 0x82]
    let tokens = tokenizer.encode(bytes: bytes)
    #expect(tokens.flatMap { tokenizer.bytes(of: $0) } == bytes)
    #expect(tokenizer.decode(tokens) == String(decoding: bytes, as: UTF8.self))
  }

  @Test func longWordsEqualShortOnes() throws {
    // The heap and the plain search must choose the same merges, at every length on either side of the border.
    let vocabulary = TinyVocabulary([
      ("a", "b"), ("b", "a"), ("ab", "a"), ("a", "a"), ("b", "b"), ("aa", "b"), ("aba", "b"), ("bb", "a"),
      ("abab", "aa"),
    ])
    let tokenizer = try vocabulary.tokenizer()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let length = Int.random(in: 1...120, using: &random)
      let word = (0..<length).map { _ in UInt8(ascii: Bool.random() ? "a" : "b") }
      let encoder = BytePairEncoder(tokenizer.model)
      func merged(_ merge: (BytePairEncoder) -> (Int) -> Int) -> [Int32] {
        encoder.begin(word)
        return encoder.tokens(merge(encoder)(length))
      }
      #expect(merged(BytePairEncoder.mergeShort) == merged(BytePairEncoder.mergeLong))
    }
  }

  @Test func digitsStandAlone() throws {
    var vocabulary = TinyVocabulary.hello
    vocabulary.members["pre_tokenizer"] = """
      {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
      {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}
      """
    #expect(try vocabulary.tokenizer().pieces("hello 12") == ["hello", "Ġ", "1", "2"])
    vocabulary.members["pre_tokenizer"] = #"{"type":"ByteLevel","add_prefix_space":true}"#
    #expect(try vocabulary.tokenizer().pieces("world") == ["Ġworld"])
  }

  @Test func manyThreads() async throws {
    let tokenizer = try TinyVocabulary.hello.tokenizer()
    let texts = (0..<64).map { "hello world \($0) aaaa" + String(repeating: "é hello ", count: $0) }
    let expected = texts.map { tokenizer.encode($0) }
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { texts.map { tokenizer.encode($0) } == expected } }
      for await isEqual in group { #expect(isEqual) }
    }
  }

  @Test func sameFromGGUF() throws {
    let vocabulary = TinyVocabulary.hello
    let fromFile = try vocabulary.tokenizer()
    let fromGGUF = try Tokenizer(
      gguf: GGUFVocabulary(
        preTokenizer: "gpt-2", pieces: vocabulary.pieces + ["<|im_end|>"],
        merges: vocabulary.merges.map { "\($0.0) \($0.1)" },
        tokenTypes: vocabulary.pieces.map { _ in 1 } + [3], endOfText: 0),
      file: "tiny.gguf")
    for text in ["hello world", "  hello's\n\n 12", "é é\u{301}🙂", ""] {
      #expect(fromGGUF.encode(text) == fromFile.encode(text))
    }
    #expect(fromGGUF.pieces("hello<|im_end|>") == ["hello", "<|im_end|>"])
    #expect(!fromGGUF.encode("<|im_end|>", parsesSpecialTokens: false).contains(272))
    #expect(fromGGUF.decode([259, 272], skipSpecialTokens: true) == "hello")
    #expect(fromGGUF.endOfTurnTokens(configured: [1]) == [0, 1, 272])
  }
}
