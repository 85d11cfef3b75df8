/// Makes statements of tokens.
struct TemplateParser {
  /// Of statements within statements.
  static let largestNesting = 60

  private(set) var tokens: [TemplateLexer.Token]
  var position = 0
  private var nesting = 0
  /// Of expressions being read: each costs several frames of the stack.
  var expressionNesting = 0

  /// - Throws: `TemplateError`.
  static func parse(_ source: String) throws -> [Statement] {
    var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: source))
    let (body, _) = try parser.body(until: [], of: "the template", from: 1)
    return body
  }

  private init(tokens: [TemplateLexer.Token]) { self.tokens = tokens }

  // MARK: Tokens

  var current: TemplateLexer.Kind { tokens[position].kind }
  var line: Int { tokens[position].line }

  func wrong(_ message: String, hint: String? = nil, line: Int? = nil) -> TemplateError {
    TemplateError(line: line ?? self.line, message: message, hint: hint)
  }

  mutating func advance() { if position < tokens.count - 1 { position += 1 } }

  mutating func skip(_ symbol: String) -> Bool {
    guard current == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func skip(name: String) -> Bool {
    guard current == .name(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ symbol: String) throws {
    guard skip(symbol) else { throw wrong("\(symbol) is expected, not \(described(current))") }
  }

  mutating func name(_ what: String) throws -> String {
    guard case .name(let name) = current else {
      throw wrong("\(what) is expected, not \(described(current))")
    }
    advance()
    return name
  }

  func described(_ kind: TemplateLexer.Kind) -> String {
    switch kind {
    case .text: "text"
    case .outputBegin: "{{"
    case .outputEnd: "}}"
    case .blockBegin: "{%"
    case .blockEnd: "%}"
    case .name(let name): "\"\(name)\""
    case .string(let text): Value.quoted(String(text.prefix(40)))
    case .integer(let integer): String(integer)
    case .number(let number): String(number)
    case .symbol(let symbol): symbol
    case .end: "the end of the template"
    }
  }

  private mutating func endBlock() throws {
    guard current == .blockEnd else { throw wrong("%} is expected, not \(described(current))") }
    advance()
  }

  // MARK: Statements

  /// Statements up to a tag that begins with one of `ends`, whose name is read.
  private mutating func body(until ends: [String], of what: String, from start: Int) throws
    -> (body: [Statement], end: String)
  {
    nesting += 1
    guard nesting <= Self.largestNesting else {
      throw wrong("tags are nested more than \(Self.largestNesting) deep")
    }
    defer { nesting -= 1 }
    var statements: [Statement] = []
    while true {
      switch current {
      case .text(let text):
        statements.append(.text(text))
        advance()
      case .outputBegin:
        advance()
        statements.append(.output(try tuple()))
        guard current == .outputEnd else { throw wrong("}} is expected, not \(described(current))") }
        advance()
      case .blockBegin:
        advance()
        let line = line
        let name = try name("the name of a tag")
        if ends.contains(name) { return (statements, name) }
        statements.append(try statement(name, line))
      case .end:
        if ends.isEmpty { return (statements, "") }
        throw wrong(
          "\(what) of line \(start) is not closed", hint: "write {% \(ends.last!) %}")
      default: throw wrong("\(described(current)) is not expected here")
      }
    }
  }

  private mutating func statement(_ name: String, _ line: Int) throws -> Statement {
    switch name {
    case "if": return try conditional(line)
    case "for": return try loop(line)
    case "set": return try assignment(line)
    case "macro":
      let name = try self.name("the name of the macro")
      let macro = try macro(name, line, end: "endmacro")
      return .macro(macro)
    case "call":
      let parameters = current == .symbol("(") ? try self.parameters() : []
      let call = try expression()
      guard case .call = call.kind else { throw wrong("a call is expected", line: line) }
      try endBlock()
      let (body, _) = try self.body(until: ["endcall"], of: "call", from: line)
      try endBlock()
      return .call(call, Macro(name: "caller", parameters: parameters, body: body, line: line))
    case "filter":
      let filters = try filterSteps(first: true)
      try endBlock()
      let (body, _) = try self.body(until: ["endfilter"], of: "filter", from: line)
      try endBlock()
      return .filtered(filters, body: body, line: line)
    case "generation":
      try endBlock()
      let (body, _) = try self.body(until: ["endgeneration"], of: "generation", from: line)
      try endBlock()
      return .group(body)
    case "break":
      try endBlock()
      return .breakLoop(line: line)
    case "continue":
      try endBlock()
      return .continueLoop(line: line)
    default:
      throw wrong(
        name.hasPrefix("end") || name == "else" || name == "elif"
          ? "{% \(name) %} closes nothing that was opened" : "the tag \"\(name)\" is not supported",
        hint: "supported are if, for, set, macro, call, filter, raw, generation, break and continue",
        line: line)
    }
  }

  private mutating func conditional(_ line: Int) throws -> Statement {
    var branches: [(condition: Expression, body: [Statement])] = []
    var condition = try tuple()
    while true {
      try endBlock()
      let (body, end) = try self.body(until: ["elif", "else", "endif"], of: "if", from: line)
      branches.append((condition, body))
      switch end {
      case "elif": condition = try tuple()
      case "else":
        try endBlock()
        let (otherwise, _) = try self.body(until: ["endif"], of: "if", from: line)
        try endBlock()
        return .conditional(branches, otherwise: otherwise)
      default:
        try endBlock()
        return .conditional(branches, otherwise: [])
      }
    }
  }

  private mutating func loop(_ line: Int) throws -> Statement {
    let target = try target()
    guard skip(name: "in") else { throw wrong("\"in\" is expected, not \(described(current))") }
    let iterated = try tuple(withConditional: false)
    let condition = skip(name: "if") ? try expression() : nil
    let isRecursive = skip(name: "recursive")
    try endBlock()
    let (body, end) = try self.body(until: ["else", "endfor"], of: "for", from: line)
    try endBlock()
    var otherwise: [Statement] = []
    if end == "else" {
      otherwise = try self.body(until: ["endfor"], of: "for", from: line).body
      try endBlock()
    }
    return .loop(
      ForLoop(
        target: target, iterated: iterated, condition: condition, isRecursive: isRecursive, body: body,
        otherwise: otherwise, line: line))
  }

  private mutating func assignment(_ line: Int) throws -> Statement {
    let target = try target(withAttributes: true)
    if skip("=") {
      let value = try tuple()
      try endBlock()
      return .assign(target, value)
    }
    guard case .name(let name) = target else { throw wrong("= is expected, not \(described(current))") }
    let filters = try filterSteps(first: false)
    try endBlock()
    let (body, _) = try self.body(until: ["endset"], of: "set", from: line)
    try endBlock()
    return .capture(name: name, filters: filters, body: body, line: line)
  }

  /// `a`, `a.b`, `a, b` or `(a, b), c`
  private mutating func target(withAttributes: Bool = false) throws -> Target {
    var parts: [Target] = []
    var isTuple = false
    repeat {
      if !parts.isEmpty || isTuple { if case .name("in") = current { break } }
      if skip("(") {
        expressionNesting += 1
        guard expressionNesting <= 40 else { throw wrong("names are nested too deep") }
        parts.append(try target())
        expressionNesting -= 1
        try expect(")")
      } else {
        let name = try name("a name")
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
          throw wrong("\(name) cannot be given a value")
        }
        if withAttributes, parts.isEmpty, skip(".") {
          return .attribute(name, try self.name("the name of an attribute"))
        }
        parts.append(.name(name))
      }
      guard skip(",") else { break }
      isTuple = true
    } while true
    return isTuple ? .several(parts) : parts[0]
  }

  private mutating func macro(_ name: String, _ line: Int, end: String) throws -> Macro {
    let parameters = try parameters()
    try endBlock()
    let (body, _) = try self.body(until: [end], of: "macro", from: line)
    try endBlock()
    return Macro(name: name, parameters: parameters, body: body, line: line)
  }

  private mutating func parameters() throws -> [(name: String, standard: Expression?)] {
    try expect("(")
    var parameters: [(name: String, standard: Expression?)] = []
    while !skip(")") {
      if !parameters.isEmpty { try expect(",") }
      let name = try name("the name of a parameter")
      parameters.append((name, skip("=") ? try expression() : nil))
    }
    return parameters
  }

  private mutating func filterSteps(first: Bool) throws -> [FilterStep] {
    var steps: [FilterStep] = []
    while (first && steps.isEmpty) || skip("|") {
      let name = try filterName()
      steps.append(FilterStep(name: name, arguments: current == .symbol("(") ? try arguments() : .init()))
    }
    return steps
  }
}
