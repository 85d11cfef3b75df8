import Testing

@testable import Tokenization

@Suite struct DecodingTests {
  private func stream(_ tokenizer: Tokenizer, _ tokens: [TokenID], skip: Bool = false) -> String {
    var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skip)
    return tokens.map { decoder.add($0) }.joined() + decoder.finish()
  }

  @Test func streamsHoldBackHalfCharacters() throws {
    let tokenizer = try TinyVocabulary([]).tokenizer()
    var decoder = StreamingDecoder(tokenizer)
    let parts = tokenizer.encode("é🙂").map { decoder.add($0) }
    #expect(parts == ["", "é", "", "", "", "🙂"] && decoder.finish() == "")
    _ = decoder.add(tokenizer.encode(bytes: [0xf0])[0])
    #expect(decoder.finish() == "\u{fffd}")
  }

  @Test func streamsEqualWholeTexts() throws {
    let tokenizer = try TinyVocabulary.hello.tokenizer()
    let beginnings: [[UInt8]] = [
      [0xe2, 0x82], [0xf0, 0x9f], [0xed, 0xa0], [0xf4, 0x90], [0xe0, 0x80], [0xc3], [0xff], [0x80],
      [0xf0, 0x80], Array("é".utf8),
      Array("hello".utf8), [0xc0, 0xaf], Array("🙂".utf8),
    ]
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...6)).flatMap { _ in beginnings.randomElement()! }
      let tokens = tokenizer.encode(bytes: bytes)
      #expect(stream(tokenizer, tokens) == tokenizer.decode(tokens))
      #expect(tokenizer.decode(tokens) == String(decoding: bytes, as: UTF8.self))
    }
  }

  /// Characters instead of bytes, as Llama 2 has them.
  private static let sentencePiece = """
    {"added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true}],
    "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
    {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
    "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
    "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
    {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
    "model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,
    "vocab":{"<unk>":0,"<s>":1,"<0xC3>":2,"<0xA9>":3,"▁":4,"a":5,"b":6,"▁a":7,"ab":8,"▁ab":9},
    "merges":["▁ a","a b","▁a b"]}}
    """

  @Test func charactersAndFallback() throws {
    let tokenizer = try Tokenizer(json: Array(Self.sentencePiece.utf8), file: "x")
    #expect(tokenizer.encode("ab é", addSpecialTokens: true) == [1, 9, 4, 2, 3])
    #expect(tokenizer.encode("üü") == [4, 0])
    #expect(tokenizer.decode([1, 9, 4, 2, 3], skipSpecialTokens: true) == "ab é")
    #expect(stream(tokenizer, [1, 9, 4, 2, 3], skip: true) == "ab é")
    #expect(tokenizer.decode([5, 2]) == "a\u{fffd}")
  }

  @Test func addedTokensInText() throws {
    var vocabulary = TinyVocabulary.hello
    vocabulary.members["added_tokens"] = """
      [{"id":272,"content":"<s>","special":true},{"id":273,"content":"[L]","lstrip":true},{"id":274,"content":"[R]","rstrip":true},
      {"id":275,"content":"word","single_word":true},{"id":276,"content":"<s>>","normalized":false},{"id":277,"content":"ALL","normalized":false}]
      """
    vocabulary.members["normalizer"] = #"{"type":"Lowercase"}"#
    let tokenizer = try vocabulary.tokenizer()
    func added(_ text: String) -> [TokenID] { tokenizer.encode(text).filter { $0 >= 272 } }
    #expect(added("a<s>b") == [272] && added("a<s>>b") == [276])
    #expect(tokenizer.encode("a  [l]b") == [tokenizer.encode("a")[0], 273, tokenizer.encode("b")[0]])
    #expect(tokenizer.encode("a[R] \n b").count == 3)
    #expect(added("word words sword WORD") == [275, 275])
    #expect(added("ALL all") == [277])
    #expect(tokenizer.decode([272, 259], skipSpecialTokens: true) == "hello")
    #expect(tokenizer.endOfTurnTokens() == [] && tokenizer.isSpecial(272) && !tokenizer.isSpecial(273))
  }

  @Test func normalForms() {
    func normal(_ normalizer: Normalizer, _ text: String) -> [UInt32] {
      String(decoding: normalizer.normalize(Array(text.utf8)), as: UTF8.self).unicodeScalars.map(\.value)
    }
    #expect(normal(.nfc, "e\u{301}a") == [0xe9, 0x61] && normal(.nfd, "é") == [0x65, 0x301])
    #expect(normal(.nfkc, "ﬁ²") == [0x66, 0x69, 0x32])
    // Characters of Unicode 12 and later are none to the package: they stay.
    #expect(normal(.nfkc, "\u{32ff}") == [0x32ff])
    #expect(normal(.lowercase, "ÀΣ") == [0xe0, 0x3c3])
    #expect(normal(.strip(left: true, right: false), " \u{3000}a ") == [0x61, 0x20])
    #expect(
      normal(.replace(.literal(Array("aa".utf8)), with: Array("b".utf8)), "aaaaa") == [0x62, 0x62, 0x61])
  }
}
