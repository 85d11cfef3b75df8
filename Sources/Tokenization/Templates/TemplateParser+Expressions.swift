/// Expressions, by how strongly their operators bind; the order is that of jinja2.
extension TemplateParser {
  private func node(_ kind: Expression.Kind, _ line: Int, _ children: [Expression?]) throws -> Expression {
    let node = Expression(kind, line: line, children: children)
    guard node.depth <= Expression.largestDepth else {
      throw wrong("an expression is nested more than \(Expression.largestDepth) deep", line: line)
    }
    return node
  }

  /// One expression, or several with commas between them.
  mutating func tuple(withConditional: Bool = true) throws -> Expression {
    let line = line
    let first = withConditional ? try expression() : try disjunction()
    guard current == .symbol(",") else { return first }
    var elements = [first]
    while skip(",") {
      if [.outputEnd, .blockEnd, .symbol(")"), .end].contains(current) { break }
      elements.append(withConditional ? try expression() : try disjunction())
    }
    return try node(.list(elements, isTuple: true), line, elements)
  }

  /// `a if b else c`
  mutating func expression() throws -> Expression {
    expressionNesting += 1
    defer { expressionNesting -= 1 }
    guard expressionNesting <= 60 else { throw wrong("expressions are nested more than 60 deep") }
    let line = line
    var result = try disjunction()
    while skip(name: "if") {
      let condition = try disjunction()
      let otherwise = skip(name: "else") ? try expression() : nil
      result = try node(
        .conditional(condition: condition, then: result, otherwise: otherwise), line,
        [result, condition, otherwise])
    }
    return result
  }

  private mutating func disjunction() throws -> Expression {
    let line = line
    var left = try conjunction()
    while skip(name: "or") {
      let right = try conjunction()
      left = try node(.binary("or", left, right), line, [left, right])
    }
    return left
  }

  private mutating func conjunction() throws -> Expression {
    let line = line
    var left = try negation()
    while skip(name: "and") {
      let right = try negation()
      left = try node(.binary("and", left, right), line, [left, right])
    }
    return left
  }

  private mutating func negation() throws -> Expression {
    let line = line
    var count = 0
    while skip(name: "not") { count += 1 }
    var result = try comparison()
    for _ in 0..<min(count, 2 + count % 2) { result = try node(.unary("not", result), line, [result]) }
    return result
  }

  private mutating func comparison() throws -> Expression {
    let line = line
    let left = try sum()
    var parts: [(symbol: String, right: Expression)] = []
    while true {
      if case .symbol(let symbol) = current, ["==", "!=", "<", ">", "<=", ">="].contains(symbol) {
        advance()
        parts.append((symbol, try sum()))
      } else if skip(name: "in") {
        parts.append(("in", try sum()))
      } else if current == .name("not"), tokens[position + 1].kind == .name("in") {
        advance()
        advance()
        parts.append(("not in", try sum()))
      } else {
        break
      }
    }
    return parts.isEmpty ? left : try node(.comparison(left, parts), line, [left] + parts.map(\.right))
  }

  private mutating func sum() throws -> Expression {
    let line = line
    var left = try concatenation()
    while case .symbol(let symbol) = current, symbol == "+" || symbol == "-" {
      advance()
      let right = try concatenation()
      left = try node(.binary(symbol, left, right), line, [left, right])
    }
    return left
  }

  private mutating func concatenation() throws -> Expression {
    let line = line
    var parts = [try product()]
    while skip("~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try node(.concatenation(parts), line, parts)
  }

  private mutating func product() throws -> Expression {
    let line = line
    var left = try power()
    while case .symbol(let symbol) = current, ["*", "/", "//", "%"].contains(symbol) {
      advance()
      let right = try power()
      left = try node(.binary(symbol, left, right), line, [left, right])
    }
    return left
  }

  private mutating func power() throws -> Expression {
    let line = line
    var left = try unary(withFilters: true)
    while skip("**") {
      let right = try unary(withFilters: true)
      left = try node(.binary("**", left, right), line, [left, right])
    }
    return left
  }

  private mutating func unary(withFilters: Bool) throws -> Expression {
    expressionNesting += 1
    defer { expressionNesting -= 1 }
    guard expressionNesting <= 60 else { throw wrong("expressions are nested more than 60 deep") }
    let line = line
    var result: Expression
    if case .symbol(let symbol) = current, symbol == "-" || symbol == "+" {
      advance()
      let operand = try unary(withFilters: false)
      result = try node(.unary(symbol, operand), line, [operand])
    } else {
      result = try postfix(primary())
    }
    return withFilters ? try filters(result) : result
  }

  // MARK: Operands

  private mutating func primary() throws -> Expression {
    let line = line
    switch current {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return try node(.literal(.bool(true)), line, [])
      case "false", "False": return try node(.literal(.bool(false)), line, [])
      case "none", "None": return try node(.literal(.none), line, [])
      default: return try node(.name(name), line, [])
      }
    case .string(var text):
      advance()
      while case .string(let more) = current {
        text += more
        advance()
      }
      return try node(.literal(.string(text)), line, [])
    case .integer(let integer):
      advance()
      return try node(.literal(.integer(integer)), line, [])
    case .number(let number):
      advance()
      return try node(.literal(.number(number)), line, [])
    case .symbol("("):
      advance()
      if skip(")") { return try node(.list([], isTuple: true), line, []) }
      let result = try tuple()
      try expect(")")
      return result
    case .symbol("["):
      advance()
      var elements: [Expression] = []
      while !skip("]") {
        if !elements.isEmpty {
          try expect(",")
          if skip("]") { break }
        }
        elements.append(try expression())
      }
      return try node(.list(elements, isTuple: false), line, elements)
    case .symbol("{"):
      advance()
      var entries: [(key: Expression, value: Expression)] = []
      while !skip("}") {
        if !entries.isEmpty {
          try expect(",")
          if skip("}") { break }
        }
        let key = try expression()
        try expect(":")
        entries.append((key, try expression()))
      }
      return try node(.dictionary(entries), line, entries.flatMap { [$0.key, $0.value] })
    default: throw wrong("a value is expected, not \(described(current))")
    }
  }

  private mutating func postfix(_ operand: Expression) throws -> Expression {
    var result = operand
    while case .symbol(let symbol) = current {
      let line = line
      switch symbol {
      case ".":
        advance()
        if case .integer(let index) = current {
          advance()
          let key = try node(.literal(.integer(index)), line, [])
          result = try node(.subscripted(result, key), line, [result, key])
        } else {
          result = try node(.attribute(result, try name("the name of an attribute")), line, [result])
        }
      case "[":
        advance()
        result = try subscription(result, line)
      case "(":
        let arguments = try arguments()
        result = try node(.call(result, arguments), line, [result] + arguments.all)
      default: return result
      }
    }
    return result
  }

  private mutating func subscription(_ base: Expression, _ line: Int) throws -> Expression {
    var parts: [Expression?] = [nil, nil, nil]
    var index = 0
    while current != .symbol("]") {
      if skip(":") {
        index += 1
        guard index <= 2 else { throw wrong("a slice has three parts at most") }
      } else {
        guard parts[index] == nil else { throw wrong("] is expected, not \(described(current))") }
        parts[index] = index == 0 ? try tuple() : try expression()
      }
    }
    try expect("]")
    if index == 0 {
      guard let key = parts[0] else { throw wrong("an index is expected", line: line) }
      return try node(.subscripted(base, key), line, [base, key])
    }
    return try node(.slice(base, start: parts[0], stop: parts[1], step: parts[2]), line, [base] + parts)
  }

  mutating func arguments() throws -> Expression.Arguments {
    try expect("(")
    var result = Expression.Arguments()
    var isFirst = true
    while !skip(")") {
      if !isFirst {
        try expect(",")
        if skip(")") { break }
      }
      isFirst = false
      if current == .symbol("*") || current == .symbol("**") {
        throw wrong("arguments from a list (\(described(current))) are not supported", hint: "write them out")
      }
      if case .name(let name) = current, tokens[position + 1].kind == .symbol("=") {
        advance()
        advance()
        result.named.append((name, try expression()))
      } else {
        guard result.named.isEmpty else { throw wrong("an argument without a name follows one with a name") }
        result.positional.append(try expression())
      }
    }
    return result
  }

  mutating func filterName() throws -> String {
    let line = line
    let name = try name("the name of a filter")
    guard TemplateFilters.names.contains(name) else {
      throw wrong(
        "there is no filter \"\(name)\"",
        hint: "filters are " + TemplateFilters.names.sorted().joined(separator: ", "), line: line)
    }
    return name
  }

  /// Filters, tests and calls behind an operand.
  private mutating func filters(_ operand: Expression) throws -> Expression {
    var result = operand
    while true {
      let line = line
      if skip("|") {
        let name = try filterName()
        let arguments = current == .symbol("(") ? try arguments() : .init()
        result = try node(.filter(result, name, arguments), line, [result] + arguments.all)
      } else if skip(name: "is") {
        result = try test(result, line)
      } else if current == .symbol("(") {
        let arguments = try arguments()
        result = try node(.call(result, arguments), line, [result] + arguments.all)
      } else {
        return result
      }
    }
  }

  private mutating func test(_ operand: Expression, _ line: Int) throws -> Expression {
    let isNegated = skip(name: "not")
    let name = try name("the name of a test")
    guard TemplateTests.names.contains(name) else {
      throw wrong(
        "there is no test \"\(name)\"",
        hint: "tests are " + TemplateTests.names.sorted().joined(separator: ", "),
        line: line)
    }
    var arguments = Expression.Arguments()
    switch current {
    case .symbol("("): arguments = try self.arguments()
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw wrong("tests cannot be chained with \"is\"")
    case .name("if"), .name("in"), .name("not"), .name("recursive"): break
    case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
      arguments.positional = [try postfix(primary())]
    default: break
    }
    return try node(.test(operand, name, arguments, isNegated: isNegated), line, [operand] + arguments.all)
  }
}
