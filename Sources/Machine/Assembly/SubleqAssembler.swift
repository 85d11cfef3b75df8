/// Translates SUBLEQ assembly, in the notation of Mazonka's sqasm, into a memory image.
///
///     loop: one count done     # an instruction of three items: mem[count] −= mem[one]; if ≤ 0 goto done
///     Z Z loop                 # subtracting a cell from itself is 0, so this always jumps
///     total                    # one item: `total total next`, two items: `a b next`
///     done: count (-1)         # b = −1 writes a character
///     . one: 1  count: 10      # a line that starts with '.' holds words as they are
///     . text: "Hi" 10 0        # a string is one word per byte
///     . table: [16]            # sixteen zeros
///
/// An item is `label: … expression`; expressions know + − * ( ), 'c', labels, and ? for the item's own address. As in
/// sqasm an expression goes on over spaces, so `a -1` is one item, a − 1; write `a (-1)` for two.
/// `;` ends an instruction like a new line, and # starts a comment. A label alone on its line names the next word.
public struct SubleqAssembler {
  /// What the assembler refuses, so that no input makes it slow or large.
  public struct Limits: Sendable {
    public var sourceBytes = 16 << 20
    public var words = 65_536
    public var nesting = 200
    public var labelBytes = 255
    public init() {}
  }

  /// - Complexity: O(source).
  /// - Throws: `SourceError`.
  public static func assemble(
    _ source: [UInt8], file: String, limits: Limits = Limits()
  ) throws -> MemoryImage {
    guard source.count <= limits.sourceBytes else {
      throw SourceError(
        file: file, source: Array(source.prefix(256)), offset: 0,
        message: "the source has more than \(limits.sourceBytes) bytes")
    }
    var parser = AssemblyParser(source: source, file: file, limits: limits)
    try parser.parse()
    return try parser.resolve()
  }

  public static func assemble(
    _ source: String, file: String, limits: Limits = Limits()
  ) throws -> MemoryImage {
    try assemble(Array(source.utf8), file: file, limits: limits)
  }
}

/// One pass over the text collects words as postfix expressions; `resolve` then knows every label.
private struct AssemblyParser {
  enum Operation {
    case constant(Int)
    case label(String, offset: Int)
    case here
    case add, subtract, multiply, negate
  }

  struct Word {
    var operations: Range<Int>
    var offset: Int
  }

  let source: [UInt8]
  let file: String
  let limits: SubleqAssembler.Limits
  var position = 0
  var nesting = 0
  var operations: [Operation] = []
  var words: [Word] = []
  var labels: [String: Int] = [:]
  var data: [Range<Int>] = []

  func error(_ message: String, at offset: Int, hint: String? = nil) -> SourceError {
    SourceError(file: file, source: source, offset: offset, message: message, hint: hint)
  }

  var next: UInt8? { position < source.count ? source[position] : nil }

  mutating func skipSpaces() {
    while let byte = next, byte == 32 || byte == 9 || byte == 13 { position += 1 }
    if next == UInt8(ascii: "#") { while let byte = next, byte != 10 { position += 1 } }
  }

  // MARK: Statements

  mutating func parse() throws {
    while position < source.count {
      skipSpaces()
      switch next {
      case nil: return
      case 10, UInt8(ascii: ";"): position += 1
      default: try parseStatement()
      }
    }
  }

  mutating func parseStatement() throws {
    let start = position
    let isData = next == UInt8(ascii: ".")
    if isData { position += 1 }
    let firstWord = words.count
    skipSpaces()
    while let byte = next, byte != 10, byte != UInt8(ascii: ";") {
      try parseItem(isData: isData)
      skipSpaces()
    }
    guard !isData else {
      data.append(firstWord..<words.count)
      return
    }
    switch words.count - firstWord {
    case 1:
      try append(operations[words[firstWord].operations], offset: start)
      try append([.constant(firstWord + 3)], offset: start)
    case 2: try append([.constant(firstWord + 3)], offset: start)
    default: break
    }
  }

  mutating func parseItem(isData: Bool) throws {
    let address = words.count
    while let (label, offset) = try parseLabel() {
      guard labels.updateValue(address, forKey: label) == nil else {
        throw error("the label '\(label)' is defined twice", at: offset)
      }
      skipSpaces()
    }
    switch next {
    case nil, 10, UInt8(ascii: ";"): return
    case UInt8(ascii: "\""), UInt8(ascii: "["):
      guard isData else {
        throw error(
          "strings and blocks are data", at: position, hint: "start the line with '.', as in `. text: \"Hi\"`"
        )
      }
      if next == UInt8(ascii: "[") { try parseBlock() } else { try parseString() }
    default:
      let start = position
      let first = operations.count
      try parseSum()
      try appendWord(Word(operations: first..<operations.count, offset: start))
    }
  }

  mutating func append(_ new: some Sequence<Operation>, offset: Int) throws {
    let first = operations.count
    operations.append(contentsOf: Array(new))
    try appendWord(Word(operations: first..<operations.count, offset: offset))
  }

  mutating func appendWord(_ word: Word) throws {
    guard words.count < limits.words else {
      throw error("the program has more than \(limits.words) words", at: word.offset)
    }
    words.append(word)
  }

  static func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): !first
    default: false
    }
  }

  /// `name`, if there is one here; leaves the position behind it.
  mutating func parseName() throws -> String? {
    guard let byte = next, Self.isNameByte(byte, first: true) else { return nil }
    let start = position
    while let byte = next, Self.isNameByte(byte, first: false) { position += 1 }
    guard position - start <= limits.labelBytes else {
      throw error("a label has more than \(limits.labelBytes) characters", at: start)
    }
    return String(decoding: source[start..<position], as: UTF8.self)
  }

  /// `name:`, if there is one here; else the position stays.
  mutating func parseLabel() throws -> (String, offset: Int)? {
    let start = position
    guard let name = try parseName() else { return nil }
    skipSpaces()
    if next == UInt8(ascii: ":") {
      position += 1
      return (name, start)
    }
    position = start
    return nil
  }

  mutating func parseString() throws {
    let start = position
    position += 1
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte != 10 else { break }
      let offset = position
      try append([.constant(try parseCharacter())], offset: offset)
    }
    guard next == UInt8(ascii: "\"") else { throw error("the string does not end on its line", at: start) }
    position += 1
  }

  mutating func parseBlock() throws {
    let start = position
    position += 1
    skipSpaces()
    let count = try parseNumber()
    skipSpaces()
    guard next == UInt8(ascii: "]") else { throw error("']' is missing", at: position) }
    position += 1
    guard count <= limits.words - words.count else {
      throw error("the program has more than \(limits.words) words", at: start)
    }
    for _ in 0..<count { try append([.constant(0)], offset: start) }
  }

  /// One character of a string or character literal, escapes included.
  mutating func parseCharacter() throws -> Int {
    let start = position
    let byte = source[position]
    position += 1
    guard byte == UInt8(ascii: "\\") else { return Int(byte) }
    let escapes: [UInt8: Int] = [
      UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "0"): 0,
      UInt8(ascii: "\\"): 92, UInt8(ascii: "'"): 39, UInt8(ascii: "\""): 34,
    ]
    guard let letter = next, let value = escapes[letter] else {
      throw error("an unknown escape", at: start, hint: "the escapes are \\n \\t \\r \\0 \\\\ \\' \\\"")
    }
    position += 1
    return value
  }

  // MARK: Expressions

  mutating func parseSum() throws {
    try parseProduct()
    while true {
      let before = position
      skipSpaces()
      guard let sign = next, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else {
        position = before
        return
      }
      position += 1
      skipSpaces()
      try parseProduct()
      operations.append(sign == UInt8(ascii: "+") ? .add : .subtract)
    }
  }

  mutating func parseProduct() throws {
    try parseFactor()
    while true {
      let before = position
      skipSpaces()
      guard next == UInt8(ascii: "*") else {
        position = before
        return
      }
      position += 1
      skipSpaces()
      try parseFactor()
      operations.append(.multiply)
    }
  }

  mutating func parseFactor() throws {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= limits.nesting else {
      throw error("an expression nests deeper than \(limits.nesting) levels", at: position)
    }
    let start = position
    switch next {
    case UInt8(ascii: "-"), UInt8(ascii: "+"):
      position += 1
      skipSpaces()
      try parseFactor()
      if source[start] == UInt8(ascii: "-") { operations.append(.negate) }
    case UInt8(ascii: "("):
      position += 1
      skipSpaces()
      try parseSum()
      skipSpaces()
      guard next == UInt8(ascii: ")") else {
        throw error("')' is missing", at: position, hint: "the '(' is in column \(column(of: start))")
      }
      position += 1
    case UInt8(ascii: "?"):
      position += 1
      operations.append(.here)
    case UInt8(ascii: "'"):
      position += 1
      guard let byte = next, byte != 10 else { throw error("a character is missing", at: position) }
      operations.append(.constant(try parseCharacter()))
      guard next == UInt8(ascii: "'") else { throw error("the closing ' is missing", at: position) }
      position += 1
    case let digit? where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit):
      operations.append(.constant(try parseNumber()))
    default:
      guard let name = try parseName() else { throw unexpected() }
      operations.append(.label(name, offset: start))
    }
  }

  func column(of offset: Int) -> Int {
    offset - (source[..<offset].lastIndex(of: 10).map { $0 + 1 } ?? 0) + 1
  }

  func unexpected() -> SourceError {
    guard let byte = next, byte != 10 else {
      return error("the expression ends too early", at: position)
    }
    let shown = byte > 32 && byte < 127 ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
    return error(
      "\(shown) does not start an expression", at: position,
      hint: byte == UInt8(ascii: "\"") || byte == UInt8(ascii: ".")
        ? "data lines start with '.'" : "expected a number, a label, ?, 'c' or (")
  }

  /// A decimal number, or hexadecimal after 0x.
  mutating func parseNumber() throws -> Int {
    let start = position
    while let byte = next, Self.isNameByte(byte, first: false) { position += 1 }
    let text = String(decoding: source[start..<min(position, start + 32)], as: UTF8.self)
    let value = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
    guard position - start <= 32, let value, value <= 1 << 48 else {
      throw error("not a number, or one above 2^48", at: start)
    }
    return value
  }

  // MARK: Values

  func resolve() throws -> MemoryImage {
    var image = MemoryImage(words: [])
    image.words.reserveCapacity(words.count)
    for (address, word) in words.enumerated() {
      image.words.append(try evaluate(word, at: address))
    }
    for (label, address) in labels {
      // Of several labels of one word the alphabetically first names it in traces.
      image.labels[address] = min(image.labels[address] ?? label, label)
    }
    image.data = data
    var line = 1
    var offset = 0
    for (address, word) in words.enumerated() {
      while offset < word.offset {
        if source[offset] == 10 { line += 1 }
        offset += 1
      }
      image.lines[address] = line
    }
    return image
  }

  func evaluate(_ word: Word, at address: Int) throws -> Int {
    var stack: [Int] = []
    func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Int {
      guard !result.overflow else { throw error("the value overflows 64 bits", at: word.offset) }
      return result.partialValue
    }
    for operation in operations[word.operations] {
      switch operation {
      case .constant(let value): stack.append(value)
      case .here: stack.append(address)
      case .label(let name, let offset):
        guard let value = labels[name] else {
          throw error("no label named '\(name)'", at: offset, hint: suggestion(for: name))
        }
        stack.append(value)
      case .negate: stack.append(try checked(0.subtractingReportingOverflow(stack.removeLast())))
      case .add, .subtract, .multiply:
        let right = stack.removeLast()
        let left = stack.removeLast()
        switch operation {
        case .add: stack.append(try checked(left.addingReportingOverflow(right)))
        case .subtract: stack.append(try checked(left.subtractingReportingOverflow(right)))
        default: stack.append(try checked(left.multipliedReportingOverflow(by: right)))
        }
      }
    }
    return stack[0]
  }

  /// The label that differs least in length and letters, if one is close.
  func suggestion(for name: String) -> String? {
    let wanted = name.lowercased()
    let close = labels.keys.filter {
      let label = $0.lowercased()
      return label == wanted || label.hasPrefix(wanted) || wanted.hasPrefix(label)
        || Set(label).symmetricDifference(wanted).count <= 1 && abs(label.count - wanted.count) <= 1
    }
    return close.min().map { "did you mean '\($0)'?" }
  }
}
