import Foundation
import Tensors
import Tokenization

/// tokenizer.json, as the `tokenizers` package writes and reads it.
extension TrainedVocabulary {
  /// The longest file that is read.
  static let sizeLimit = 64 << 20

  /// GPT-2's alphabet: a printable character for every byte.
  static let alphabet: [Unicode.Scalar] = {
    let plain = Set(Array(33...126) + Array(161...172) + Array(174...255))
    var next: UInt32 = 256
    return (0..<256).map { byte in
      if plain.contains(byte) { return Unicode.Scalar(UInt8(byte)) }
      defer { next += 1 }
      return Unicode.Scalar(next)!
    }
  }()

  private static func name(_ piece: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in piece { text.append(alphabet[Int(byte)]) }
    return String(text)
  }

  /// Writes tokenizer.json. - Throws: `AtomicFile.Failure`.
  public func write(to path: String) throws {
    let names = Self.special + pieces[Self.firstByte...].map(Self.name)
    let added: [[String: Any]] = Self.special.enumerated().map { id, content in
      [
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
      ]
    }
    let levels: [String: Any] = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    ]
    let model: [String: Any] = [
      "type": "BPE", "dropout": NSNull(), "unk_token": NSNull(), "continuing_subword_prefix": NSNull(),
      "end_of_word_suffix": NSNull(), "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
      "vocab": Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) }),
      "merges": merges.map { [names[Int($0.pair.first)], names[Int($0.pair.second)]] },
    ]
    try DecoderFiles.write(
      [
        "version": "1.0", "truncation": NSNull(), "padding": NSNull(), "added_tokens": added,
        "normalizer": NSNull(), "post_processor": NSNull(), "decoder": levels, "model": model,
        "pre_tokenizer": [
          "type": "Sequence",
          "pretokenizers": [["type": "Digits", "individual_digits": true] as [String: Any], levels],
        ] as [String: Any],
      ], to: path)
  }

  /// Reads a tokenizer.json that `write` wrote, or one of the same layout.
  /// - Throws: `VocabularyError` that names the file.
  public init(contentsOf path: String) throws {
    func fault(_ message: String) -> VocabularyError { VocabularyError(file: path, message: message) }
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: Self.sizeLimit + 1) ?? Data(), data.count <= Self.sizeLimit,
      let root = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { throw fault("cannot be read, or is no JSON object") }
    guard let model = root["model"] as? [String: Any], model["type"] as? String == "BPE",
      let vocabulary = model["vocab"] as? [String: Int], let stored = model["merges"] as? [Any]
    else { throw fault("has no BPE model with a vocabulary and merges") }
    let wanted = Self.special + (0..<256).map { Self.name([UInt8($0)]) }
    guard wanted.enumerated().allSatisfy({ vocabulary[$1] == $0 }) else {
      throw fault("does not begin with \(Self.special.joined(separator: " ")) and the 256 bytes")
    }
    var pieces = Self.unmerged
    var merges: [Merge] = []
    var pairs: Set<Pair> = []
    for (index, entry) in stored.enumerated() {
      let parts = entry as? [String] ?? (entry as? String)?.split(separator: " ").map(String.init) ?? []
      guard parts.count == 2, let first = vocabulary[parts[0]], let second = vocabulary[parts[1]],
        pieces.indices.contains(first), pieces.indices.contains(second),
        min(first, second) >= Self.firstByte, let made = vocabulary[parts[0] + parts[1]],
        (Self.smallest...pieces.count).contains(made)
      else { throw fault("merge \(index) does not make the next token of two before it") }
      let piece = pieces[first] + pieces[second]
      if made == pieces.count { pieces.append(piece) }
      let pair = Pair(first: TokenID(first), second: TokenID(second))
      guard pieces[made] == piece, pairs.insert(pair).inserted else {
        throw fault("merge \(index) contradicts one before it")
      }
      merges.append(Merge(pair: pair, made: TokenID(made)))
    }
    guard vocabulary.count == pieces.count else {
      throw fault("has \(vocabulary.count) tokens, of which the merges make \(pieces.count)")
    }
    self.init(merges: merges, pieces: pieces)
  }

  /// The chat format of the Ouro models, for tokenizer_config.json.
  static let chatTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    + "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

  /// Writes tokenizer_config.json. - Throws: `AtomicFile.Failure`.
  func writeConfiguration(to path: String) throws {
    try DecoderFiles.write(
      [
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": Self.special[0],
        "eos_token": Self.special[0],
        "pad_token": Self.special[0], "chat_template": Self.chatTemplate,
        "clean_up_tokenization_spaces": false,
      ], to: path)
  }
}

/// A tokenizer file that cannot be trained with.
public struct VocabularyError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let message: String
  public var description: String {
    "\(file): error: \(message)\nhint: `looped pretrain tokenizer` makes such a file from a text"
  }
}
