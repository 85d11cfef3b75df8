/// Filters of lists.
extension Filter {
  func ofElements() throws -> Value {
    switch name {
    case "length", "count":
      switch value {
      case .string(let text): return .integer(text.unicodeScalars.count)
      case .list(let elements, _), .view(let elements, _): return .integer(elements.count)
      case .dictionary(let members): return .integer(members.entries.count)
      case .undefined: return .integer(0)
      default: throw wrong("\(value.kind) has no length")
      }
    case "first": return try elements().first ?? .undefined("the first element of nothing")
    case "last": return try elements().last ?? .undefined("the last element of nothing")
    case "list":
      let elements = try elements()
      try interpreter.spend(elements.count, line)
      return .list(elements)
    case "reverse":
      if case .string(let text) = value {
        return try made(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
      }
      return .list(try elements().reversed())
    case "items":
      switch value {
      case .undefined: return .list([])
      case .dictionary: return try TemplateMethods.call("items", value, arguments, interpreter, line)
      default: throw wrong("\(value.kind) is no mapping")
      }
    default:
      let separator = arguments.value(0, "d")?.text ?? ""
      var parts = try elements()
      if let attribute = arguments.value(1, "attribute") {
        parts = try parts.map { try read(attribute, of: $0) }
      }
      let texts = try parts.map { try interpreter.text(of: $0, line) }
      let (bytes, isOver) = separator.utf8.count.multipliedReportingOverflow(by: texts.count)
      try interpreter.spend(
        text: isOver ? TemplateInterpreter.largestText + 1 : bytes + texts.reduce(0) { $0 + $1.utf8.count },
        line)
      return .string(texts.joined(separator: separator))
    }
  }

  func overElements() throws -> Value {
    let elements = try name == "dictsort" ? [] : elements()
    try interpreter.spend(elements.count, line)
    switch name {
    case "map": return .list(try map(elements))
    case "select", "reject", "selectattr", "rejectattr": return .list(try selected(elements))
    case "dictsort":
      guard case .dictionary(let members) = value else { throw wrong("\(value.kind) is no mapping") }
      let isCased = arguments.value(0, "case_sensitive")?.isTrue ?? false
      let byValue = arguments.value(1, "by")?.text == "value"
      let isReversed = arguments.value(2, "reverse")?.isTrue ?? false
      let pairs = members.entries.map { Value.list([$0.key, $0.value], isTuple: true) }
      let keys = members.entries.map { folded(byValue ? $0.value : $0.key, isCased) }
      return .list(try sorted(pairs, by: keys, isReversed))
    case "sort":
      let isReversed = arguments.value(0, "reverse")?.isTrue ?? false
      let isCased = arguments.value(1, "case_sensitive")?.isTrue ?? false
      var keys = elements
      if let attribute = arguments.value(2, "attribute") {
        if case .none = attribute {} else { keys = try elements.map { try read(attribute, of: $0) } }
      }
      return .list(try sorted(elements, by: keys.map { folded($0, isCased) }, isReversed))
    case "unique":
      let isCased = arguments.value(0, "case_sensitive")?.isTrue ?? false
      var seen: [Value] = []
      return .list(
        try elements.filter { element in
          let key = folded(
            try arguments.value(1, "attribute").map { try read($0, of: element) } ?? element, isCased)
          try interpreter.spend(seen.count, line)
          if seen.contains(where: { $0.equals(key) }) { return false }
          seen.append(key)
          return true
        })
    case "sum":
      var total = arguments.value(1, "start") ?? .integer(0)
      for element in elements {
        let term = try arguments.value(0, "attribute").map { try read($0, of: element) } ?? element
        guard let left = total.asNumber, let right = term.asNumber else {
          throw wrong("\(term.kind) is no number")
        }
        if let a = total.asInteger, let b = term.asInteger,
          case (let sum, let isOver) = a.addingReportingOverflow(b), !isOver
        {
          total = .integer(sum)
        } else {
          total = .number(left + right)
        }
      }
      return total
    default:
      let isCased = arguments.value(0, "case_sensitive")?.isTrue ?? false
      var best: (key: Value, element: Value)?
      for element in elements {
        let key = folded(
          try arguments.value(1, "attribute").map { try read($0, of: element) } ?? element, isCased)
        guard let found = best else {
          best = (key, element)
          continue
        }
        let order = try interpreter.order(key, found.key, line)
        if name == "max" ? order > 0 : order < 0 { best = (key, element) }
      }
      return best?.element ?? .undefined("the \(name) of nothing")
    }
  }

  private func folded(_ value: Value, _ isCased: Bool) -> Value {
    if case .string(let text) = value, !isCased { return .string(PythonStrings.lower(text)) }
    return value
  }

  /// Stable; what cannot be compared is an error.
  private func sorted(_ elements: [Value], by keys: [Value], _ isReversed: Bool) throws -> [Value] {
    let order = try keys.indices.sorted { left, right in
      try interpreter.spend(1, line)
      let order = try interpreter.order(keys[left], keys[right], line)
      return order == 0 ? left < right : isReversed ? order > 0 : order < 0
    }
    return order.map { elements[$0] }
  }

  /// `a.b.0` of an element; missing members are undefined.
  private func read(_ attribute: Value, of element: Value, standard: Value? = nil) throws -> Value {
    var result = element
    let parts: [String] =
      if case .string(let name) = attribute { PythonStrings.split(name, by: ".") } else { [] }
    guard case .string = attribute else { return try interpreter.element(attribute, of: element, line) }
    for part in parts {
      result = try interpreter.element(Int(part).map { .integer($0) } ?? .string(part), of: result, line)
      if let standard, result.isUndefined { result = standard }
    }
    return result
  }

  private func map(_ elements: [Value]) throws -> [Value] {
    if let attribute = arguments.named.first(where: { $0.name == "attribute" })?.value {
      let standard = arguments.named.first { $0.name == "default" }?.value
      return try elements.map { element in
        try interpreter.spend(1, line)
        return try read(attribute, of: element, standard: standard)
      }
    }
    guard case .string(let filter)? = arguments.positional.first else {
      throw wrong("the name of a filter, or attribute=…, is expected")
    }
    guard TemplateFilters.names.contains(filter) else { throw wrong("there is no filter \"\(filter)\"") }
    let rest = CallArguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
    return try elements.map {
      try interpreter.spend(1, line)
      return try TemplateFilters.apply(filter, $0, rest, interpreter, line)
    }
  }

  private func selected(_ elements: [Value]) throws -> [Value] {
    var given = arguments.positional
    var attribute: Value?
    if name.hasSuffix("attr") {
      guard !given.isEmpty else { throw wrong("the name of an attribute is expected") }
      attribute = given.removeFirst()
    }
    var test: String?
    if !given.isEmpty {
      guard case .string(let name) = given.removeFirst() else {
        throw wrong("the name of a test is expected")
      }
      let symbols = ["==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"]
      test = symbols[name] ?? name
      guard TemplateTests.names.contains(test!) else { throw wrong("there is no test \"\(name)\"") }
    }
    let rest = CallArguments(positional: given)
    return try elements.filter { element in
      try interpreter.spend(1, line)
      let subject = try attribute.map { try read($0, of: element) } ?? element
      let result =
        if let test { try TemplateTests.apply(test, subject, rest, interpreter, line) } else {
          subject.isTrue
        }
      return result != name.hasPrefix("reject")
    }
  }
}
