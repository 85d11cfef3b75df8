/// Cuts text into the words inside which pairs are merged: digits one by one, then GPT-2's pattern.
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Source: GPT-2's tokenizer; SmolLM2 and Ouro put the digits first.
struct WordSplitter {
  private enum Kind: UInt8 { case letter, digit, space, other }

  private static let ascii: [Kind] = (0..<128).map { slowKind(Unicode.Scalar(UInt8($0))) }

  private static func slowKind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .digit
    default: return .other
    }
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    scalar.value < 128 ? ascii[Int(scalar.value)] : slowKind(scalar)
  }

  private static let contractions: [[Unicode.Scalar]] = ["s", "t", "re", "ve", "m", "ll", "d"].map {
    Array($0.unicodeScalars)
  }

  /// Calls `body` with the UTF-8 of every word, in order; together they are the text.
  static func forEachWord(in text: String, _ body: (_ word: ArraySlice<UInt8>) -> Void) {
    let bytes = Array(text.utf8)
    let scalars = Array(text.unicodeScalars)
    let kinds = scalars.map { kind($0) }
    var (scalar, byte) = (0, 0)
    while scalar < scalars.count {
      let end = endOfWord(scalars, kinds, from: scalar)
      let length = scalars[scalar..<end].reduce(0) { $0 + UTF8.width($1) }
      body(bytes[byte..<byte + length])
      (scalar, byte) = (end, byte + length)
    }
  }

  private static func endOfWord(_ scalars: [Unicode.Scalar], _ kinds: [Kind], from start: Int) -> Int {
    func end(of kind: Kind, from first: Int) -> Int {
      var i = first
      while i < kinds.count, kinds[i] == kind { i += 1 }
      return i
    }
    let kind = kinds[start]
    if kind == .digit { return start + 1 }
    if scalars[start] == "'" {
      for contraction in Self.contractions where scalars[(start + 1)...].starts(with: contraction) {
        return start + 1 + contraction.count
      }
    }
    if kind == .letter || kind == .other { return end(of: kind, from: start) }
    if scalars[start] == " ", start + 1 < kinds.count,
      kinds[start + 1] == .letter || kinds[start + 1] == .other
    {
      return end(of: kinds[start + 1], from: start + 1)
    }
    // All blanks, but the last one where a word follows: it belongs to that word. A digit is no word here, as the text
    // was cut before it.
    let last = end(of: .space, from: start)
    let isFollowed = last < kinds.count && kinds[last] != .digit
    return isFollowed && last - start > 1 ? last - 1 : last
  }
}
