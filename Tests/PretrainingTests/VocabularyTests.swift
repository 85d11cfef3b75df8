import Foundation
import Tensors
import Testing
import Tokenization

@testable import Pretraining

@Suite struct VocabularyTests {
  private func words(_ text: String) -> [String] {
    var words: [String] = []
    WordSplitter.forEachWord(in: text) { words.append(String(decoding: $0, as: UTF8.self)) }
    return words
  }

  @Test func wordsAreCutAsTheirPatternSays() {
    #expect(words("Hello, world! it's 12") == ["Hello", ",", " world", "!", " it", "'s", " ", "1", "2"])
    #expect(words("a  b \n\n c") == ["a", " ", " b", " \n\n", " c"])
    #expect(words("end   ") == ["end", "   "])
    #expect(words("they'll 'tis 'S") == ["they", "'ll", " '", "tis", " '", "S"])
    #expect(words("x   1") == ["x", "   ", "1"])
    #expect(words("Äpfel ½ 日本!?") == ["Äpfel", " ", "½", " 日本", "!?"])
    #expect(words("'re'x") == ["'re", "'", "x"] && words("") == [])
    let odd = "a\u{00A0}b\r\n\t'' 9a e\u{0301}"
    #expect(words(odd).joined() == odd)
  }

  /// The trainer against counting everything again after every merge.
  @Test func theMostFrequentPairIsMerged() throws {
    let text = storyText(documents: 3)
    let (vocabulary, words) = try check(text, size: 300)
    #expect(vocabulary.count == 300)
    // Read as everybody reads it, the text gets the tokens that the merges left.
    let tokenizer = try read(vocabulary)
    #expect(tokenizer.encode(text, parsesSpecialTokens: false) == words.flatMap { $0 })
    // Bytes that no training text had.
    let odd = "ñ 日本 \0"
    #expect(tokenizer.decode(tokenizer.encode(odd)) == odd)
    #expect(tokenizer.encode("<|im_start|>") == [1] && tokenizer.isSpecial(2))
  }

  /// Few letters and long words: runs that overlap themselves, many pairs that are equally frequent, counts that rise and
  /// fall; until no pair occurs twice.
  @Test(arguments: 1...6) func pairsOfRepetitiveWordsAreMerged(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let letters = Array("ab-".prefix(seed < 3 ? 1 : seed < 5 ? 2 : 3))
    let text = (0..<120).map { _ in
      String((0..<1 + random.next() % 17).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
    }.joined(separator: " ")
    let (vocabulary, words) = try check(text, size: 5000)
    var counts: [TrainedVocabulary.Pair: Int] = [:]
    for word in words {
      for (a, b) in zip(word, word.dropFirst()) { counts[.init(first: a, second: b), default: 0] += 1 }
    }
    #expect(counts.values.allSatisfy { $0 == 1 } && vocabulary.merges.count > 5)
  }

  /// Learns a vocabulary, and holds every merge against a count of all pairs.
  ///
  /// - Returns: the words of the text after all merges too.
  private func check(
    _ text: String, size: Int
  ) throws -> (vocabulary: TrainedVocabulary, words: [[TokenID]]) {
    var trainer = VocabularyTrainer()
    trainer.add(text)
    let vocabulary = trainer.train(size: size)
    var words: [[TokenID]] = []
    WordSplitter.forEachWord(in: text) { words.append($0.map { TokenID(3 + Int($0)) }) }
    for merge in vocabulary.merges {
      var counts: [TrainedVocabulary.Pair: Int] = [:]
      for word in words {
        for (a, b) in zip(word, word.dropFirst()) { counts[.init(first: a, second: b), default: 0] += 1 }
      }
      let best = try #require(counts.values.max())
      #expect(merge.pair == counts.filter { $0.value == best }.keys.min() && best > 1)
      words = words.map { merging($0, merge.pair, into: merge.made) }
    }
    return (vocabulary, words)
  }

  private func merging(
    _ tokens: [TokenID], _ pair: TrainedVocabulary.Pair, into made: TokenID
  ) -> [TokenID] {
    var (result, i): ([TokenID], Int) = ([], 0)
    while i < tokens.count {
      let isPair = i + 1 < tokens.count && tokens[i] == pair.first && tokens[i + 1] == pair.second
      result.append(isPair ? made : tokens[i])
      i += isPair ? 2 : 1
    }
    return result
  }

  @Test func twoMergesMayMakeOneToken() throws {
    // "abc" from "ab" and "c", and from "a" and "bc".
    var trainer = VocabularyTrainer()
    for _ in 0..<9 { trainer.add("ab ") }
    for _ in 0..<8 { trainer.add("bcx ") }
    for _ in 0..<7 { trainer.add("abc ") }
    for _ in 0..<6 { trainer.add("bc ") }
    let vocabulary = trainer.train(size: 280)
    #expect(Set(vocabulary.pieces.dropFirst(3)).count == vocabulary.count - 3)
    let tokenizer = try read(vocabulary)
    #expect(tokenizer.decode(tokenizer.encode("abc bcx")) == "abc bcx")
  }

  private func read(_ vocabulary: TrainedVocabulary) throws -> Tokenizer {
    let folder = try Folder()
    try vocabulary.write(to: folder.path + "/tokenizer.json")
    try vocabulary.writeConfiguration(to: folder.path + "/tokenizer_config.json")
    let configuration = try TokenizerConfiguration(contentsOf: folder.path + "/tokenizer_config.json")
    #expect(configuration.chatTemplate == ChatTemplate.chatML.source)
    return try Tokenizer(contentsOf: folder.path + "/tokenizer.json")
  }

  @Test func aVocabularyMayBeSmallerThanAskedFor() throws {
    #expect(VocabularyTrainer().train(size: 500).count == TrainedVocabulary.smallest)
    #expect(try read(VocabularyTrainer().train(size: 0)).vocabularySize == TrainedVocabulary.smallest)
  }
}
