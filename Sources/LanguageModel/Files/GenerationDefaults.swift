import Tokenization

/// What a model's files say of how to generate with it: when to stop, and how to sample unless told otherwise.
public struct GenerationDefaults: Equatable, Sendable {
  /// Tokens after which an answer is over.
  public var endTokens: [TokenID] = []
  public var beginningToken: TokenID?
  public var paddingToken: TokenID?
  public var temperature: Float?
  public var topK: Int?
  public var topP: Float?
  public var minP: Float?
  public var repetitionPenalty: Float?

  public init() {}

  /// From generation_config.json, and config.json for what that does not name.
  /// - Throws: `ModelFileError` naming the key.
  init(huggingFace json: JSONValue, file: String, config: JSONValue, configFile: String, vocabularySize: Int)
    throws
  {
    func token(_ value: JSONValue, _ key: String, _ file: String) throws -> TokenID {
      guard let number = value.integer, number >= 0, number < vocabularySize else {
        throw ModelFileError(
          file: file, place: key, "\(value.text()) is no token of a vocabulary of \(vocabularySize)")
      }
      return TokenID(number)
    }
    func tokens(_ key: String) throws -> [TokenID] {
      for (json, file) in [(json, file), (config, configFile)] {
        guard let value = json[key], !value.isNull else { continue }
        return try (value.array ?? [value]).map { try token($0, key, file) }
      }
      return []
    }
    func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
      guard let value = json[key], !value.isNull else { return nil }
      guard let number = value.number, range.contains(number) else {
        throw ModelFileError(
          file: file, place: key,
          "is \(value.text()); it must be from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    endTokens = try tokens("eos_token_id")
    beginningToken = try tokens("bos_token_id").first
    paddingToken = try tokens("pad_token_id").first
    // Without sampling the numbers mean nothing; Transformers ignores them too.
    if json["do_sample"]?.bool == false { return }
    temperature = try number("temperature", 0...1000).map(Float.init)
    topK = try number("top_k", 0...1e9).map { Int($0) }
    topP = try number("top_p", 0...1).map(Float.init)
    minP = try number("min_p", 0...1).map(Float.init)
    repetitionPenalty = try number("repetition_penalty", 0...1000).map(Float.init)
  }

  /// What generation_config.json says of these.
  var huggingFace: JSONValue {
    var members: [String: JSONValue] = [:]
    if let first = endTokens.first {
      members["eos_token_id"] =
        endTokens.count == 1 ? .integer(Int(first)) : .array(endTokens.map { .integer(Int($0)) })
    }
    members["bos_token_id"] = beginningToken.map { .integer(Int($0)) }
    members["pad_token_id"] = paddingToken.map { .integer(Int($0)) }
    for (key, value) in [
      ("temperature", temperature), ("top_p", topP), ("min_p", minP),
      ("repetition_penalty", repetitionPenalty),
    ] {
      // The shortest decimal of the f32: 0.7 rather than 0.699999988079071.
      members[key] = value.flatMap { Double("\($0)") }.map { .number($0) }
    }
    members["top_k"] = topK.map { .integer($0) }
    return .object(members)
  }
}
