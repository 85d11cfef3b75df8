import TextFiles

extension GraphReaders {
  /// JSON node-link as networkx, d3 and others write it: an object with `nodes` (objects with an `id`, a text or a whole
  /// number), `links` or `edges` (objects with `source`, `target` and perhaps `weight`), and perhaps `directed` (false
  /// if not given, as in networkx). Other members are passed over.
  static func json(_ text: GraphText) throws -> GraphSource {
    var scanner = JSONScanner(text)
    var nodes: Int?
    var links: Int?
    var builder = GraphBuilder()
    builder.isDirected = false
    scanner.skipSpace()
    guard scanner.text.byte == UInt8(ascii: "{") else {
      throw text.error("a node-link graph is an object { … }", at: scanner.text.position)
    }
    // First where everything is, as links may stand before nodes.
    try scanner.object { scanner, key in
      let place = scanner.text.position
      switch String(decoding: key, as: UTF8.self) {
      case "nodes": nodes = place
      case "links", "edges":
        guard links == nil else { throw text.error("both links and edges", at: place) }
        links = place
      case "directed": builder.isDirected = try scanner.boolean()
      default: break
      }
      if scanner.text.position == place { try scanner.skipValue() }
    }
    scanner.skipSpace()
    guard scanner.text.isAtEnd else { throw scanner.text.error("text behind the graph") }
    guard let nodes else { throw text.error("the object has no member nodes", at: 0) }
    guard let links else { throw text.error("the object has no member links or edges", at: 0) }

    scanner.text.position = nodes
    try scanner.array { scanner in
      let start = scanner.text.position
      var id: [UInt8]?
      try scanner.object { scanner, key in
        if key == Array("id".utf8) { id = try scanner.name() } else { try scanner.skipValue() }
      }
      guard let id else { throw text.error("the node has no id", at: start) }
      let count = builder.table.count
      guard builder.table.node(id[...]) == count else {
        throw text.error("a second node of this id", at: start)
      }
    }
    scanner.text.position = links
    try scanner.array { scanner in
      let start = scanner.text.position
      var ends: (source: Int?, target: Int?)
      var weight = 1.0
      var place = start
      try scanner.object { scanner, key in
        switch String(decoding: key, as: UTF8.self) {
        case "source": ends.source = try end(&scanner, builder.table)
        case "target": ends.target = try end(&scanner, builder.table)
        case "weight":
          place = scanner.text.position
          weight = try scanner.number()
        default: try scanner.skipValue()
        }
      }
      guard let source = ends.source, let target = ends.target else {
        throw text.error("the link lacks its source or target", at: start)
      }
      try builder.add(source, target, weight: weight, at: place, in: text)
    }
    return builder.named(in: text)
  }

  private static func end(_ scanner: inout JSONScanner, _ table: NodeTable) throws -> Int {
    let start = scanner.text.position
    let name = try scanner.name()
    if let node = table.find(name[...]) { return node }
    let text = String(decoding: name.prefix(40), as: UTF8.self)
    throw scanner.text.error(
      "no node has the id '\(text)'", at: start,
      hint: NameSuggestion.closest(to: text, among: (0..<table.count).lazy.map(table.name)).map {
        "did you mean '\($0)'?"
      })
  }
}

/// JSON, read in one pass without building values.
struct JSONScanner {
  var text: GraphText

  init(_ text: GraphText) { self.text = text }

  mutating func skipSpace() { text.skipWhitespace() }

  private mutating func expect(_ byte: UInt8, _ what: String) throws {
    skipSpace()
    guard text.byte == byte && !text.isAtEnd else {
      throw text.error("\(what) expected", hint: text.isAtEnd ? "was the file cut off?" : nil)
    }
    text.position += 1
  }

  /// Calls `member` with each key, at its value, which it must read.
  mutating func object(_ member: (inout JSONScanner, [UInt8]) throws -> Void) throws {
    try expect(UInt8(ascii: "{"), "an object")
    skipSpace()
    if text.skip("}") { return }
    while true {
      skipSpace()
      let key = try string()
      try expect(UInt8(ascii: ":"), "a colon")
      skipSpace()
      try member(&self, key)
      skipSpace()
      if text.skip("}") { return }
      try expect(UInt8(ascii: ","), "a comma or }")
    }
  }

  /// Calls `element` at each element, which it must read.
  mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "["), "an array")
    skipSpace()
    if text.skip("]") { return }
    while true {
      skipSpace()
      try element(&self)
      skipSpace()
      if text.skip("]") { return }
      try expect(UInt8(ascii: ","), "a comma or ]")
    }
  }

  mutating func boolean() throws -> Bool {
    if text.skip("true") { return true }
    if text.skip("false") { return false }
    throw text.error("true or false expected")
  }

  /// A number; NaN and Infinity too, which Python writes.
  mutating func number() throws -> Double {
    let start = text.position
    let range = bareWord()
    guard let number = text.number(range) else { throw text.error("a number expected", at: start) }
    return number
  }

  private mutating func bareWord() -> Range<Int> {
    let start = text.position
    while !text.isAtEnd, text.byte > 32, !",]}:{[\"".utf8.contains(text.byte) { text.position += 1 }
    return start..<text.position
  }

  /// A text or a whole number.
  mutating func name() throws -> [UInt8] {
    if text.byte == UInt8(ascii: "\"") { return try string() }
    let start = text.position
    let range = bareWord()
    let digits = text.bytes[range].drop { $0 == UInt8(ascii: "-") }
    guard !digits.isEmpty, digits.count >= range.count - 1, digits.count <= 18,
      digits.allSatisfy({ $0 &- 48 < 10 })
    else {
      throw text.error(
        "a text or a whole number expected", at: start, hint: "ids of other types are not read")
    }
    return Array(text.bytes[range])
  }

  mutating func string() throws -> [UInt8] {
    let start = text.position
    guard text.byte == UInt8(ascii: "\"") else { throw text.error("a text in quotes expected") }
    text.position += 1
    var content: [UInt8] = []
    while true {
      guard !text.isAtEnd, text.byte != 10 else { throw text.error("the quote is not closed", at: start) }
      let byte = text.byte
      text.position += 1
      switch byte {
      case UInt8(ascii: "\""): return content
      case UInt8(ascii: "\\"): try escape(&content)
      default: content.append(byte)
      }
    }
  }

  private mutating func escape(_ content: inout [UInt8]) throws {
    let byte = text.byte
    text.position += 1
    switch byte {
    case UInt8(ascii: "n"): content.append(10)
    case UInt8(ascii: "t"): content.append(9)
    case UInt8(ascii: "r"): content.append(13)
    case UInt8(ascii: "b"): content.append(8)
    case UInt8(ascii: "f"): content.append(12)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "u"):
      var unit = try hexadecimal()
      if unit >= 0xD800 && unit < 0xDC00, text.skip("\\u") {
        let low = try hexadecimal()
        unit = low >= 0xDC00 && low < 0xE000 ? 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00) : 0xFFFD
      }
      content += String(Character(Unicode.Scalar(unit) ?? "\u{FFFD}")).utf8
    default: throw text.error("unknown escape in a text", at: text.position - 1)
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    let end = text.position + 4
    guard end <= text.bytes.count, let value = UInt32(text.string(text.position..<end), radix: 16) else {
      throw text.error("four hexadecimal digits expected")
    }
    text.position = end
    return value
  }

  /// Passes over a value of any kind, without recursion.
  mutating func skipValue() throws {
    var open: [UInt8] = []
    repeat {
      skipSpace()
      switch text.byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        open.append(text.byte)
        guard open.count <= 512 else { throw text.error("values are nested more than 512 deep") }
        text.position += 1
        continue
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard let last = open.popLast(), last + 2 == text.byte else {
          throw text.error("a bracket closes nothing")
        }
        text.position += 1
      case UInt8(ascii: "\""): _ = try string()
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        guard !open.isEmpty else { throw text.error("a value expected") }
        text.position += 1
        continue
      default:
        guard !bareWord().isEmpty else {
          throw text.error("a value expected", hint: text.isAtEnd ? "was the file cut off?" : nil)
        }
      }
    } while !open.isEmpty
  }
}
