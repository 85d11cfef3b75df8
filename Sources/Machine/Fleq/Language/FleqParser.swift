/// Reads the tokens of a FLEQ program by recursive descent; operators by precedence climbing.
struct FleqParser {
  private typealias Syntax = FleqSyntax
  private static let precedences: [String: Int] = [
    "or": 1, "and": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5, "/": 5,
    ".*": 5,
  ]

  private let source: FleqSource
  private let limits: FleqCompiler.Limits
  private let tokens: [FleqToken]
  private var position = 0
  private var depth = 0

  /// - Throws: `SourceError`.
  static func parse(_ source: FleqSource, limits: FleqCompiler.Limits) throws -> [FleqSyntax.Statement] {
    var parser = FleqParser(
      source: source, limits: limits, tokens: try FleqLexer.tokens(of: source, limits: limits))
    let statements = try parser.statements(until: .end)
    return statements
  }

  private init(source: FleqSource, limits: FleqCompiler.Limits, tokens: [FleqToken]) {
    self.source = source
    self.limits = limits
    self.tokens = tokens
  }

  // MARK: Tokens

  private var token: FleqToken { tokens[position] }

  private func unexpected(_ wanted: String, hint: String? = nil) -> SourceError {
    let found =
      switch token.kind {
      case .end: "the end of the text"
      case .newline: "the end of the line"
      default: "'\(String(decoding: source.bytes[token.offset..<token.end].prefix(40), as: UTF8.self))'"
      }
    return source.error("\(wanted) expected, not \(found)", at: token.offset, hint: hint)
  }

  private mutating func accept(_ kind: FleqToken.Kind) -> Bool {
    guard token.kind == kind else { return false }
    if kind != .end { position += 1 }
    return true
  }

  private mutating func expect(_ symbol: String) throws {
    guard accept(.symbol(symbol)) else { throw unexpected("'\(symbol)'") }
  }

  private mutating func name(_ what: String) throws -> String {
    guard case .name(let text) = token.kind else {
      if case .keyword(let word) = token.kind {
        throw unexpected(what, hint: "'\(word)' is a word of the language; choose another name")
      }
      throw unexpected(what)
    }
    position += 1
    return text
  }

  private mutating func nested<Result>(_ body: (inout FleqParser) throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.nesting else { throw tooDeep(at: token.offset) }
    return try body(&self)
  }

  private func tooDeep(at offset: Int) -> SourceError {
    source.error(
      "more than \(limits.nesting) levels of nesting", at: offset, hint: "name a part of it with let")
  }

  // MARK: Statements

  private mutating func statements(until end: FleqToken.Kind) throws -> [FleqSyntax.Statement] {
    var statements: [FleqSyntax.Statement] = []
    while true {
      while accept(.newline) {}
      if accept(end) { return statements }
      if token.kind == .keyword("return") && end != .end { return statements }
      statements.append(try statement())
      guard token.kind == end || accept(.newline) else { throw unexpected("the end of the statement") }
    }
  }

  private mutating func block() throws -> [FleqSyntax.Statement] {
    try nested { parser in
      guard parser.accept(.symbol("{")) else { throw parser.unexpected("'{'") }
      let body = try parser.statements(until: .symbol("}"))
      if parser.token.kind == .keyword("return") {
        throw parser.source.error("return is the last statement of a function", at: parser.token.offset)
      }
      return body
    }
  }

  private mutating func statement() throws -> FleqSyntax.Statement {
    let offset = token.offset
    func made(_ kind: FleqSyntax.Statement.Kind) -> FleqSyntax.Statement { .init(kind: kind, offset: offset) }
    guard case .keyword(let word) = token.kind else {
      let target = try name("a statement")
      guard accept(.symbol("=")) else {
        throw unexpected("'='", hint: "declare variables with let or var, set them with =")
      }
      return made(.assignment(name: target, try expression()))
    }
    position += 1
    switch word {
    case "let", "var":
      let name = try name("a name")
      try expect("=")
      return made(.declaration(name: name, isMutable: word == "var", try expression()))
    case "data": return made(try data())
    case "func": return made(.function(try function()))
    case "if": return made(try branch())
    case "while": return made(.loop(while: try expression(), try block()))
    case "repeat": return made(.repetition(try expression(), try block()))
    case "for": return made(try each())
    case "return": throw source.error("return outside of a function", at: offset)
    default:
      throw source.error(
        "'\(word)' does not start a statement", at: offset,
        hint: word == "else" ? "else stands on the line of the '}' before it" : nil)
    }
  }

  /// `if a > b { … } else if … { … } else { … }`
  private mutating func branch() throws -> FleqSyntax.Statement.Kind {
    let condition = try expression()
    let then = try block()
    guard accept(.keyword("else")) else { return .branch(condition, then: then, otherwise: []) }
    let offset = token.offset
    guard accept(.keyword("if")) else { return .branch(condition, then: then, otherwise: try block()) }
    let inner = try nested { try $0.branch() }
    return .branch(condition, then: then, otherwise: [.init(kind: inner, offset: offset)])
  }

  /// `for x in inputs, y in targets { … }`
  private mutating func each() throws -> FleqSyntax.Statement.Kind {
    var pairs: [(variable: String, list: String, offset: Int)] = []
    repeat {
      let variable = try name("a name")
      guard accept(.keyword("in")) else { throw unexpected("'in'") }
      let offset = token.offset
      pairs.append((variable, try name("the name of data"), offset))
    } while accept(.symbol(","))
    return .each(pairs, try block())
  }

  /// `data inputs = [1, 2], [3, 4]`
  private mutating func data() throws -> FleqSyntax.Statement.Kind {
    let name = try name("a name")
    try expect("=")
    var items: [FleqMatrix] = []
    repeat {
      let offset = token.offset
      let item = token.kind == .symbol("[") ? try matrix() : FleqMatrix(try number())
      guard items.isEmpty || items[0].shape == item.shape else {
        throw source.error("this item is \(item.shape), the first is \(items[0].shape)", at: offset)
      }
      items.append(item)
    } while accept(.symbol(","))
    return .data(name: name, items)
  }

  /// `func name(x: scalar, y) { … return expression }`
  private mutating func function() throws -> FleqSyntax.Function {
    let name = try name("the name of the function")
    try expect("(")
    var parameters: [(name: String, mustBeScalar: Bool)] = []
    while !accept(.symbol(")")) {
      if !parameters.isEmpty { try expect(",") }
      let parameter = try self.name("the name of a parameter")
      let isTyped = accept(.symbol(":"))
      if isTyped {
        guard accept(.name("scalar")) else { throw unexpected("scalar") }
      }
      parameters.append((parameter, isTyped))
    }
    return try nested { parser in
      try parser.expect("{")
      let body = try parser.statements(until: .symbol("}"))
      guard parser.accept(.keyword("return")) else {
        throw parser.source.error(
          "function \(name) returns nothing", at: parser.tokens[parser.position - 1].offset,
          hint: "its last statement is return")
      }
      let result = try parser.expression()
      while parser.accept(.newline) {}
      guard parser.accept(.symbol("}")) else {
        throw parser.unexpected("'}'", hint: "return is the last statement of a function")
      }
      return FleqSyntax.Function(
        name: name, parameters: parameters, body: body, result: result, source: parser.source)
    }
  }

  // MARK: Expressions

  private func made(
    _ kind: FleqSyntax.Expression.Kind, at offset: Int, over parts: [FleqSyntax.Expression] = []
  ) throws -> FleqSyntax.Expression {
    let depth = 1 + (parts.map(\.depth).max() ?? 0)
    guard depth <= limits.nesting else { throw tooDeep(at: offset) }
    return .init(kind: kind, offset: offset, depth: depth)
  }

  private mutating func expression(above precedence: Int = 0) throws -> FleqSyntax.Expression {
    try nested { parser in
      var left = try parser.operand()
      while true {
        let text: String
        switch parser.token.kind {
        case .symbol(let symbol): text = symbol
        case .keyword(let word): text = word
        default: return left
        }
        guard let strength = Self.precedences[text], strength > precedence else { return left }
        let offset = parser.token.offset
        parser.position += 1
        let right = try parser.expression(above: strength)
        left = try parser.made(.binary(text, left, right), at: offset, over: [left, right])
      }
    }
  }

  /// A prefix operator and what it applies to, or a primary expression with its `'` and `%`.
  private mutating func operand() throws -> FleqSyntax.Expression {
    let offset = token.offset
    if accept(.symbol("-")) {
      let value = try nested { try $0.operand() }
      return try made(.negation(value), at: offset, over: [value])
    }
    if accept(.keyword("not")) {
      let value = try expression(above: 2)
      return try made(.not(value), at: offset, over: [value])
    }
    var value = try primary()
    while true {
      let offset = token.offset
      if accept(.symbol("'")) {
        value = try made(.transpose(value), at: offset, over: [value])
      } else if accept(.symbol("%")) {
        value = try made(.percent(value), at: offset, over: [value])
      } else {
        return value
      }
    }
  }

  private mutating func primary() throws -> FleqSyntax.Expression {
    let offset = token.offset
    switch token.kind {
    case .number(let value):
      position += 1
      return try made(.number(value), at: offset)
    case .symbol("["): return try made(.matrix(try matrix()), at: offset)
    case .symbol("("):
      position += 1
      let value = try expression()
      try expect(")")
      return value
    case .name(let name):
      position += 1
      guard accept(.symbol("(")) else { return try made(.name(name), at: offset) }
      var arguments: [FleqSyntax.Expression] = []
      while !accept(.symbol(")")) {
        if !arguments.isEmpty { try expect(",") }
        arguments.append(try expression())
      }
      return try made(.call(name, arguments), at: offset, over: arguments)
    default: throw unexpected("a value")
    }
  }

  // MARK: Literals

  private mutating func number() throws -> Double {
    let isNegative = accept(.symbol("-"))
    guard case .number(let value) = token.kind else {
      throw unexpected("a number", hint: "matrices and data are made of numbers, not of expressions")
    }
    position += 1
    return isNegative ? -value : value
  }

  /// `[1, 2]`, a column vector, or `[[1, 2], [3, 4]]`, row by row.
  private mutating func matrix() throws -> FleqMatrix {
    let start = token.offset
    try expect("[")
    var rows: [[Double]] = []
    let isMatrix = token.kind == .symbol("[")
    repeat {
      let offset = token.offset
      rows.append(isMatrix ? try row() : [try number()])
      guard rows[0].count == rows.last!.count else {
        throw source.error("this row has \(rows.last!.count) entries, the first \(rows[0].count)", at: offset)
      }
    } while accept(.symbol(","))
    try expect("]")
    let most = FleqCompiler.largestBlock
    guard rows.count <= most && rows[0].count <= most else {
      throw source.error("a matrix has at most \(most) rows and columns", at: start)
    }
    return FleqMatrix(rows: rows)
  }

  private mutating func row() throws -> [Double] {
    try expect("[")
    var entries: [Double] = []
    repeat { entries.append(try number()) } while accept(.symbol(","))
    try expect("]")
    return entries
  }
}
