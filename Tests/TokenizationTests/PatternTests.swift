import Foundation
import Testing

@testable import Tokenization

@Suite struct PatternTests {
  /// All matches of a pattern in a text, as bytes.
  static func pieces(_ pattern: SplitPattern, _ text: [UInt8]) -> [Range<Int>] {
    text.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return [] }
      return PaddedBytes.with(start, text.count) { p in
        var result: [Range<Int>] = []
        var position = 0
        while let match = pattern.next(
          p, from: position, text.count, lastEnd: result.last?.upperBound, CharacterTable.ascii)
        {
          result.append(match)
          position = match.upperBound
        }
        return result
      }
    }
  }

  static func split(_ source: String, _ text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    return pieces(.regex(try RegexProgram(source)), bytes).map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  static let parts = [
    "'s", "'S", "'ſ", "'re", "'LL", "'", " ", "  ", "\n", "\r\n", "\t", "\u{a0}", "\u{3000}", "0", "12", "²",
    "Ⅷ", "é", "e\u{301}",
    "日本", "한국", "🙂", "a", "B", "_", "-", "...", "\u{0}", "\u{10ffff}", "hello", "World",
  ]

  @Test func handWrittenEqualsGeneral() throws {
    let known: [(KnownPattern, String)] = [
      (.gpt2, KnownPattern.gpt2Source),
      (.cl100k(digits: 3), KnownPattern.cl100kSource(digits: #"\p{N}{1,3}"#)),
      (.cl100k(digits: 1), KnownPattern.cl100kSource(digits: #"\p{N}"#)),
      (.cl100k(digits: .max), KnownPattern.cl100kSource(digits: #"\p{N}+"#)),
    ]
    for (pattern, source) in known {
      #expect(KnownPattern(source: source) == pattern)
      let general = SplitPattern.regex(try RegexProgram(source))
      for _ in 0..<400 {
        let text = (0..<Int.random(in: 0...14)).map { _ in Self.parts.randomElement()! }.joined()
        var bytes = Array(text.utf8)
        // Also with bytes that are no characters.
        if Bool.random(), !bytes.isEmpty {
          bytes[Int.random(in: 0..<bytes.count)] = UInt8.random(in: 128...255)
        }
        #expect(
          Self.pieces(.known(pattern), bytes) == Self.pieces(general, bytes), "\(text.debugDescription)")
      }
    }
  }

  @Test func languageOfPatterns() throws {
    #expect(try Self.split("a|ab", "ab") == ["a"])
    #expect(try Self.split("a{2}", "aaaaa") == ["aa", "aa"])
    #expect(try Self.split("a{2,3}?", "aaaaa") == ["aa", "aa"])
    #expect(try Self.split("a{,2}b", "aaab") == ["aab"])
    #expect(try Self.split("a++a|b", "aaab") == ["b"])
    #expect(try Self.split("(?>a+)b", "aaab") == ["aaab"])
    #expect(try Self.split(#"(?<!\d)\d(?!\d)"#, "1 22 3") == ["1", "3"])
    #expect(try Self.split(#"(?<=a)b"#, "ab bb") == ["b"])
    #expect(try Self.split(#"[^\W\d]+"#, "ab1é_ c") == ["ab", "é_", "c"])
    #expect(try Self.split(#"[\p{L}&&[^a-c]]+"#, "abcdeé") == ["deé"])
    #expect(try Self.split(#"(?i:straSSe|K)"#, "STRASSE \u{212a}k") == ["STRASSE", "\u{212a}", "k"])
    #expect(try Self.split(#"^a|b$"#, "a\nab\nb") == ["a", "a", "b", "b"])
    #expect(try Self.split(#"\bfoo\b"#, "foo food foo") == ["foo", "foo"])
    #expect(try Self.split(#"\x41\u0042\x{43}"#, "ABC") == ["ABC"])
    #expect(try Self.split("x*", "axb") == ["", "x", ""])
    #expect(try Self.split("(?:a*)*b", "aaab") == ["aaab"])
    #expect(try Self.split("", "a") == ["", ""])
    for bad in [
      "(", ")", "[", "a**b(", "\\", #"\p{Nope}"#, "(?<name>a)", #"(a)\1"#, "*", "a{3,2}", "a{2000}", "[b-a]",
      "(?<=ab)c",
    ] {
      #expect(throws: RegexError.self, "\(bad)") { try RegexProgram(bad) }
    }
  }

  @Test func hostilePatternsEnd() throws {
    // Exponential for a matcher that forgets what failed.
    let text = Array(String(repeating: "a", count: 3000).utf8)
    for source in ["(a+)+b", "(a|aa)+b", "(?:a*)*b", "(a?){30}a{30}b", "(?:(?:a+)+)+b"] {
      #expect(Self.pieces(.regex(try RegexProgram(source)), Array(text[..<400])).isEmpty)
    }
    #expect(throws: RegexError.self) { try RegexProgram("((a{500}){500}){500}") }
    #expect(throws: RegexError.self) { try RegexProgram(String(repeating: "(", count: 10_000)) }
  }

  @Test(arguments: SplitBehavior.allCases) func behaviours(_ behavior: SplitBehavior) throws {
    var vocabulary = TinyVocabulary([])
    vocabulary.members["pre_tokenizer"] = """
      {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"-"},"behavior":"\(behavior.rawValue)",
      "invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
      """
    let preTokenizer = try vocabulary.tokenizer().preTokenizer
    let expected: [SplitBehavior: [String]] = [
      .isolated: ["a", "-", "-", "b", "-", "c"], .removed: ["a", "b", "c"],
      .mergedWithPrevious: ["a-", "-", "b-", "c"], .mergedWithNext: ["a", "-", "-b", "-c"],
      .contiguous: ["a", "--", "b", "-", "c"],
    ]
    var words = Words()
    PaddedBytes.with(Array("a--b-c".utf8), 6) { preTokenizer.run($0, 6, into: &words) }
    #expect(words.words == expected[behavior])
  }

  struct Words: WordSink {
    var words: [String] = []
    mutating func add(_ p: UnsafePointer<UInt8>, _ count: Int) {
      words.append(String(decoding: UnsafeBufferPointer(start: p, count: count), as: UTF8.self))
    }
  }
}
