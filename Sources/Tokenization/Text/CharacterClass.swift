/// What the patterns of pre-tokenizers ask of a character.
struct CharacterClass: OptionSet, Sendable {
  let rawValue: UInt8
  /// \p{L}
  static let letter = CharacterClass(rawValue: 1)
  /// \p{N}
  static let number = CharacterClass(rawValue: 2)
  /// \s
  static let space = CharacterClass(rawValue: 4)
  /// Carriage return or line feed.
  static let newline = CharacterClass(rawValue: 8)
  /// \p{M}
  static let mark = CharacterClass(rawValue: 16)
  /// \p{P}
  static let punctuation = CharacterClass(rawValue: 32)
  /// \w
  static let word = CharacterClass(rawValue: 64)
  /// \p{S}
  static let symbol = CharacterClass(rawValue: 128)
}

/// The classes of all characters, tabulated once per process.
///
/// Letters and the like are those of Unicode 16, which the regular expressions of the `tokenizers` package know (they
/// are Oniguruma's); what Swift's newer tables add is left unassigned. \w follows Oniguruma too, to whom ² ³ ¹ ¼ ½ ¾
/// are part of words.
enum CharacterTable {
  static let newestVersion = 16

  /// Planes 0 to 3; what lies beyond has no letters, numbers or blanks.
  private static let size = 0x40000
  private static let table: [UInt8] = (0..<UInt32(size)).map { classify($0).rawValue }

  /// Never freed: as old as the process.
  nonisolated(unsafe) static let pointer: UnsafePointer<UInt8> = {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    memory.initialize(from: table, count: size)
    return UnsafePointer(memory)
  }()
  /// The first 128, so that English text does not wait for the rest.
  nonisolated(unsafe) static let ascii: UnsafePointer<UInt8> = {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 128)
    for scalar in 0..<128 { memory[scalar] = classify(UInt32(scalar)).rawValue }
    return UnsafePointer(memory)
  }()

  /// The class of a character, or of `UTF8Text.invalid`.
  static subscript(_ scalar: UInt32) -> CharacterClass {
    if scalar < 128 { return CharacterClass(rawValue: ascii[Int(scalar)]) }
    if scalar < size { return CharacterClass(rawValue: pointer[Int(scalar)]) }
    return classify(scalar)
  }

  private static func classify(_ value: UInt32) -> CharacterClass {
    guard let scalar = Unicode.Scalar(value) else { return [] }
    let properties = scalar.properties
    var result: CharacterClass = []
    let category = properties.generalCategory
    switch category {
    case .unassigned, .privateUse, .control, .format, .surrogate: break
    default:
      if let age = properties.age, age.major > newestVersion { return [] }
    }
    switch category {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      result.insert(.letter)
    case .decimalNumber: result.formUnion([.number, .word])
    case .letterNumber, .otherNumber: result.insert(.number)
    case .nonspacingMark, .spacingMark, .enclosingMark: result.formUnion([.mark, .word])
    case .connectorPunctuation: result.formUnion([.punctuation, .word])
    case .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
      .otherPunctuation:
      result.insert(.punctuation)
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: result.insert(.symbol)
    default: break
    }
    if properties.isAlphabetic || [0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe].contains(value) {
      result.insert(.word)
    }
    if properties.isWhitespace { result.insert(.space) }
    if value == 10 || value == 13 { result.insert(.newline) }
    return result
  }

  /// Whether `char::is_numeric` of Rust holds, which the pre-tokenizer Digits asks: any version of Unicode.
  static func isDigit(_ scalar: UInt32) -> Bool {
    if scalar < 128 { return scalar &- 48 < 10 }
    if self[scalar].contains(.number) { return true }
    guard let category = Unicode.Scalar(scalar)?.properties.generalCategory else { return false }
    return category == .decimalNumber || category == .letterNumber || category == .otherNumber
  }
}
