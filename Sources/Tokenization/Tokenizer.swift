import Foundation

/// Turns text into the tokens of a vocabulary, and back: byte-pair encoding as `tokenizer.json` and GGUF files describe it.
///
/// Equal to the `tokenizers` package, token for token (Conformance/test_tokenizer.py). All methods may be called from
/// several threads at once. Memory: the vocabulary, and 1 MiB of words seen lately for every thread that encodes at once.
///
/// Source: byte-pair encoding, Sennrich, Haddow and Birch 2016; bytes instead of characters, Radford et al. 2019 (GPT-2).
public final class Tokenizer: Sendable {
  let model: BytePairModel
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer
  let decoder: TokenDecoder
  /// What a whole text begins and ends with, if special tokens are asked for.
  let prefix: [TokenID]
  let suffix: [TokenID]
  /// Ordered by number.
  public let addedTokens: [AddedToken]
  /// Where it was read from.
  public let file: String
  /// The end-of-text token that the file itself names (GGUF); nil if it names none.
  public let endOfText: TokenID?

  /// The pieces of added tokens: of those that are found in normalised text, as that has them.
  private let addedPieces: [String]
  private let addedByID: [TokenID: Int]
  private let addedByContent: [String: Int]
  private let rawMatcher: AddedTokenMatcher
  private let normalizedMatcher: AddedTokenMatcher
  private let encoders: EncoderPool
  /// What every token is decoded to, one after the other, if that does not depend on its neighbours.
  let decoded: DecodedPieces

  /// What a file describes, however it is written.
  struct Parts {
    var file: String
    var model: BytePairModel
    var normalizer: Normalizer?
    var preTokenizer = PreTokenizer()
    var decoder = TokenDecoder(steps: nil)
    var prefix: [TokenID] = []
    var suffix: [TokenID] = []
    var addedTokens: [AddedToken] = []
    var endOfText: TokenID?
  }

  init(_ parts: Parts) {
    file = parts.file
    model = parts.model
    normalizer = parts.normalizer
    preTokenizer = parts.preTokenizer
    decoder = parts.decoder
    prefix = parts.prefix
    suffix = parts.suffix
    endOfText = parts.endOfText
    addedTokens = parts.addedTokens.sorted { $0.id < $1.id }
    addedByID = Dictionary(uniqueKeysWithValues: addedTokens.enumerated().map { ($1.id, $0) })
    addedByContent = Dictionary(addedTokens.enumerated().map { ($1.content, $0) }) { $1 }
    let raw = addedTokens.filter { !$0.isNormalized }
    rawMatcher = AddedTokenMatcher(raw, contents: raw.map { Array($0.content.utf8) })
    let normalized = addedTokens.filter(\.isNormalized)
    let normalizer = parts.normalizer
    normalizedMatcher = AddedTokenMatcher(
      normalized,
      contents: normalized.map { normalizer?.normalize(Array($0.content.utf8)) ?? Array($0.content.utf8) })
    encoders = EncoderPool(model)
    addedPieces = addedTokens.map { token in
      guard token.isNormalized, let normalizer else { return token.content }
      return String(decoding: normalizer.normalize(Array(token.content.utf8)), as: UTF8.self)
    }
    decoded = DecodedPieces(
      model: model, added: zip(addedTokens, addedPieces).map { ($0.id, $1) }, decoder: decoder)
  }

  // MARK: The vocabulary

  /// One more than the largest number of a token.
  public var vocabularySize: Int { max(model.pieces.count, addedTokens.last.map { Int($0.id) + 1 } ?? 0) }

  /// The piece of a token as the vocabulary has it: in the letters of byte-level vocabularies; `nil` for a number that no
  /// token has.
  public func piece(_ id: TokenID) -> String? {
    if let index = addedByID[id] { return addedPieces[index] }
    return model.pieces[id].map { String(decoding: $0, as: UTF8.self) }
  }

  /// The number of a piece, written as the vocabulary has it; `nil` if there is none.
  public func id(of piece: String) -> TokenID? {
    if let index = addedByContent[piece] { return addedTokens[index].id }
    return model.pieces.id(of: Array(piece.utf8))
  }

  public func addedToken(_ id: TokenID) -> AddedToken? { addedByID[id].map { addedTokens[$0] } }

  /// Whether the token is a special one, which is left out of text on request.
  public func isSpecial(_ id: TokenID) -> Bool { addedToken(id)?.isSpecial ?? false }

  /// Tokens after which an answer is over: those of the configuration, the file's own, and <|im_end|> if there is one.
  ///
  /// Ouro's files name <|endoftext|> as the end, although its chats end with <|im_end|>: who believes them never stops.
  /// - Parameter configured: what generation_config.json or config.json name as `eos_token_id`.
  public func endOfTurnTokens(configured: [TokenID] = []) -> [TokenID] {
    var tokens = Set(configured)
    if let endOfText { tokens.insert(endOfText) }
    if let end = id(of: "<|im_end|>") { tokens.insert(end) }
    return tokens.sorted()
  }

  // MARK: Encoding

  /// The tokens of a text.
  ///
  /// Complexity: O(n) for text of words; O(n log n) for a single word of n bytes.
  /// - Parameters:
  ///   - addSpecialTokens: puts what the file's post-processor demands before and after the text.
  ///   - parsesSpecialTokens: whether <|im_end|> in the text is that token. False for text of strangers, which must not
  ///     end a turn.
  public func encode(_ text: String, addSpecialTokens: Bool = false, parsesSpecialTokens: Bool = true)
    -> [TokenID]
  {
    var text = text
    return text.withUTF8 {
      encode($0, addSpecialTokens: addSpecialTokens, parsesSpecialTokens: parsesSpecialTokens)
    }
  }

  /// The tokens of bytes that need not be UTF-8.
  ///
  /// A byte that begins no character is kept by byte-level vocabularies, as something that is neither letter, number nor
  /// blank, so that decoding gives it back. Others, and every normaliser that has something to do, see U+FFFD.
  public func encode(
    bytes: some Collection<UInt8>, addSpecialTokens: Bool = false, parsesSpecialTokens: Bool = true
  ) -> [TokenID] {
    bytes.withContiguousStorageIfAvailable {
      encode($0, addSpecialTokens: addSpecialTokens, parsesSpecialTokens: parsesSpecialTokens)
    }
      ?? Array(bytes).withUnsafeBufferPointer {
        encode($0, addSpecialTokens: addSpecialTokens, parsesSpecialTokens: parsesSpecialTokens)
      }
  }

  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, addSpecialTokens: Bool, parsesSpecialTokens: Bool
  ) -> [TokenID] {
    let mended: [UInt8]
    var text = text
    if !model.isByteLevel, UTF8Text.firstInvalid(text) != nil {
      mended = Array(String(decoding: text, as: UTF8.self).utf8)
      return mended.withUnsafeBufferPointer {
        encode($0, addSpecialTokens: addSpecialTokens, parsesSpecialTokens: parsesSpecialTokens)
      }
    }
    if text.baseAddress == nil { text = UnsafeBufferPointer(start: nil, count: 0) }
    return encoders.withEncoder { encoder in
      var sink = TokenSink(encoder, capacity: text.count / 3 + 16)
      if addSpecialTokens { for token in prefix { sink.output.append(token) } }
      if let start = text.baseAddress, text.count > 0 {
        PaddedBytes.with(start, text.count) { p in
          rawMatcher.split(p, text.count, findsSpecial: parsesSpecialTokens) { part in
            switch part {
            case .token(let id): sink.output.append(id)
            case .text(let range):
              encodeText(p + range.lowerBound, range.count, parsesSpecialTokens, &sink)
            }
          }
        }
      }
      if addSpecialTokens { for token in suffix { sink.output.append(token) } }
      return sink.output.array
    }
  }

  /// Encodes what lies between the tokens that are found in the text as it is.
  private func encodeText(
    _ p: UnsafePointer<UInt8>, _ count: Int, _ parsesSpecialTokens: Bool, _ sink: inout TokenSink
  ) {
    guard let normalizer else { return encodeNormalized(p, count, parsesSpecialTokens, &sink) }
    let text = normalizer.normalize(Array(UnsafeBufferPointer(start: p, count: count)))
    text.withUnsafeBufferPointer { text in
      guard let start = text.baseAddress, text.count > 0 else { return }
      PaddedBytes.with(start, text.count) { encodeNormalized($0, text.count, parsesSpecialTokens, &sink) }
    }
  }

  private func encodeNormalized(
    _ p: UnsafePointer<UInt8>, _ count: Int, _ parsesSpecialTokens: Bool, _ sink: inout TokenSink
  ) {
    normalizedMatcher.split(p, count, findsSpecial: parsesSpecialTokens) { part in
      switch part {
      case .token(let id): sink.output.append(id)
      case .text(let range): preTokenizer.run(p + range.lowerBound, range.count, into: &sink)
      }
    }
  }
}

/// Takes words and keeps their tokens.
struct TokenSink: WordSink, ~Copyable {
  private let encoder: BytePairEncoder
  var output: TokenBuffer

  init(_ encoder: BytePairEncoder, capacity: Int) {
    self.encoder = encoder
    output = TokenBuffer(capacity: capacity)
  }

  @inline(__always)
  mutating func add(_ p: UnsafePointer<UInt8>, _ count: Int) { encoder.encode(p, count, into: &output) }
}

enum PaddedBytes {
  /// A copy behind which `PreTokenizer.padding` bytes can be read.
  static func with<Result>(
    _ start: UnsafePointer<UInt8>, _ count: Int, _ body: (UnsafePointer<UInt8>) -> Result
  ) -> Result {
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: count + PreTokenizer.padding)
    defer { copy.deallocate() }
    copy.update(from: start, count: count)
    (copy + count).initialize(repeating: 0, count: PreTokenizer.padding)
    return body(copy)
  }
}

/// Memory for encodings, one at a time each, so that threads share no words and need no locks while they encode.
final class EncoderPool: @unchecked Sendable {
  private let model: BytePairModel
  private let lock = NSLock()
  private var free: [BytePairEncoder] = []

  init(_ model: BytePairModel) { self.model = model }

  func withEncoder<Result>(_ body: (BytePairEncoder) -> Result) -> Result {
    let encoder = lock.withLock { free.popLast() } ?? BytePairEncoder(model)
    defer {
      encoder.trim()
      lock.withLock { if free.count < ProcessInfo.processInfo.activeProcessorCount { free.append(encoder) } }
    }
    return body(encoder)
  }
}
