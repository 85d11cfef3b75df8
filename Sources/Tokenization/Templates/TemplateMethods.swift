/// Methods of Python's values, as far as templates call them. None changes a value, as in jinja2's immutable sandbox.
enum TemplateMethods {
  static let dictionary: Set<String> = ["items", "keys", "values", "get", "copy"]
  static let list: Set<String> = ["index", "count", "copy"]
  static let string: Set<String> = [
    "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith", "upper", "lower",
    "title",
    "capitalize", "replace", "find", "rfind", "index", "count", "join", "isdigit", "isalpha", "isalnum",
    "isspace",
    "isupper", "islower", "removeprefix", "removesuffix", "zfill", "partition", "rpartition",
  ]

  /// `loop.index` and its like.
  static func member(_ name: String, of loop: Value.LoopValue, _ value: Value) -> Value {
    let count = loop.items.count
    switch name {
    case "index": return .integer(loop.index + 1)
    case "index0": return .integer(loop.index)
    case "revindex": return .integer(count - loop.index)
    case "revindex0": return .integer(count - loop.index - 1)
    case "first": return .bool(loop.index == 0)
    case "last": return .bool(loop.index == count - 1)
    case "length": return .integer(count)
    case "depth": return .integer(loop.depth)
    case "depth0": return .integer(loop.depth - 1)
    case "previtem": return loop.index > 0 ? loop.items[loop.index - 1] : .undefined("loop.previtem")
    case "nextitem": return loop.index + 1 < count ? loop.items[loop.index + 1] : .undefined("loop.nextitem")
    case "cycle", "changed": return .method(value, name)
    default: return .undefined("loop.\(name)")
    }
  }

  static func call(
    _ name: String, _ receiver: Value, _ arguments: CallArguments, _ interpreter: TemplateInterpreter,
    _ line: Int
  ) throws -> Value {
    switch receiver {
    case .string(let text): return try StringMethod(text, name, arguments, interpreter, line).call()
    case .dictionary(let members):
      switch name {
      case "items":
        return .view(members.entries.map { .list([$0.key, $0.value], isTuple: true) }, named: "dict_items")
      case "keys": return .view(members.entries.map(\.key), named: "dict_keys")
      case "values": return .view(members.entries.map(\.value), named: "dict_values")
      case "copy": return receiver
      default:
        guard let key = arguments.value(0, "key") else { throw interpreter.wrong(line, "get needs a key") }
        return members[key] ?? arguments.value(1, "default") ?? .none
      }
    case .list(let elements, _):
      if name == "copy" { return receiver }
      guard let element = arguments.positional.first else {
        throw interpreter.wrong(line, "\(name) needs a value")
      }
      if name == "count" { return .integer(elements.count { $0.equals(element) }) }
      guard let index = elements.firstIndex(where: { $0.equals(element) }) else {
        throw interpreter.wrong(line, "\(element.representation) is not in the list")
      }
      return .integer(index)
    case .loop(let loop):
      if name == "cycle" {
        guard !arguments.positional.isEmpty else { throw interpreter.wrong(line, "cycle needs values") }
        return arguments.positional[loop.index % arguments.positional.count]
      }
      let before = loop.changed
      loop.changed = arguments.positional
      guard let before, before.count == arguments.positional.count else { return .bool(true) }
      return .bool(!zip(before, arguments.positional).allSatisfy { $0.equals($1) })
    default: throw interpreter.wrong(line, "\(receiver.kind) has no method \"\(name)\"")
    }
  }
}

/// A method of a string, with what it was given.
private struct StringMethod {
  let text: String
  let name: String
  let arguments: CallArguments
  let interpreter: TemplateInterpreter
  let line: Int

  init(
    _ text: String, _ name: String, _ arguments: CallArguments, _ interpreter: TemplateInterpreter,
    _ line: Int
  ) {
    self.text = text
    self.name = name
    self.arguments = arguments
    self.interpreter = interpreter
    self.line = line
  }

  private func wrong(_ message: String) -> TemplateError { interpreter.wrong(line, "\(name): \(message)") }

  private func string(_ index: Int, _ label: String) throws -> String {
    guard let value = arguments.value(index, label) else { throw wrong("an argument is missing") }
    guard case .string(let text) = value else { throw wrong("a string is expected, not \(value.kind)") }
    return text
  }

  /// A string, or `nil` for none or nothing.
  private func optional(_ index: Int, _ label: String) throws -> String? {
    guard let value = arguments.value(index, label) else { return nil }
    if case .none = value { return nil }
    return try string(index, label)
  }

  private func integer(_ index: Int, _ label: String, _ standard: Int) throws -> Int {
    guard let value = arguments.value(index, label) else { return standard }
    guard let integer = value.asInteger else { throw wrong("a whole number is expected, not \(value.kind)") }
    return integer
  }

  private func result(_ text: String) throws -> Value {
    try interpreter.spend(text: text.utf8.count, line)
    return .string(text)
  }

  private func result(_ parts: [String], isTuple: Bool = false) throws -> Value {
    try interpreter.spend(parts.count, line)
    try interpreter.spend(text: text.utf8.count, line)
    return .list(parts.map { .string($0) }, isTuple: isTuple)
  }

  func call() throws -> Value {
    try interpreter.spend(text.utf8.count / 16, line)
    switch name {
    case "strip", "lstrip", "rstrip":
      return try result(
        PythonStrings.strip(text, optional(0, "chars"), left: name != "rstrip", right: name != "lstrip"))
    case "upper": return try result(PythonStrings.upper(text))
    case "lower": return try result(PythonStrings.lower(text))
    case "title": return try result(PythonStrings.title(text))
    case "capitalize": return try result(PythonStrings.capitalize(text))
    case "startswith", "endswith": return .bool(try matches())
    case "split", "rsplit", "splitlines", "partition", "rpartition": return try parts()
    case "replace":
      let (old, new) = (try string(0, "old"), try string(1, "new"))
      let most = try integer(2, "count", -1)
      // At most one replacement per character, plus one: known before any text is made.
      let (bytes, isOver) = (text.utf8.count / max(old.utf8.count, 1) + 1).multipliedReportingOverflow(
        by: new.utf8.count)
      try interpreter.spend(
        text: isOver ? TemplateInterpreter.largestText + 1 : bytes / (old.isEmpty ? 1 : 4) + text.utf8.count,
        line)
      return .string(PythonStrings.replace(text, old, new, most: most < 0 ? .max : most))
    case "removeprefix", "removesuffix":
      let part = try string(0, "part")
      let bytes = Array(text.utf8)
      if name == "removeprefix" && PythonStrings.hasPrefix(text, part) {
        return .string(String(decoding: bytes.dropFirst(part.utf8.count), as: UTF8.self))
      }
      if name == "removesuffix" && PythonStrings.hasSuffix(text, part) {
        return .string(String(decoding: bytes.dropLast(part.utf8.count), as: UTF8.self))
      }
      return .string(text)
    case "find", "rfind", "index", "count": return try search()
    case "join":
      guard let values = arguments.positional.first else { throw wrong("a list is expected") }
      let parts = try interpreter.elements(of: values, line).map { value in
        guard case .string(let part) = value else { throw wrong("\(value.kind) cannot be joined") }
        return part
      }
      let (bytes, isOver) = text.utf8.count.multipliedReportingOverflow(by: parts.count)
      try interpreter.spend(
        text: isOver ? TemplateInterpreter.largestText + 1 : bytes + parts.reduce(0) { $0 + $1.utf8.count },
        line)
      return .string(parts.joined(separator: text))
    case "zfill":
      let width = try integer(0, "width", 0)
      let missing = width - text.unicodeScalars.count
      guard missing > 0 else { return .string(text) }
      try interpreter.spend(text: width, line)
      let sign = text.hasPrefix("-") || text.hasPrefix("+") ? 1 : 0
      return .string(text.prefix(sign) + String(repeating: "0", count: missing) + text.dropFirst(sign))
    default: return .bool(isOfKind())
    }
  }

  private func matches() throws -> Bool {
    guard let value = arguments.positional.first else { throw wrong("an argument is missing") }
    let candidates: [Value] = if case .list(let elements, _) = value { elements } else { [value] }
    for candidate in candidates {
      guard case .string(let part) = candidate else {
        throw wrong("a string is expected, not \(candidate.kind)")
      }
      if name == "startswith" ? PythonStrings.hasPrefix(text, part) : PythonStrings.hasSuffix(text, part) {
        return true
      }
    }
    return false
  }

  private func parts() throws -> Value {
    if name == "splitlines" {
      return try result(
        PythonStrings.lines(text, keepsEnds: arguments.value(0, "keepends")?.isTrue ?? false))
    }
    if name == "partition" || name == "rpartition" {
      let separator = try string(0, "sep")
      guard !separator.isEmpty else { throw wrong("the separator is empty") }
      let parts =
        name == "partition"
        ? PythonStrings.split(text, by: separator, most: 1)
        : PythonStrings.splitFromEnd(text, by: separator, most: 1)
      if parts.count == 1 {
        return try result(name == "partition" ? [text, "", ""] : ["", "", text], isTuple: true)
      }
      return try result([parts[0], separator, parts[1]], isTuple: true)
    }
    let given = try integer(1, "maxsplit", -1)
    let most = given < 0 ? Int.max : given
    guard let separator = try optional(0, "sep") else {
      if name == "rsplit" && most < Int.max {
        let reversed = PythonStrings.splitBlanks(
          String(String.UnicodeScalarView(text.unicodeScalars.reversed())), most: most)
        return try result(
          reversed.reversed().map { String(String.UnicodeScalarView($0.unicodeScalars.reversed())) })
      }
      return try result(PythonStrings.splitBlanks(text, most: most))
    }
    guard !separator.isEmpty else { throw wrong("the separator is empty") }
    return try result(
      name == "split"
        ? PythonStrings.split(text, by: separator, most: most)
        : PythonStrings.splitFromEnd(text, by: separator, most: most))
  }

  private func search() throws -> Value {
    let part = try string(0, "sub")
    guard arguments.positional.count == 1 else {
      throw wrong("bounds are not supported", hint: "cut the text first")
    }
    if name == "count" {
      return .integer(
        part.isEmpty ? text.unicodeScalars.count + 1 : PythonStrings.split(text, by: part).count - 1)
    }
    let parts = part.isEmpty ? [] : PythonStrings.split(text, by: part)
    let place: Int
    if part.isEmpty {
      place = name == "rfind" ? text.unicodeScalars.count : 0
    } else if parts.count < 2 {
      if name == "index" { throw wrong("\(Value.quoted(part)) is not in the text") }
      place = -1
    } else if name == "rfind" {
      place = rfind(part)
    } else {
      place = parts[0].unicodeScalars.count
    }
    return .integer(place)
  }

  private func wrong(_ message: String, hint: String) -> TemplateError {
    interpreter.wrong(line, "\(name): \(message)", hint: hint)
  }

  private func rfind(_ part: String) -> Int {
    let bytes = Array(text.utf8)
    let wanted = Array(part.utf8)
    var i = bytes.count - wanted.count
    while i >= 0, !bytes[i..<(i + wanted.count)].elementsEqual(wanted) { i -= 1 }
    return String(decoding: bytes[..<i], as: UTF8.self).unicodeScalars.count
  }

  private func isOfKind() -> Bool {
    func all(_ isWanted: (Unicode.Scalar) -> Bool) -> Bool {
      !text.isEmpty && text.unicodeScalars.allSatisfy(isWanted)
    }
    func isLetter(_ scalar: Unicode.Scalar) -> Bool { CharacterTable[scalar.value].contains(.letter) }
    switch name {
    case "isdigit":
      return all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
    case "isalpha": return all(isLetter)
    case "isalnum": return all { isLetter($0) || $0.properties.numericType != nil }
    case "isspace": return all(isPythonBlank)
    default: return TemplateTests.isCased(text, upper: name == "isupper")
    }
  }
}
