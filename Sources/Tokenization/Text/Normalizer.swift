import Foundation

/// What happens to a text before it is split.
///
/// Text that is not UTF-8 is mended first, if there is anything to do: U+FFFD takes the place of what is no character.
indirect enum Normalizer: Sendable {
  case nfc, nfd, nfkc, nfkd
  case lowercase
  case prepend(String)
  case replace(SplitPattern, with: [UInt8])
  case strip(left: Bool, right: Bool)
  case sequence([Normalizer])

  /// The newest version of Unicode whose normal forms the `tokenizers` package knows; later characters stay as they are,
  /// and stand between what is composed on either side of them.
  static let newestVersion = 9

  func normalize(_ text: [UInt8]) -> [UInt8] {
    switch self {
    case .nfc, .nfd, .nfkc, .nfkd:
      // ASCII is normal in all four forms.
      guard text.contains(where: { $0 >= 0x80 }) else { return text }
      return Array(compose(String(decoding: text, as: UTF8.self)).utf8)
    case .lowercase:
      var result = ""
      for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
        if scalar.isASCII {
          result.unicodeScalars.append(
            (65...90).contains(scalar.value) ? Unicode.Scalar(scalar.value + 32)! : scalar)
        } else {
          result += scalar.properties.lowercaseMapping
        }
      }
      return Array(result.utf8)
    case .prepend(let prefix): return text.isEmpty ? text : Array(prefix.utf8) + text
    case .replace(let pattern, let replacement): return replacing(pattern, replacement, text)
    case .strip(let left, let right):
      var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
      if left { scalars = scalars.drop { $0.properties.isWhitespace } }
      while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
      return Array(String(scalars).utf8)
    case .sequence(let normalizers): return normalizers.reduce(text) { $1.normalize($0) }
    }
  }

  private func compose(_ text: String) -> String {
    func known(_ part: String) -> String {
      switch self {
      case .nfc: part.precomposedStringWithCanonicalMapping
      case .nfd: part.decomposedStringWithCanonicalMapping
      case .nfkc: part.precomposedStringWithCompatibilityMapping
      default: part.decomposedStringWithCompatibilityMapping
      }
    }
    var result = ""
    var part = ""
    for scalar in text.unicodeScalars {
      if scalar.value >= 0x300, let age = scalar.properties.age, age.major > Self.newestVersion {
        result += known(part)
        part = ""
        result.unicodeScalars.append(scalar)
      } else {
        part.unicodeScalars.append(scalar)
      }
    }
    return result + known(part)
  }

  private func replacing(_ pattern: SplitPattern, _ replacement: [UInt8], _ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var position = 0
    var lastEnd: Int?
    (text + [UInt8](repeating: 0, count: PreTokenizer.padding)).withUnsafeBufferPointer { buffer in
      let p = buffer.baseAddress!
      while let match = pattern.next(p, from: position, text.count, lastEnd: lastEnd, CharacterTable.ascii) {
        result += text[position..<match.lowerBound]
        result += replacement
        position = match.upperBound
        lastEnd = position
      }
    }
    return result + text[position...]
  }
}
