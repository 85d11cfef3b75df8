import Foundation
import Testing

@testable import Tokenization

/// Files that are cut, contradict themselves or want to fill memory: a clear error, never a crash.
@Suite struct HostileTokenizerTests {
  private func failure(_ json: String) -> TokenizerError? {
    do {
      _ = try Tokenizer(json: Array(json.utf8), file: "bad.json")
      return nil
    } catch { return error as? TokenizerError }
  }

  private func expect(
    _ json: String, place: String, message: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = failure(json)
    #expect(error?.file == "bad.json", sourceLocation: sourceLocation)
    #expect(error?.place == place, "\(error?.description ?? "no error")", sourceLocation: sourceLocation)
    #expect(
      error?.message.contains(message) ?? false, "\(error?.description ?? "no error")",
      sourceLocation: sourceLocation)
  }

  @Test func everyPrefixIsRefused() {
    let bytes = Array(TinyVocabulary.hello.json.utf8)
    for end in stride(from: 0, to: bytes.count - 1, by: 37) {
      #expect(throws: TokenizerError.self) { try Tokenizer(json: Array(bytes[..<end]), file: "cut.json") }
    }
  }

  @Test func errorsNameTheKeys() {
    let model = #""model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}"#
    #expect(failure("{\(model)}") == nil)
    expect("{}", place: "", message: "model")
    expect("{\(model)} x", place: "", message: "follows")
    expect("{\(model),\(model)}", place: "model", message: "twice")
    expect(
      #"{"model":{"vocab":{"a":0},"merges":[["a","b"]]}}"#, place: "model.merges[0]",
      message: "\"b\" is not in")
    expect(#"{"model":{"vocab":{"a":0},"merges":["a  a"]}}"#, place: "model.merges[0]", message: "two pieces")
    expect(
      #"{"model":{"vocab":{"a":0},"merges":[["a","a"]]}}"#, place: "model.merges[0]", message: "\"aa\"")
    expect(
      #"{"model":{"vocab":{"a":0,"aa":1},"merges":[["a","a"],["a"]]}}"#, place: "model.merges[1]",
      message: "two")
    expect(#"{"model":{"vocab":{"a":0,"b":0},"merges":[]}}"#, place: "model.vocab", message: "same number")
    expect(#"{"model":{"vocab":{"a":0,"a":1},"merges":[]}}"#, place: "model.vocab", message: "two numbers")
    expect(#"{"model":{"vocab":{"a":1000000000},"merges":[]}}"#, place: "model.vocab", message: "too large")
    expect(#"{"model":{"vocab":{"a":-1},"merges":[]}}"#, place: "model.vocab", message: "whole number")
    expect(#"{"model":{"vocab":{"a":1.5},"merges":[]}}"#, place: "model.vocab", message: "whole number")
    expect(#"{"model":{"vocab":[["a",0.5]]}}"#, place: "model.vocab", message: "an object is expected")
    expect(#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#, place: "model.type", message: "WordPiece")
    expect(
      #"{"model":{"vocab":{"a":0},"merges":[],"dropout":0.1}}"#, place: "model.dropout", message: "random")
    expect(
      #"{"model":{"vocab":{"a":0},"merges":[],"unk_token":"?"}}"#, place: "model.unk_token", message: "\"?\"")
    for (key, kind) in [
      ("normalizer", "Nmt"), ("pre_tokenizer", "BertPreTokenizer"), ("decoder", "CTC"),
      ("post_processor", "X"),
    ] {
      expect(#"{"\#(key)":{"type":"\#(kind)"},\#(model)}"#, place: "\(key).type", message: kind)
    }
    expect(
      #"{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"}]},\#(model)}"#,
      place: "pre_tokenizer.pretokenizers[1].pattern.Regex", message: "never closed")
    expect(
      #"{"added_tokens":[{"id":0,"content":"b","special":true}],\#(model)}"#, place: "added_tokens[0]",
      message: "vocabulary")
    expect(
      #"{"added_tokens":[{"id":9,"content":"x"},{"id":9,"content":"y"}],\#(model)}"#,
      place: "added_tokens[1]",
      message: "so has")
    expect(
      #"{"added_tokens":[{"id":900000000,"content":"x"}],\#(model)}"#, place: "added_tokens[0]",
      message: "too large")
    expect(
      #"{"added_tokens":[{"content":"x"}],\#(model)}"#, place: "added_tokens[0]", message: "\"id\" is missing"
    )
  }

  @Test func memoryIsBounded() {
    // Each would need gigabytes, or a deep stack, if it were believed.
    let many = String(repeating: "[],", count: 1_500_000)
    expect("{\"normalizer\":[\(many)[]]}", place: "normalizer[1048575]", message: "more than")
    let deep = String(repeating: "[", count: 100_000)
    #expect(failure("{\"normalizer\":\(deep)")?.message.contains("nested") ?? false)
    #expect(failure("{\"other\":\(deep)")?.message.contains("nested") ?? false)
    #expect(failure("{\"a\":\"\\ud800\"}")?.message.contains("surrogate") ?? false)
    #expect(throws: TokenizerError.self) { try Tokenizer(json: [0x7b, 0xff, 0x7d], file: "x") }
    #expect(throws: TokenizerError.self) { try Tokenizer(contentsOf: "/nonexistent/tokenizer.json") }
    #expect(throws: TokenizerError.self) { try Tokenizer(contentsOf: "/") }
  }

  @Test func duplicateMergesAndCyclesEnd() throws {
    // The later of two equal merges counts, and a piece may be merged from what it is a part of elsewhere.
    let json = #"""
      {"model":{"vocab":{"a":0,"b":1,"ab":2,"ba":3,"aba":4},
      "merges":[["a","b"],["b","a"],["ab","a"],["a","ba"],["a","b"]]}}
      """#
    let tokenizer = try Tokenizer(json: Array(json.utf8), file: "x")
    #expect(tokenizer.encode("aba") == [4])
    #expect(tokenizer.encode("abab") == [4, 1])
  }

  @Test func badVocabulariesOfGGUF() {
    func make(_ change: (inout GGUFVocabulary) -> Void) throws -> Tokenizer {
      var vocabulary = GGUFVocabulary(pieces: ["a", "b", "ab"], merges: ["a b"])
      change(&vocabulary)
      return try Tokenizer(gguf: vocabulary, file: "x.gguf")
    }
    #expect(throws: Never.self) { try make { _ in } }
    let changes: [(inout GGUFVocabulary) -> Void] = [
      { $0.model = "llama" }, { $0.preTokenizer = "nobody" }, { $0.tokenTypes = [1] }, { $0.pieces[1] = "a" },
      { $0.merges = ["a c"] }, { $0.merges = ["ab"] }, { $0.endOfText = 99 }, { $0.beginningOfText = -1 },
    ]
    for change in changes { #expect(throws: TokenizerError.self) { try make(change) } }
  }

  /// Files with bytes changed at random: an error or a tokenizer that works. LOOPED_FUZZ_SECONDS makes it longer.
  @Test func changedBytes() throws {
    let limit = ProcessInfo.processInfo.environment["LOOPED_FUZZ_SECONDS"].flatMap { Double($0) }
    let end = Date().addingTimeInterval(limit ?? 1)
    var vocabulary = TinyVocabulary.hello
    vocabulary.members["normalizer"] =
      #"{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"▁"}]}"#
    vocabulary.members["added_tokens"] = #"[{"id":300,"content":"<s>","special":true,"lstrip":true}]"#
    let original = Array(vocabulary.json.utf8)
    var random = SystemRandomNumberGenerator()
    var isTried = false
    while Date() < end || !isTried {
      isTried = true
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(bytes.randomElement()!, at: place)
        default: bytes[place] = Array("{}[]\",:0".utf8).randomElement()!
        }
      }
      guard let tokenizer = try? Tokenizer(json: bytes, file: "fuzz") else { continue }
      let tokens = tokenizer.encode("hello <s> wörld 12", addSpecialTokens: true)
      _ = tokenizer.decode(tokens)
    }
  }
}
