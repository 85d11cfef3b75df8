/// Memory images as text: decimal words between blanks, commas or newlines (`.sq`, `.dec`), with # comments.
public enum ImageFile {
  /// - Complexity: O(text); the words take no more memory than the text.
  /// - Throws: `SourceError` for anything that is not a number, and beyond 65,536 words.
  public static func read(_ text: [UInt8], file: String) throws -> MemoryImage {
    var words: [Int] = []
    var scanner = NumberScanner(text: text, file: file)
    while let (value, offset) = try scanner.next() {
      guard words.count < 65_536 else {
        throw scanner.error("the image has more than 65536 words", at: offset)
      }
      words.append(value)
    }
    guard !words.isEmpty else { throw scanner.error("the image holds no words", at: 0) }
    return MemoryImage(words: words)
  }

  /// Sixteen words a line.
  public static func text(_ image: MemoryImage) -> String {
    stride(from: 0, to: image.words.count, by: 16).map { start in
      image.words[start..<min(start + 16, image.words.count)].map(String.init).joined(separator: " ") + "\n"
    }.joined()
  }
}

/// Programs of the paper's machine as its authors keep them: comma-separated rows `a,b,c` of instructions, with the
/// data cells in a fourth column `mem` (which may go on below the last instruction). A header row is optional.
/// Semantics: data[b] ← data[b] − data[a]; if ≤ 0 goto instruction c, counted from 0.
public enum SeparateProgramFile {
  /// - Throws: `SourceError`.
  public static func read(_ text: [UInt8], file: String) throws -> SeparateProgram {
    var program = SeparateProgram(instructions: [], data: [])
    var start = 0
    var isFirst = true
    while start < text.count {
      let end = text[start...].firstIndex(of: 10) ?? text.count
      let line = text[start..<end]
      defer { start = end + 1 }
      let isBlank = line.allSatisfy { $0 == 32 || $0 == 9 || $0 == 13 }
      if isBlank || line.first == UInt8(ascii: "#") { continue }
      if isFirst, line.contains(where: { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }) {
        isFirst = false
        continue
      }
      isFirst = false
      let cells = try row(line, of: text, file: file)
      guard program.instructions.count + program.data.count < 2 * 65_536 else {
        throw SourceError(file: file, source: text, offset: start, message: "more than 65536 rows")
      }
      switch (cells[0], cells[1], cells[2]) {
      case (let a?, let b?, let c?): program.instructions.append(.init(a: a, b: b, c: c))
      case (nil, nil, nil): break
      default:
        throw SourceError(
          file: file, source: text, offset: start, message: "an instruction needs three numbers a,b,c")
      }
      if let value = cells[3] { program.data.append(value) }
    }
    guard !program.instructions.isEmpty else {
      throw SourceError(file: file, source: text, offset: 0, message: "the program has no instructions")
    }
    try check(program, text, file)
    return program
  }

  private static func row(_ line: ArraySlice<UInt8>, of text: [UInt8], file: String) throws -> [Int?] {
    let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard fields.count <= 4 else {
      throw SourceError(
        file: file, source: text, offset: fields[4].startIndex,
        message: "a row has at most four fields: a,b,c,mem")
    }
    return try (0..<4).map { index in
      guard index < fields.count else { return nil }
      let field = fields[index].filter { $0 != 32 && $0 != 9 && $0 != 13 }
      if field.isEmpty { return nil }
      guard field.count <= 20, let value = Int(String(decoding: field, as: UTF8.self)),
        value.magnitude <= 1 << 48
      else {
        throw SourceError(
          file: file, source: text, offset: fields[index].startIndex,
          message: "not a whole number, or one beyond 2^48")
      }
      return value
    }
  }

  private static func check(_ program: SeparateProgram, _ text: [UInt8], _ file: String) throws {
    for (index, instruction) in program.instructions.enumerated() {
      let isGood =
        program.data.indices.contains(instruction.a) && program.data.indices.contains(instruction.b)
        && program.instructions.indices.contains(instruction.c)
      guard isGood else {
        throw SourceError(
          file: file, source: text, offset: 0,
          message:
            "instruction \(index) is \(instruction.a),\(instruction.b),\(instruction.c), but there are "
            + "\(program.data.count) data cells and \(program.instructions.count) instructions")
      }
    }
  }

  public static func text(_ program: SeparateProgram) -> String {
    let rows = max(program.instructions.count, program.data.count)
    return "a,b,c,mem\n"
      + (0..<rows).map { row in
        let instruction = row < program.instructions.count ? program.instructions[row] : nil
        let data = row < program.data.count ? String(program.data[row]) : ""
        return instruction.map { "\($0.a),\($0.b),\($0.c),\(data)\n" } ?? ",,,\(data)\n"
      }.joined()
  }
}

/// Whole numbers between blanks and commas.
struct NumberScanner {
  let text: [UInt8]
  let file: String
  private var position = 0

  init(text: [UInt8], file: String) {
    self.text = text
    self.file = file
  }

  func error(_ message: String, at offset: Int, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: text, offset: offset, message: message, hint: hint)
  }

  mutating func next() throws -> (value: Int, offset: Int)? {
    func isSeparator(_ byte: UInt8) -> Bool { byte <= 32 || byte == UInt8(ascii: ",") }
    while position < text.count {
      if text[position] == UInt8(ascii: "#") {
        while position < text.count && text[position] != 10 { position += 1 }
      } else if isSeparator(text[position]) && text[position] != 0 {
        position += 1
      } else {
        break
      }
    }
    guard position < text.count else { return nil }
    let start = position
    while position < text.count && !isSeparator(text[position]) && text[position] != UInt8(ascii: "#") {
      position += 1
    }
    let word = text[start..<position]
    guard !word.isEmpty, word.count <= 20, let value = Int(String(decoding: word, as: UTF8.self)),
      value.magnitude <= 1 << 48
    else {
      throw error(
        "not a whole number, or one beyond 2^48", at: start,
        hint: "an image holds decimal words; assembly files end in .asq")
    }
    return (value, start)
  }
}
