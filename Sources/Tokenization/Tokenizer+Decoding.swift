extension Tokenizer {
  /// The bytes that a token adds to a text; none for a number that no token has.
  ///
  /// They need not be UTF-8: a character may be spread over several tokens.
  public func bytes(of id: TokenID) -> [UInt8] { Array(decoded[id]) }

  /// The text of tokens. Bytes that are not UTF-8 become U+FFFD, one for every maximal part of a character.
  ///
  /// Numbers that no token has are left out.
  public func decode(_ ids: some Sequence<TokenID>, skipSpecialTokens: Bool = false) -> String {
    if decoder.isByteLevelAlone {
      var bytes: [UInt8] = []
      for id in ids where !(skipSpecialTokens && isSpecial(id)) { bytes += decoded[id] }
      return String(decoding: bytes, as: UTF8.self)
    }
    var pieces: [[UInt8]] = []
    for id in ids where !(skipSpecialTokens && isSpecial(id)) {
      if let piece = piece(id) { pieces.append(Array(piece.utf8)) }
    }
    return decoder.decode(pieces)
  }
}

extension TokenDecoder {
  /// Whether a text is the bytes of its tokens, one after the other.
  var isByteLevelAlone: Bool {
    guard let steps, steps.count == 1, case .byteLevel = steps[0] else { return false }
    return true
  }
}

/// What every token is decoded to. Memory: 8 bytes per token, and the bytes.
struct DecodedPieces: Sendable {
  private var arena: [UInt8] = []
  private var starts: [UInt32] = [0]

  init(model: BytePairModel, added: [(id: TokenID, piece: String)], decoder: TokenDecoder) {
    let count = max(model.pieces.count, added.last.map { Int($0.id) + 1 } ?? 0)
    starts.reserveCapacity(count + 1)
    arena.reserveCapacity(model.pieces.arena.count)
    var next = added.startIndex
    let isSimple = decoder.isByteLevelAlone
    for id in 0..<Int32(count) {
      if next < added.endIndex, added[next].id == id {
        arena += decoder.bytes(of: Array(added[next].piece.utf8))
        next += 1
      } else if let piece = model.pieces[id] {
        if isSimple {
          ByteAlphabet.append(piece, to: &arena)
        } else {
          arena += decoder.bytes(of: Array(piece))
        }
      }
      starts.append(UInt32(arena.count))
    }
  }

  subscript(_ id: TokenID) -> ArraySlice<UInt8> {
    guard id >= 0, Int(id) + 1 < starts.count else { return [] }
    return arena[Int(starts[Int(id)])..<Int(starts[Int(id) + 1])]
  }
}

/// Text of tokens as they come: what is still half a character waits for the next token.
///
/// All that is handed out, put together, is what `Tokenizer.decode` gives for all tokens at once. (With vocabularies that
/// fall back to <0x0A>, only if those bytes are UTF-8: `decode` judges a run of them as a whole.)
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  /// Half a character: three bytes at most.
  private var waiting: [UInt8] = []
  private var strip: (character: Unicode.Scalar, count: Int)?
  private var isFirst = true

  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = false) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skipSpecialTokens
    strip = tokenizer.decoder.leadingStrip
  }

  /// The text that a token makes complete; often empty.
  public mutating func add(_ id: TokenID) -> String {
    guard !(skipsSpecialTokens && tokenizer.isSpecial(id)) else { return "" }
    if tokenizer.decoder.steps == nil {
      guard tokenizer.piece(id) != nil else { return "" }
      if !isFirst { waiting.append(32) }
    }
    isFirst = false
    waiting += tokenizer.decoded[id]
    let complete = waiting.count - UTF8Text.incompleteSuffix(waiting)
    defer { waiting.removeFirst(complete) }
    return stripped(String(decoding: waiting[..<complete], as: UTF8.self))
  }

  /// What still waits: half a character becomes U+FFFD.
  public mutating func finish() -> String {
    defer { waiting = [] }
    return stripped(String(decoding: waiting, as: UTF8.self))
  }

  private mutating func stripped(_ text: String) -> String {
    guard let (character, count) = strip, !text.isEmpty else { return text }
    var scalars = text.unicodeScalars[...]
    var rest = count
    while rest > 0, scalars.first == character {
      scalars.removeFirst()
      rest -= 1
    }
    strip = scalars.isEmpty && rest > 0 ? (character, rest) : nil
    return String(scalars)
  }
}
