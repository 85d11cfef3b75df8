/// Reads a regular expression.
struct RegexParser {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var ignoresCase = false
  private var depth = 0

  init(_ source: String) { self.source = Array(source.unicodeScalars) }

  private func wrong(_ message: String) -> RegexError { RegexError(offset: position, message: message) }

  private var current: Unicode.Scalar? { position < source.count ? source[position] : nil }

  private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
    guard current == scalar else { return false }
    position += 1
    return true
  }

  private mutating func skip(_ text: String) -> Bool {
    guard source[position...].starts(with: text.unicodeScalars) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  mutating func parse() throws -> RegexProgram.Node {
    let node = try alternatives()
    guard position == source.count else { throw wrong("a ) closes nothing") }
    return node
  }

  private mutating func alternatives() throws -> RegexProgram.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 50 else { throw wrong("groups are nested more than 50 deep") }
    var result = [try sequence()]
    while skip("|") { result.append(try sequence()) }
    return result.count == 1 ? result[0] : .alternatives(result)
  }

  private mutating func sequence() throws -> RegexProgram.Node {
    var result: [RegexProgram.Node] = []
    while let scalar = current, scalar != "|", scalar != ")" {
      var node = try atom()
      while let repeated = try repetition(node) { node = repeated }
      result.append(node)
    }
    return result.count == 1 ? result[0] : result.isEmpty ? .empty : .sequence(result)
  }

  private mutating func repetition(_ node: RegexProgram.Node) throws -> RegexProgram.Node? {
    var least = 0
    var most: Int?
    var isInterval = false
    if skip("*") {
    } else if skip("+") {
      least = 1
    } else if skip("?") {
      most = 1
    } else if current == "{", let (first, last, end) = interval() {
      (least, most) = (first, last)
      position = end
      isInterval = true
    } else {
      return nil
    }
    if least > 1000 || (most ?? 0) > 1000 { throw wrong("a repetition of more than 1000 times") }
    if let most, most < least { throw wrong("a repetition whose end comes before its beginning") }
    if skip("?") { return .repeated(node, least: least, most: most, .lazy) }
    // In this language {2}+ repeats the repetition; only *+, ++ and ?+ are possessive.
    if !isInterval, skip("+") { return .repeated(node, least: least, most: most, .possessive) }
    return .repeated(node, least: least, most: most, .greedy)
  }

  /// {2}, {2,}, {,3} or {2,3}; anything else is text.
  private func interval() -> (Int, Int?, Int)? {
    var i = position + 1
    func number() -> (Int?, Int) {
      var end = i
      var value = 0
      while end < source.count, ("0"..."9").contains(source[end]), end - i < 6 {
        value = value * 10 + Int(source[end].value) - 48
        end += 1
      }
      return (end == i ? nil : value, end)
    }
    let (first, firstEnd) = number()
    i = firstEnd
    guard i < source.count else { return nil }
    if source[i] == "}" { return first.map { ($0, $0, i + 1) } }
    guard source[i] == "," else { return nil }
    i += 1
    let (last, lastEnd) = number()
    guard lastEnd < source.count, source[lastEnd] == "}", first != nil || last != nil else { return nil }
    return (first ?? 0, last, lastEnd + 1)
  }

  private func literal(_ scalar: Unicode.Scalar) -> RegexProgram.Node {
    .set(cased(.range(scalar.value, scalar.value)))
  }

  private func cased(_ set: RegexSet) -> RegexSet { ignoresCase ? .folded(set) : set }

  private mutating func atom() throws -> RegexProgram.Node {
    let scalar = source[position]
    position += 1
    switch scalar {
    case "(": return try group()
    case "[":
      let set = try set()
      return .set(cased(set))
    case ".": return .set(.any(withNewline: false))
    case "^": return .assertion(.lineStart)
    case "$": return .assertion(.lineEnd)
    case "*", "+", "?": throw wrong("\(scalar) repeats nothing")
    case "\\":
      guard let escaped = current else { throw wrong("it ends with a \\") }
      let assertions: [Unicode.Scalar: RegexProgram.Assertion] = [
        "A": .textStart, "z": .textEnd, "Z": .textEndOrNewline, "b": .wordBoundary, "B": .noWordBoundary,
      ]
      if let assertion = assertions[escaped] {
        position += 1
        return .assertion(assertion)
      }
      return .set(cased(try escape()))
    default: return literal(scalar)
    }
  }

  private mutating func group() throws -> RegexProgram.Node {
    let before = ignoresCase
    defer { ignoresCase = before }
    var wrap: (RegexProgram.Node) -> RegexProgram.Node = { $0 }
    if skip("?") {
      if skip(":") {
      } else if skip("=") {
        wrap = { .look($0, ahead: true, isNegated: false) }
      } else if skip("!") {
        wrap = { .look($0, ahead: true, isNegated: true) }
      } else if skip("<=") {
        wrap = { .look($0, ahead: false, isNegated: false) }
      } else if skip("<!") {
        wrap = { .look($0, ahead: false, isNegated: true) }
      } else if skip(">") {
        wrap = { .atomic($0) }
      } else if skip("i:") {
        ignoresCase = true
      } else if skip("-i:") {
        ignoresCase = false
      } else if skip("i)") {
        // Until the end of the group around it.
        ignoresCase = true
        let rest = try alternatives()
        return rest
      } else {
        throw wrong("this kind of group is not supported")
      }
    }
    let node = try alternatives()
    guard skip(")") else { throw wrong("a ( is never closed") }
    if case .look(let inner, ahead: false, _) = wrap(node) {
      guard Self.isSingle(inner) else {
        throw wrong("look-behind of more than one character is not supported")
      }
    }
    return wrap(node)
  }

  private static func isSingle(_ node: RegexProgram.Node) -> Bool {
    switch node {
    case .set: true
    case .alternatives(let nodes): nodes.allSatisfy(isSingle)
    case .sequence(let nodes): nodes.count == 1 && isSingle(nodes[0])
    case .assertion: false
    default: false
    }
  }

  // MARK: Sets

  /// What follows a backslash.
  private mutating func escape() throws -> RegexSet {
    guard let scalar = current else { throw wrong("it ends with a \\") }
    position += 1
    func single(_ value: UInt32) -> RegexSet { .range(value, value) }
    switch scalar {
    case "n": return single(10)
    case "r": return single(13)
    case "t": return single(9)
    case "f": return single(12)
    case "v": return single(11)
    case "a": return single(7)
    case "e": return single(27)
    case "s": return .classes(.space)
    case "S": return .inverted(.classes(.space))
    case "d": return .decimal
    case "D": return .inverted(.decimal)
    case "w": return .classes(.word)
    case "W": return .inverted(.classes(.word))
    case "h": return .hexadecimal
    case "H": return .inverted(.hexadecimal)
    case "p", "P":
      let set = try property()
      return scalar == "P" ? .inverted(set) : set
    case "x", "u": return single(try code(scalar == "u" ? 4 : 2))
    case "0": return single(0)
    default:
      let isLetter =
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
      guard !isLetter else { throw wrong("\\\(scalar) is not supported") }
      return single(scalar.value)
    }
  }

  private mutating func code(_ digits: Int) throws -> UInt32 {
    var text = ""
    if skip("{") {
      while let scalar = current, scalar != "}", text.count < 9 {
        text.unicodeScalars.append(scalar)
        position += 1
      }
      guard skip("}") else { throw wrong("a \\x{ is never closed") }
    } else {
      while let scalar = current, scalar.properties.isASCIIHexDigit, text.count < digits {
        text.unicodeScalars.append(scalar)
        position += 1
      }
    }
    guard let value = UInt32(text, radix: 16), value < 0x110000 else { throw wrong("no code of a character") }
    return value
  }

  private mutating func property() throws -> RegexSet {
    var name = ""
    if skip("{") {
      while let scalar = current, scalar != "}" {
        name.unicodeScalars.append(scalar)
        position += 1
      }
      guard skip("}") else { throw wrong("a \\p{ is never closed") }
    } else {
      throw wrong("\\p is followed by {")
    }
    let isInverted = name.hasPrefix("^")
    let key = name.drop { $0 == "^" }.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
    guard let set = Self.properties[key] else { throw wrong("the property \"\(name)\" is not supported") }
    return isInverted ? .inverted(set) : set
  }

  private static let properties: [String: RegexSet] = {
    var result: [String: RegexSet] = [
      "l": .classes(.letter), "letter": .classes(.letter), "n": .classes(.number),
      "number": .classes(.number),
      "m": .classes(.mark), "mark": .classes(.mark), "p": .classes(.punctuation),
      "punctuation": .classes(.punctuation),
      "s": .classes(.symbol), "symbol": .classes(.symbol), "space": .classes(.space),
      "whitespace": .classes(.space),
      "z": .category([.spaceSeparator, .lineSeparator, .paragraphSeparator]), "word": .classes(.word),
      "digit": .decimal, "any": .any(withNewline: true),
    ]
    let categories: [(String, Unicode.GeneralCategory)] = [
      ("lu", .uppercaseLetter), ("ll", .lowercaseLetter), ("lt", .titlecaseLetter), ("lm", .modifierLetter),
      ("lo", .otherLetter), ("mn", .nonspacingMark), ("mc", .spacingMark), ("me", .enclosingMark),
      ("nd", .decimalNumber),
      ("nl", .letterNumber), ("no", .otherNumber), ("pc", .connectorPunctuation), ("pd", .dashPunctuation),
      ("ps", .openPunctuation), ("pe", .closePunctuation), ("pi", .initialPunctuation),
      ("pf", .finalPunctuation),
      ("po", .otherPunctuation), ("sm", .mathSymbol), ("sc", .currencySymbol), ("sk", .modifierSymbol),
      ("so", .otherSymbol), ("zs", .spaceSeparator), ("zl", .lineSeparator), ("zp", .paragraphSeparator),
      ("cc", .control),
      ("cf", .format), ("co", .privateUse), ("cn", .unassigned),
    ]
    for (name, category) in categories { result[name] = .category([category]) }
    for (index, script) in RegexScripts.all.enumerated() { result[script.name] = .script(index) }
    return result
  }()

  /// What follows a [.
  private mutating func set() throws -> RegexSet {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 50 else { throw wrong("sets are nested more than 50 deep") }
    let isInverted = skip("^")
    var parts: [RegexSet] = []
    var whole: RegexSet?
    var isFirst = true
    while true {
      guard let scalar = current else { throw wrong("a [ is never closed") }
      if scalar == "]" && !isFirst {
        position += 1
        break
      }
      isFirst = false
      if skip("&&") {
        let left = RegexSet.union(parts)
        whole = whole.map { .intersection($0, left) } ?? left
        parts = []
        continue
      }
      if skip("[:") { throw wrong("[: :] is not supported, write \\p{…}") }
      if skip("[") {
        parts.append(try set())
        continue
      }
      let first = try member()
      if current == "-", position + 1 < source.count, source[position + 1] != "]",
        case .range(let low, let end) = first, low == end
      {
        position += 1
        let last = try member()
        guard case .range(let high, _) = last, high >= low else {
          throw wrong("a range that ends before it begins")
        }
        parts.append(.range(low, high))
      } else {
        parts.append(first)
      }
    }
    let last = RegexSet.union(parts)
    let result = whole.map { .intersection($0, last) } ?? last
    return isInverted ? .inverted(cased(result)) : result
  }

  private mutating func member() throws -> RegexSet {
    guard let scalar = current else { throw wrong("a [ is never closed") }
    position += 1
    if scalar == "\\" {
      if skip("b") { return .range(8, 8) }
      return try escape()
    }
    return .range(scalar.value, scalar.value)
  }
}
