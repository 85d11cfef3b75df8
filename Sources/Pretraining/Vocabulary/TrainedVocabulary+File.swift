import Foundation
import Tensors
import Tokenization

/// tokenizer.json, as the `tokenizers` package writes and reads it.
extension TrainedVocabulary {
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

  /// Writes tokenizer_config.json, with the chat format of the Ouro models. - Throws: `AtomicFile.Failure`.
  func writeConfiguration(to path: String) throws {
    try DecoderFiles.write(
      [
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": Self.special[0],
        "eos_token": Self.special[0],
        "pad_token": Self.special[0], "chat_template": ChatTemplate.chatML.source,
        "clean_up_tokenization_spaces": false,
      ], to: path)
  }
}
