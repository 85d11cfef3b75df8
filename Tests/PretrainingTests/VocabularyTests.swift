import Foundation
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
  @Test func theMostFrequentPairIsMerged() {
    let text = storyText(documents: 3)
    var trainer = VocabularyTrainer()
    trainer.add(text)
    let vocabulary = trainer.train(size: 300)
    #expect(vocabulary.count == 300)
    var words: [[TokenID]] = []
    WordSplitter.forEachWord(in: text) { words.append($0.map { TokenID(3 + Int($0)) }) }
    for merge in vocabulary.merges {
      var counts: [TrainedVocabulary.Pair: Int] = [:]
      for word in words {
        for (a, b) in zip(word, word.dropFirst()) { counts[.init(first: a, second: b), default: 0] += 1 }
      }
      let best = counts.values.max()!
      #expect(merge.pair == counts.filter { $0.value == best }.keys.min())
      words = words.map { VocabularyTrainer.merging($0, merge.pair, into: merge.made) }
    }
    var encoder = VocabularyEncoder(vocabulary)
    #expect(encoder.encode(text) == words.flatMap { $0 })
    #expect(encoder.decode(encoder.encode(text)) == text)
    // Bytes that no training text had, and special tokens' names as mere text.
    let odd = "ñ 日本 <|im_start|>\0"
    #expect(encoder.decode(encoder.encode(odd)) == odd)
    #expect(!encoder.encode("<|im_start|>").contains(1))
    #expect(encoder.decode([-4, 9999, 2]) == "")
  }

  @Test func twoMergesMayMakeOneToken() {
    // "abc" from "ab" and "c", and from "a" and "bc".
    var trainer = VocabularyTrainer()
    for _ in 0..<9 { trainer.add("ab ") }
    for _ in 0..<8 { trainer.add("bcx ") }
    for _ in 0..<7 { trainer.add("abc ") }
    for _ in 0..<6 { trainer.add("bc ") }
    let vocabulary = trainer.train(size: 280)
    #expect(Set(vocabulary.pieces.dropFirst(3)).count == vocabulary.count - 3)
    var encoder = VocabularyEncoder(vocabulary)
    #expect(encoder.decode(encoder.encode("abc bcx")) == "abc bcx")
  }

  @Test func tokenizerFilesGoOutAndIn() throws {
    let folder = try Folder()
    var trainer = VocabularyTrainer()
    trainer.add(storyText(documents: 2))
    let vocabulary = trainer.train(size: 290)
    let path = folder.path + "/tokenizer.json"
    try vocabulary.write(to: path)
    #expect(try TrainedVocabulary(contentsOf: path) == vocabulary)
    #expect(VocabularyTrainer().train(size: 500).count == TrainedVocabulary.smallest)
  }

  @Test func tokenizerFilesThatAreNoneAreRefused() throws {
    let folder = try Folder()
    var trainer = VocabularyTrainer()
    trainer.add(storyText(documents: 2))
    let path = folder.path + "/tokenizer.json"
    try trainer.train(size: 265).write(to: path)
    let good =
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as! [String: Any]
    func expectRefusal(_ edit: (inout [String: Any]) -> Void) throws {
      var root = good
      var model = root["model"] as! [String: Any]
      edit(&model)
      root["model"] = model
      try DecoderFiles.write(root, to: path)
      let error = #expect(throws: VocabularyError.self) { try TrainedVocabulary(contentsOf: path) }
      #expect(error?.file == path)
    }
    let merges = (good["model"] as! [String: Any])["merges"] as! [[String]]
    let names = (good["model"] as! [String: Any])["vocab"] as! [String: Int]
    try expectRefusal { $0["type"] = "Unigram" }
    try expectRefusal { $0["merges"] = Array(merges.dropLast()) }
    try expectRefusal { $0["merges"] = merges + [["a", "zzz"]] }
    try expectRefusal { $0["merges"] = merges + [merges[0]] }
    try expectRefusal { $0["merges"] = Array(merges.reversed()) }
    try expectRefusal { $0["merges"] = [1, 2] }
    try expectRefusal { $0["merges"] = [["<|endoftext|>", "a"]] + merges }
    try expectRefusal { $0["vocab"] = names.filter { $0.value != 70 } }
    try expectRefusal { $0["vocab"] = names.merging(["more": 9999]) { a, _ in a } }
    for text in ["", "{", "[]", "{\"model\": 3}"] {
      _ = try folder.write(text, to: "tokenizer.json")
      #expect(throws: VocabularyError.self) { try TrainedVocabulary(contentsOf: path) }
    }
    #expect(throws: VocabularyError.self) { try TrainedVocabulary(contentsOf: folder.path) }
  }
}
