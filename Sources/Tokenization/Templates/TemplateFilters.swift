import Foundation

/// What a value is sent through with |.
enum TemplateFilters {
  static let names: Set<String> = [
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "first", "float",
    "indent", "int",
    "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "replace", "reverse",
    "round", "safe", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "unique",
    "upper",
    "wordcount",
  ]

  static func apply(
    _ name: String, _ value: Value, _ arguments: CallArguments, _ interpreter: TemplateInterpreter,
    _ line: Int
  ) throws -> Value {
    let filter = Filter(
      name: name, value: value, arguments: arguments, interpreter: interpreter, line: line)
    switch name {
    case "map", "select", "reject", "selectattr", "rejectattr", "sort", "dictsort", "unique", "sum", "max",
      "min":
      return try filter.overElements()
    case "first", "last", "length", "count", "list", "reverse", "items", "join":
      return try filter.ofElements()
    case "abs", "float", "int", "round": return try filter.ofNumber()
    default: return try filter.ofText()
    }
  }
}

/// A filter, with what it was given.
struct Filter {
  let name: String
  let value: Value
  let arguments: CallArguments
  let interpreter: TemplateInterpreter
  let line: Int

  func wrong(_ message: String, hint: String? = nil) -> TemplateError {
    interpreter.wrong(line, "\(name): \(message)", hint: hint)
  }

  func elements() throws -> [Value] { try interpreter.elements(of: value, line) }

  func integer(_ index: Int, _ label: String, _ standard: Int) throws -> Int {
    guard let value = arguments.value(index, label) else { return standard }
    guard let integer = value.asInteger else { throw wrong("a whole number is expected, not \(value.kind)") }
    return integer
  }

  func made(_ text: String) throws -> Value {
    try interpreter.spend(text: text.utf8.count, line)
    return .string(text)
  }

  // MARK: Texts and anything

  func ofText() throws -> Value {
    switch name {
    case "default", "d":
      let standard = arguments.value(0, "default_value") ?? .string("")
      let isForFalse = arguments.value(1, "boolean")?.isTrue ?? false
      return value.isUndefined || (isForFalse && !value.isTrue) ? standard : value
    case "attr":
      guard case .string(let name)? = arguments.value(0, "name") else { throw wrong("a name is expected") }
      if case .dictionary = value { return .undefined(name) }
      return try interpreter.attribute(name, of: value, line)
    case "tojson":
      let sortsKeys = arguments.value(3, "sort_keys")?.isTrue ?? false
      let indent = try arguments.value(0, "indent").flatMap { value -> Int? in
        if case .none = value { return nil }
        guard let integer = value.asInteger, (0...64).contains(integer) else {
          throw wrong("indent is a number from 0 to 64")
        }
        return integer
      }
      guard let json = value.json(indent: indent, sortsKeys: sortsKeys) else {
        throw wrong("\(value.kind) has no JSON", hint: "test it with \"is defined\" first")
      }
      return try made(json)
    case "string": return try made(interpreter.text(of: value, line))
    default: break
    }
    let text = try interpreter.text(of: value, line)
    switch name {
    case "safe": return .string(text)
    case "upper": return try made(PythonStrings.upper(text))
    case "lower": return try made(PythonStrings.lower(text))
    case "title": return try made(Self.title(text))
    case "capitalize": return try made(PythonStrings.capitalize(text))
    case "trim":
      let characters: String? = if case .string(let set)? = arguments.value(0, "chars") { set } else { nil }
      return try made(PythonStrings.strip(text, characters))
    case "replace":
      return try TemplateMethods.call(
        "replace", .string(text),
        CallArguments(
          positional: [arguments.value(0, "old"), arguments.value(1, "new"), arguments.value(2, "count")]
            .compactMap { value in
              guard let value else { return nil }
              if case .none = value { return nil }
              if case .integer = value { return value }
              return .string(value.text)
            }), interpreter, line)
    case "wordcount":
      // \w+
      var count = 0
      var isInside = false
      for scalar in text.unicodeScalars {
        let isWord = CharacterTable[scalar.value].contains(.word)
        if isWord && !isInside { count += 1 }
        isInside = isWord
      }
      return .integer(count)
    default: return try indented(text)
    }
  }

  private func indented(_ text: String) throws -> Value {
    let width: String
    if case .string(let given)? = arguments.value(0, "width") {
      width = given
    } else {
      let count = try integer(0, "width", 4)
      guard count <= 1000 else { throw wrong("a width of \(count) is too large") }
      width = String(repeating: " ", count: max(0, count))
    }
    let indentsFirst = arguments.value(1, "first")?.isTrue ?? false
    let indentsBlank = arguments.value(2, "blank")?.isTrue ?? false
    let lines = PythonStrings.lines(text + "\n", keepsEnds: false)
    try interpreter.spend(text: lines.count * width.utf8.count, line)
    let result = lines.enumerated().map { index, line in
      index == 0 || (line.isEmpty && !indentsBlank) ? line : width + line
    }
    return try made((indentsFirst ? width : "") + result.joined(separator: "\n"))
  }

  /// Words begin behind blanks, hyphens and brackets.
  private static func title(_ text: String) -> String {
    var result = ""
    var word = ""
    func finish() {
      result +=
        word.isEmpty
        ? ""
        : PythonStrings.upper(String(word.unicodeScalars.first!))
          + PythonStrings.lower(String(word.unicodeScalars.dropFirst()))
      word = ""
    }
    for scalar in text.unicodeScalars {
      if isPythonBlank(scalar) || "-({[<".unicodeScalars.contains(scalar) {
        finish()
        result.unicodeScalars.append(scalar)
      } else {
        word.unicodeScalars.append(scalar)
      }
    }
    finish()
    return result
  }

  // MARK: Numbers

  func ofNumber() throws -> Value {
    switch name {
    case "abs":
      if let integer = value.asInteger {
        guard integer != .min else { throw wrong("the result is too large a number") }
        return .integer(abs(integer))
      }
      guard let number = value.asNumber else { throw wrong("\(value.kind) is no number") }
      return .number(abs(number))
    case "float":
      if let number = value.asNumber { return .number(number) }
      if case .string(let text) = value,
        let number = Double(PythonStrings.strip(text, nil).replacingOccurrences(of: "_", with: ""))
      {
        return .number(number)
      }
      return arguments.value(0, "default") ?? .number(0)
    case "int":
      let standard = arguments.value(0, "default") ?? .integer(0)
      let radix = try integer(1, "base", 10)
      guard (2...36).contains(radix) else { throw wrong("a base from 2 to 36 is expected") }
      switch value {
      case .integer, .bool: return .integer(value.asInteger ?? 0)
      case .number(let number):
        return Int(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? standard
      case .string(let text):
        let trimmed = PythonStrings.strip(text, nil)
        if let integer = Int(trimmed, radix: radix) { return .integer(integer) }
        return Double(trimmed).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) }
          ?? standard
      default: return standard
      }
    default: return try rounded()
    }
  }

  private func rounded() throws -> Value {
    guard let number = value.asNumber else { throw wrong("\(value.kind) is no number") }
    let precision = try integer(0, "precision", 0)
    let method = arguments.value(1, "method")?.text ?? "common"
    guard abs(precision) <= 300 else { throw wrong("a precision of \(precision) is too large") }
    let scale = pow(10, Double(precision))
    switch method {
    case "common":
      if value.asInteger != nil && precision >= 0 { return value }
      guard precision > 0, number.isFinite else {
        return .number((number * scale).rounded(.toNearestOrEven) / scale)
      }
      // Through decimal digits, as Python does: 2.675 lies below the middle.
      return .number(Double(String(format: "%.\(precision)f", number)) ?? number)
    case "ceil": return .number((number * scale).rounded(.up) / scale)
    case "floor": return .number((number * scale).rounded(.down) / scale)
    default: throw wrong("\"\(method)\" is none of common, ceil and floor")
    }
  }
}
