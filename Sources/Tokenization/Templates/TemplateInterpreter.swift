import Foundation

/// Names and what they mean, within what surrounds them.
final class Scope {
  private var values: [String: Value] = [:]
  private let parent: Scope?

  init(_ parent: Scope?) { self.parent = parent }

  subscript(_ name: String) -> Value? {
    get {
      var scope: Scope? = self
      while let here = scope {
        if let value = here.values[name] { return value }
        scope = here.parent
      }
      return nil
    }
    set { values[name] = newValue }
  }
}

/// Arguments of a call, computed.
struct CallArguments {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []

  /// The argument at a place or of a name; `nil` if it was not given.
  func value(_ index: Int, _ name: String) -> Value? {
    index < positional.count ? positional[index] : named.first { $0.name == name }?.value
  }
}

/// Runs a template once.
///
/// Every template ends: what it does, how deep it goes and how much text it makes are counted and limited.
final class TemplateInterpreter {
  /// Evaluations and loop turns; a long chat needs some ten thousand.
  static let largestWork = 3_000_000
  /// Bytes of all texts made on the way.
  static let largestText = 256 << 20
  static let largestOutput = 64 << 20
  /// Of calls, statements and expressions within one another.
  static let largestDepth = 400

  private var work = 0
  private var made = 0
  private var depth = 0
  private(set) var output = ""
  /// Of macros and recursive loops that run.
  private var loops: [(ForLoop, Scope)] = []
  let now: Date

  enum Flow { case next, breakLoop, continueLoop }

  init(now: Date) { self.now = now }

  func wrong(_ line: Int, _ message: String, hint: String? = nil) -> TemplateError {
    TemplateError(line: line, message: message, hint: hint)
  }

  func spend(_ amount: Int, _ line: Int) throws {
    work += amount
    guard work <= Self.largestWork else {
      throw wrong(
        line, "the template does more than \(Self.largestWork) steps", hint: "does it count to a huge number?"
      )
    }
  }

  /// Counts the text that a value holds.
  func spend(text bytes: Int, _ line: Int) throws {
    made += bytes
    guard made <= Self.largestText else {
      throw wrong(line, "the template makes more than \(Self.largestText >> 20) MiB of text")
    }
  }

  private func nested<Result>(_ line: Int, _ body: () throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.largestDepth else {
      throw wrong(
        line, "calls and loops are nested too deep", hint: "does a macro call itself without an end?")
    }
    return try body()
  }

  // MARK: Statements

  func run(_ statements: [Statement], _ scope: Scope) throws -> Flow {
    for statement in statements {
      let flow = try run(statement, scope)
      if flow != .next { return flow }
    }
    return .next
  }

  private func write(_ text: String, _ line: Int) throws {
    output += text
    guard output.utf8.count <= Self.largestOutput else {
      throw wrong(line, "the template writes more than \(Self.largestOutput >> 20) MiB")
    }
  }

  private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
    switch statement {
    case .text(let text):
      try spend(1 + text.utf8.count / 64, 0)
      try write(text, 0)
    case .output(let expression):
      let value = try evaluate(expression, scope)
      try write(text(of: value, expression.line), expression.line)
    case .conditional(let branches, let otherwise):
      return try nested(branches[0].condition.line) {
        for branch in branches where try evaluate(branch.condition, scope).isTrue {
          return try run(branch.body, scope)
        }
        return try run(otherwise, scope)
      }
    case .loop(let loop): return try nested(loop.line) { try run(loop, scope) }
    case .assign(let target, let expression):
      try assign(target, evaluate(expression, scope), scope, expression.line)
    case .capture(let name, let filters, let body, let line):
      let text = try nested(line) { try captured(body, Scope(scope)) }
      scope[name] = try filtered(.string(text), filters, scope, line)
    case .macro(let macro): scope[macro.name] = .macro(.init(macro, scope))
    case .call(let call, let body):
      guard case .call(let function, let arguments) = call.kind else { return .next }
      let caller = Value.macro(.init(body, scope))
      let value = try self.call(
        evaluate(function, scope), computed(arguments, scope), call.line, caller: caller)
      try write(value.text, call.line)
    case .filtered(let filters, let body, let line):
      let text = try nested(line) { try captured(body, Scope(scope)) }
      try write(filtered(.string(text), filters, scope, line).text, line)
    case .breakLoop(let line):
      guard !loops.isEmpty else { throw wrong(line, "break stands in no loop") }
      return .breakLoop
    case .continueLoop(let line):
      guard !loops.isEmpty else { throw wrong(line, "continue stands in no loop") }
      return .continueLoop
    case .group(let body): return try nested(0) { try run(body, Scope(scope)) }
    }
    return .next
  }

  /// `str(value)`, counted.
  func text(of value: Value, _ line: Int) throws -> String {
    if case .string(let text) = value { return text }
    let text = value.text
    try spend(text: text.utf8.count, line)
    return text
  }

  private func captured(_ body: [Statement], _ scope: Scope) throws -> String {
    let before = output
    output = ""
    defer { output = before }
    _ = try run(body, scope)
    try spend(text: output.utf8.count, 0)
    return output
  }

  private func filtered(_ value: Value, _ filters: [FilterStep], _ scope: Scope, _ line: Int) throws -> Value
  {
    try filters.reduce(value) {
      try TemplateFilters.apply($1.name, $0, computed($1.arguments, scope), self, line)
    }
  }

  func assign(_ target: Target, _ value: Value, _ scope: Scope, _ line: Int) throws {
    switch target {
    case .name(let name): scope[name] = value
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace)? = scope[name] else {
        throw wrong(
          line, "\"\(name)\" is no namespace, so its \"\(attribute)\" cannot be set",
          hint: "make it with {% set \(name) = namespace(\(attribute)=…) %}")
      }
      namespace.members[attribute] = value
    case .several(let targets):
      let elements = try self.elements(of: value, line)
      guard elements.count == targets.count else {
        throw wrong(line, "\(elements.count) values are given to \(targets.count) names")
      }
      for (target, element) in zip(targets, elements) { try assign(target, element, scope, line) }
    }
  }

  private func run(_ loop: ForLoop, _ scope: Scope) throws -> Flow {
    try run(loop, over: evaluate(loop.iterated, scope), scope)
    return .next
  }

  private func run(_ loop: ForLoop, over iterated: Value, _ scope: Scope, depth: Int = 1) throws {
    var items = try elements(of: iterated, loop.line)
    if let condition = loop.condition {
      items = try items.filter { item in
        let inner = Scope(scope)
        try assign(loop.target, item, inner, loop.line)
        return try evaluate(condition, inner).isTrue
      }
    }
    loops.append((loop, scope))
    defer { loops.removeLast() }
    let value = Value.LoopValue(items, depth: depth)
    var isComplete = false
    for (index, item) in items.enumerated() {
      try spend(1, loop.line)
      value.index = index
      let inner = Scope(scope)
      inner["loop"] = .loop(value)
      try assign(loop.target, item, inner, loop.line)
      let flow = try run(loop.body, inner)
      if flow == .breakLoop { break }
      if flow == .next { isComplete = true }
    }
    // As jinja2 has it: also when break or continue ended every turn before its end.
    if !isComplete { _ = try run(loop.otherwise, Scope(scope)) }
  }

  /// What a loop goes over.
  func elements(of value: Value, _ line: Int) throws -> [Value] {
    switch value {
    case .undefined: return []
    case .list(let elements, _), .view(let elements, _): return elements
    case .dictionary(let members): return members.entries.map(\.key)
    case .string(let text):
      try spend(text.unicodeScalars.count, line)
      return text.unicodeScalars.map { .string(String($0)) }
    default:
      throw wrong(line, "\(value.kind) cannot be gone over", hint: "only lists, mappings and strings can")
    }
  }

  // MARK: Calls

  func computed(_ arguments: Expression.Arguments, _ scope: Scope) throws -> CallArguments {
    CallArguments(
      positional: try arguments.positional.map { try evaluate($0, scope) },
      named: try arguments.named.map { ($0.name, try evaluate($0.value, scope)) })
  }

  func call(_ function: Value, _ arguments: CallArguments, _ line: Int, caller: Value? = nil) throws -> Value
  {
    try nested(line) {
      switch function {
      case .macro(let value): return try call(value, arguments, line, caller)
      case .function(let name): return try TemplateFunctions.call(name, arguments, self, line)
      case .method(let receiver, let name):
        return try TemplateMethods.call(name, receiver, arguments, self, line)
      case .loop(let loop): return try recurse(loop, arguments, line)
      case .undefined(let name):
        throw wrong(line, "there is no function \"\(name)\"", hint: "functions are \(TemplateFunctions.list)")
      default: throw wrong(line, "\(function.kind) is no function")
      }
    }
  }

  private func call(
    _ value: Value.MacroValue, _ arguments: CallArguments, _ line: Int, _ caller: Value?
  ) throws -> Value {
    let macro = value.macro
    guard arguments.positional.count <= macro.parameters.count else {
      throw wrong(
        line,
        "the macro \"\(macro.name)\" takes \(macro.parameters.count) arguments, not "
          + "\(arguments.positional.count)")
    }
    for (name, _) in arguments.named where !macro.parameters.contains(where: { $0.name == name }) {
      throw wrong(line, "the macro \"\(macro.name)\" has no parameter \"\(name)\"")
    }
    let scope = Scope(value.scope)
    for (index, parameter) in macro.parameters.enumerated() {
      if let value = arguments.value(index, parameter.name) {
        scope[parameter.name] = value
      } else if let standard = parameter.standard {
        scope[parameter.name] = try evaluate(standard, scope)
      } else {
        scope[parameter.name] = .undefined(parameter.name)
      }
    }
    if let caller { scope["caller"] = caller }
    let outer = loops
    loops = []
    defer { loops = outer }
    return .string(try captured(macro.body, scope))
  }

  /// `loop(items)` in a recursive loop: its body, over other items.
  private func recurse(_ loop: Value.LoopValue, _ arguments: CallArguments, _ line: Int) throws -> Value {
    guard let items = arguments.positional.first, let (current, scope) = loops.last, current.isRecursive
    else {
      throw wrong(line, "loop(…) needs a loop that is marked recursive, and what to go over")
    }
    let before = output
    output = ""
    defer { output = before }
    try run(current, over: items, scope, depth: loop.depth + 1)
    try spend(text: output.utf8.count, line)
    return .string(output)
  }

  // MARK: Expressions

  func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
    try spend(1, expression.line)
    return try nested(expression.line) {
      switch expression.kind {
      case .literal(let value): return Value(value)
      case .name(let name):
        return scope[name] ?? (TemplateFunctions.names.contains(name) ? .function(name) : .undefined(name))
      case .attribute, .subscripted, .slice: return try access(expression, scope)
      case .call(let function, let arguments):
        return try call(evaluate(function, scope), computed(arguments, scope), expression.line)
      case .filter(let operand, let name, let arguments):
        return try TemplateFilters.apply(
          name, evaluate(operand, scope), computed(arguments, scope), self, expression.line)
      case .test(let operand, let name, let arguments, let isNegated):
        let result = try TemplateTests.apply(
          name, evaluate(operand, scope), computed(arguments, scope), self, expression.line)
        return .bool(result != isNegated)
      case .conditional(let condition, let then, let otherwise):
        if try evaluate(condition, scope).isTrue { return try evaluate(then, scope) }
        return try otherwise.map { try evaluate($0, scope) } ?? .undefined("the missing else")
      case .list, .dictionary, .concatenation: return try compose(expression, scope)
      case .unary, .binary, .comparison: return try operate(expression, scope)
      }
    }
  }

  private func compose(_ expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .list(let elements, let isTuple):
      return .list(try elements.map { try evaluate($0, scope) }, isTuple: isTuple)
    case .dictionary(let entries):
      var members = Value.Members()
      for entry in entries {
        let key = try evaluate(entry.key, scope)
        members[key] = try evaluate(entry.value, scope)
      }
      return .dictionary(members)
    case .concatenation(let parts):
      var result = ""
      for part in parts { result += try text(of: evaluate(part, scope), expression.line) }
      try spend(text: result.utf8.count, expression.line)
      return .string(result)
    default: return .none
    }
  }
}
