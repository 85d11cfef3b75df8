import Foundation
import Tensors
import Tokenization

extension TokenizerData {
  /// Files that belong to a model's tokenizer and its use, in the order in which a folder lists them.
  static let companions = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "generation_config.json", "chat_template.jinja", "chat_template.json",
  ]
  /// The largest tokenizer.json that is read.
  private static let limit = 256 << 20

  /// From the files of a Hugging Face folder.
  /// - Throws: `ModelFileError`, `TokenizerError`.
  init(folder: String, config: JSONValue, vocabularySize: Int) throws {
    func path(_ name: String) -> String { (folder as NSString).appendingPathComponent(name) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    file = path("tokenizer.json")
    if exists("tokenizer.json") { json = try Self.bytes(file, limit: Self.limit) }
    if exists("tokenizer_config.json") {
      let configuration = try TokenizerConfiguration(contentsOf: path("tokenizer_config.json"))
      chatTemplate = configuration.chatTemplate
      specialTokens = configuration.specialTokens
    }
    // Transformers 5 keeps the template in a file of its own.
    if exists("chat_template.jinja") {
      chatTemplate = String(
        decoding: try Self.bytes(path("chat_template.jinja"), limit: 1 << 20), as: UTF8.self)
    }
    let name = exists("generation_config.json") ? "generation_config.json" : nil
    generation = try GenerationDefaults(
      huggingFace: name.map { try JSONValue.object(file: path($0)) } ?? .object([:]),
      file: path("generation_config.json"), config: config, configFile: path("config.json"),
      vocabularySize: vocabularySize)
  }

  private static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
    let mapped: SharedBytes
    do { mapped = try SharedBytes.map(path) } catch { throw ModelFileError(file: path, "cannot be opened") }
    guard mapped.count <= limit else {
      throw ModelFileError(file: path, "has \(mapped.count) bytes; such a file has at most \(limit)")
    }
    return Array(mapped.buffer)
  }

  /// The files of a Hugging Face folder that say the same.
  /// - Throws: `ModelFileError` if the pre-tokenizer has no counterpart there.
  func huggingFaceFiles() throws -> [(name: String, contents: [UInt8])] {
    var files: [(name: String, contents: [UInt8])] = []
    func add(_ name: String, _ value: JSONValue) { files.append((name, Array((value.text() + "\n").utf8))) }
    if let json {
      files.append(("tokenizer.json", json))
    } else if let vocabulary {
      add("tokenizer.json", try TokenizerJSON.make(vocabulary, file: file))
    }
    var config: [String: JSONValue] = [:]
    func piece(_ id: TokenID?) -> JSONValue? {
      guard let id, let pieces = vocabulary?.pieces, pieces.indices.contains(Int(id)) else { return nil }
      return .string(pieces[Int(id)])
    }
    if vocabulary != nil {
      config["bos_token"] = piece(vocabulary?.beginningOfText)
      config["eos_token"] = piece(vocabulary?.endOfText)
      config["pad_token"] = piece(generation.paddingToken)
      config["tokenizer_class"] = .string("PreTrainedTokenizerFast")
      config["clean_up_tokenization_spaces"] = .bool(false)
      if let flag = vocabulary?.addsBeginning { config["add_bos_token"] = .bool(flag) }
    }
    config["chat_template"] = chatTemplate.map { .string($0) }
    if !config.isEmpty { add("tokenizer_config.json", .object(config)) }
    if generation != GenerationDefaults() { add("generation_config.json", generation.huggingFace) }
    return files
  }
}
