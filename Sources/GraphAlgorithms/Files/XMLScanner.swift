import TextFiles

/// The tags and texts of an XML file, one after the other.
///
/// Elements, attributes, text, CDATA, comments and processing instructions; the five named entities and character
/// numbers. Document type declarations are refused, so there are no other entities: none that fetch files, none that
/// multiply. UTF-8 only.
struct XMLScanner {
  struct Attribute {
    var name: Range<Int>
    var value: Range<Int>
  }
  enum Event {
    case open(name: Range<Int>, isEmpty: Bool)
    case close(name: Range<Int>)
    case text(Range<Int>)
    case characterData(Range<Int>)
  }

  private(set) var text: GraphText
  /// Of the tag opened last.
  private(set) var attributes: [Attribute] = []

  init(_ text: GraphText) { self.text = text }

  /// - Returns: `nil` at the end.
  mutating func next() throws -> Event? {
    while !text.isAtEnd {
      guard text.byte == UInt8(ascii: "<") else {
        let start = text.position
        while !text.isAtEnd && text.byte != UInt8(ascii: "<") { text.position += 1 }
        return .text(start..<text.position)
      }
      let start = text.position
      if text.skip("<!--") {
        try skip(through: "-->", from: start, "comment")
      } else if text.skip("<![CDATA[") {
        let content = text.position
        try skip(through: "]]>", from: start, "CDATA section")
        return .characterData(content..<text.position - 3)
      } else if text.skip("<?") {
        try skip(through: "?>", from: start, "processing instruction")
        let line = text.string(start..<min(text.position, start + 200)).lowercased()
        if line.hasPrefix("<?xml"), line.contains("encoding"), !line.contains("utf-8"),
          !line.contains("ascii")
        {
          throw text.error("only UTF-8 is read", at: start, hint: "iconv -t UTF-8 converts a file")
        }
      } else if text.matches("<!", at: start) {
        throw text.error(
          "document type declarations are not read", at: start,
          hint: "GraphML needs none; they can make a parser fetch files or run out of memory")
      } else if text.skip("</") {
        let name = try name()
        text.skipWhitespace()
        guard text.skip(">") else { throw text.error("the tag is not closed", at: start) }
        return .close(name: name)
      } else {
        text.position += 1
        return try tag(from: start)
      }
    }
    return nil
  }

  private mutating func tag(from start: Int) throws -> Event {
    let name = try name()
    attributes.removeAll(keepingCapacity: true)
    while true {
      text.skipWhitespace()
      if text.skip("/>") { return .open(name: name, isEmpty: true) }
      if text.skip(">") { return .open(name: name, isEmpty: false) }
      guard !text.isAtEnd else { throw text.error("the tag is not closed", at: start) }
      let attribute = try self.name()
      text.skipWhitespace()
      guard text.skip("=") else { throw text.error("the attribute has no value", at: attribute.lowerBound) }
      text.skipWhitespace()
      let quote = text.byte
      guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
        throw text.error("the value is not in quotes")
      }
      text.position += 1
      let value = text.position
      while !text.isAtEnd, text.byte != quote, text.byte != UInt8(ascii: "<") { text.position += 1 }
      guard text.byte == quote && !text.isAtEnd else {
        throw text.error("the quote is not closed", at: value - 1)
      }
      attributes.append(Attribute(name: attribute, value: value..<text.position))
      guard attributes.count <= 100 else { throw text.error("more than 100 attributes", at: start) }
      text.position += 1
    }
  }

  private mutating func name() throws -> Range<Int> {
    let start = text.position
    while true {
      let byte = text.byte
      let isName =
        byte >= 128 || byte | 32 >= 97 && byte | 32 <= 122 || byte >= 48 && byte <= 58
        || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
      guard isName else { break }
      text.position += 1
    }
    guard text.position > start else { throw text.error("a name is missing") }
    return start..<text.position
  }

  private mutating func skip(through end: StaticString, from start: Int, _ what: String) throws {
    while !text.isAtEnd {
      if text.skip(end) { return }
      text.position += 1
    }
    throw text.error("the \(what) is not closed", at: start)
  }

  /// The attribute of the tag opened last.
  func attribute(_ name: StaticString) -> Range<Int>? {
    attributes.first {
      $0.name.count == name.utf8CodeUnitCount && text.matches(name, at: $0.name.lowerBound)
    }?.value
  }

  /// Whether an element has this name, with any namespace prefix.
  func isNamed(_ element: Range<Int>, _ name: StaticString) -> Bool {
    let start = element.upperBound - name.utf8CodeUnitCount
    guard start >= element.lowerBound, text.matches(name, at: start) else { return false }
    return start == element.lowerBound || text.bytes[start - 1] == UInt8(ascii: ":")
  }

  /// The bytes that a text or a value stands for.
  func decoded(_ range: Range<Int>) throws -> ArraySlice<UInt8> {
    guard let first = text.bytes[range].firstIndex(of: UInt8(ascii: "&")) else { return text.bytes[range] }
    var decoded = Array(text.bytes[range.lowerBound..<first])
    var index = first
    while index < range.upperBound {
      guard text.bytes[index] == UInt8(ascii: "&") else {
        decoded.append(text.bytes[index])
        index += 1
        continue
      }
      guard let end = text.bytes[index..<min(range.upperBound, index + 12)].firstIndex(of: UInt8(ascii: ";"))
      else {
        throw text.error("the & begins no entity", at: index, hint: "write &amp; for an ampersand")
      }
      let entity = text.string(index + 1..<end)
      switch entity {
      case "amp": decoded.append(UInt8(ascii: "&"))
      case "lt": decoded.append(UInt8(ascii: "<"))
      case "gt": decoded.append(UInt8(ascii: ">"))
      case "quot": decoded.append(UInt8(ascii: "\""))
      case "apos": decoded.append(UInt8(ascii: "'"))
      default:
        let number =
          entity.hasPrefix("#x")
          ? UInt32(entity.dropFirst(2), radix: 16)
          : entity.hasPrefix("#") ? UInt32(entity.dropFirst()) : nil
        guard let scalar = number.flatMap(Unicode.Scalar.init) else {
          throw text.error("unknown entity &\(entity);", at: index)
        }
        decoded.append(contentsOf: String(Character(scalar)).utf8)
      }
      index = end + 1
    }
    return decoded[...]
  }
}
