/// What becomes of the pieces of tokens when they are put together.
struct TokenDecoder: Sendable {
  enum Step: Sendable {
    /// Letters of `ByteAlphabet` become bytes.
    case byteLevel
    /// <0x0A> becomes a byte.
    case byteFallback
    /// All pieces become one.
    case fuse
    case replace(SplitPattern, with: [UInt8])
    /// Takes up to `start` and `stop` times a character from the ends of a piece.
    case strip(Unicode.Scalar, start: Int, stop: Int)
  }

  /// `nil`: pieces are put together with blanks between them.
  var steps: [Step]?

  func decode(_ pieces: [[UInt8]]) -> String {
    guard let steps else { return String(decoding: Array(pieces.joined(separator: [32])), as: UTF8.self) }
    var pieces = pieces
    for step in steps { pieces = apply(step, pieces) }
    return String(decoding: Array(pieces.joined()), as: UTF8.self)
  }

  private func apply(_ step: Step, _ pieces: [[UInt8]]) -> [[UInt8]] {
    switch step {
    case .byteLevel:
      let bytes = pieces.flatMap { ByteAlphabet.decode($0) ?? $0 }
      return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
    case .fuse: return [Array(pieces.joined())]
    case .byteFallback: return Self.fallBack(pieces)
    case .replace(let pattern, let replacement):
      return pieces.map { Normalizer.replace(pattern, with: replacement).normalize($0) }
    case .strip(let character, let start, let stop):
      return pieces.map { Self.strip($0, character, start, stop) }
    }
  }

  /// Runs of byte tokens become text if they are UTF-8; else every byte becomes U+FFFD.
  private static func fallBack(_ pieces: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func finish() {
      guard !run.isEmpty else { return }
      if run.withUnsafeBufferPointer(UTF8Text.firstInvalid) == nil {
        result.append(run)
      } else {
        result += Array(repeating: [0xef, 0xbf, 0xbd], count: run.count)
      }
      run = []
    }
    for piece in pieces {
      if let byte = fallbackByte(piece) {
        run.append(byte)
      } else {
        finish()
        result.append(piece)
      }
    }
    finish()
    return result
  }

  /// The byte of <0x0A>.
  static func fallbackByte(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece[0] == UInt8(ascii: "<"), piece[1] == UInt8(ascii: "0"),
      piece[2] == UInt8(ascii: "x"), piece[5] == UInt8(ascii: ">"), piece[3] != UInt8(ascii: "+")
    else { return nil }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }

  private static func strip(_ piece: [UInt8], _ character: Unicode.Scalar, _ start: Int, _ stop: Int)
    -> [UInt8]
  {
    var scalars = Array(String(decoding: piece, as: UTF8.self).unicodeScalars)[...]
    var left = start
    while left > 0, scalars.first == character {
      scalars.removeFirst()
      left -= 1
    }
    var right = stop
    while right > 0, scalars.last == character {
      scalars.removeLast()
      right -= 1
    }
    var result = String.UnicodeScalarView()
    result.append(contentsOf: scalars)
    return Array(String(result).utf8)
  }

  /// What one token adds to a stream of text: all steps but those that see the text as a whole.
  func bytes(of piece: [UInt8]) -> [UInt8] {
    guard let steps else { return piece }
    var piece = piece
    for step in steps {
      switch step {
      case .byteLevel: piece = ByteAlphabet.decode(piece) ?? piece
      case .byteFallback: if let byte = Self.fallbackByte(piece) { piece = [byte] }
      case .fuse: return piece
      case .replace, .strip: piece = apply(step, [piece])[0]
      }
    }
    return piece
  }

  /// What is taken from the beginning of a text as a whole, for streams: the strips after all pieces became one.
  var leadingStrip: (character: Unicode.Scalar, count: Int)? {
    guard let steps, let fuse = steps.firstIndex(where: { if case .fuse = $0 { true } else { false } }) else {
      return nil
    }
    for case .strip(let character, let start, _) in steps[fuse...] where start > 0 {
      return (character, start)
    }
    return nil
  }
}
