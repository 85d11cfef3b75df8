/// Resolves names, checks shapes and writes functions out at every call (they are templates: shapes are those of the
/// arguments). The only arithmetic done here is on literals: signs, percentages, and x / 4 as x · 0.25.
struct FleqElaborator {
  typealias Value = FleqElaboration.Value
  typealias Condition = FleqElaboration.Condition
  typealias Step = FleqElaboration.Step
  typealias Shape = FleqMatrix.Shape
  typealias Expression = FleqSyntax.Expression

  enum Meaning {
    case value(Value, isMutable: Bool)
    case list(Int)
  }

  let limits: FleqCompiler.Limits
  var output = FleqElaboration()
  /// The program's functions, and the standard ones, which see only each other.
  private(set) var functions: [String: FleqSyntax.Function] = [:]
  let standard: [String: FleqSyntax.Function]
  /// Innermost last. A function sees its parameters and locals only.
  var scopes: [[String: Meaning]] = [[:]]
  /// The functions being written out.
  var calls: [FleqSyntax.Function] = []
  var source: FleqSource
  /// The place in the program, for steps of the standard functions too.
  private(set) var line = 1
  private var lineStart = 0
  private var nodes = 0
  private var depth = 0

  /// - Throws: `SourceError`.
  static func elaborate(
    _ statements: [FleqSyntax.Statement], source: FleqSource, standard: [FleqSyntax.Statement],
    limits: FleqCompiler.Limits
  ) throws -> FleqElaboration {
    var functions: [String: FleqSyntax.Function] = [:]
    for case .function(let function) in standard.map(\.kind) { functions[function.name] = function }
    var elaborator = FleqElaborator(limits: limits, standard: functions, source: source)
    elaborator.output.steps = try elaborator.steps(statements)
    return elaborator.output
  }

  private init(limits: FleqCompiler.Limits, standard: [String: FleqSyntax.Function], source: FleqSource) {
    self.limits = limits
    self.standard = standard
    self.source = source
  }

  func error(_ message: String, at offset: Int, hint: String? = nil) -> SourceError {
    source.error(
      message, at: offset, hint: hint ?? calls.last.map { "in \($0.name), called in line \(line)" })
  }

  func shape(of value: Value) -> Shape { output.shape(of: value) }

  /// Counts what is made, so that functions that call functions cannot grow without bound, and bounds recursion.
  mutating func nested<Result>(
    at offset: Int, _ body: (inout FleqElaborator) throws -> Result
  ) throws -> Result {
    nodes += 1
    depth += 1
    defer { depth -= 1 }
    guard nodes <= 16 * limits.instructions else {
      throw error("the program is too large when its function calls are written out", at: offset)
    }
    guard depth <= 2 * limits.nesting else {
      throw error("more than \(2 * limits.nesting) levels of nesting, with the functions called", at: offset)
    }
    return try body(&self)
  }

  // MARK: Statements

  private var isTopLevel: Bool { scopes.count == 1 && calls.isEmpty }

  private mutating func block(_ statements: [FleqSyntax.Statement]) throws -> [Step] {
    scopes.append([:])
    defer { scopes.removeLast() }
    return try steps(statements)
  }

  mutating func steps(_ statements: [FleqSyntax.Statement]) throws -> [Step] {
    var result: [Step] = []
    let outer = (line, lineStart)
    defer { (line, lineStart) = outer }
    for statement in statements {
      if calls.isEmpty {
        // Statements come in order, so lines are counted from one to the next.
        line += source.bytes[lineStart..<statement.offset].reduce(0) { $0 + ($1 == 10 ? 1 : 0) }
        lineStart = statement.offset
      }
      if let kind = try nested(at: statement.offset, { try $0.step(statement) }) {
        result.append(Step(kind: kind, line: line))
      }
    }
    return result
  }

  private mutating func step(_ statement: FleqSyntax.Statement) throws -> Step.Kind? {
    switch statement.kind {
    case .declaration(let name, let isMutable, let expression):
      let value = try value(expression)
      return .declare(
        variable: try declare(name, shape(of: value), isMutable: isMutable, at: statement.offset), value)
    case .data(let name, let items):
      guard isTopLevel else { throw error("data stands outside of all blocks", at: statement.offset) }
      output.lists.append(.init(name: name, items: items))
      see(items[0].shape)
      try bind(name, to: .list(output.lists.count - 1), at: statement.offset)
      return nil
    case .assignment(let name, let expression):
      guard case .value(.variable(let variable), let isMutable) = try meaning(of: name, at: statement.offset)
      else { throw error("\(name) is not a variable", at: statement.offset) }
      guard isMutable else {
        throw error("\(name) cannot change", at: statement.offset, hint: "declare it with var")
      }
      let value = try value(expression)
      let (old, new) = (output.variables[variable].shape, shape(of: value))
      guard old == new else { throw error("\(name) is \(old); this is \(new)", at: expression.offset) }
      if let list = output.variables[variable].list { output.lists[list].isWritten = true }
      return .set(variable: variable, value)
    case .branch(let test, let then, let otherwise):
      return .branch(try condition(test), then: try block(then), otherwise: try block(otherwise))
    case .loop(let test, let body): return .loop(while: try condition(test), try block(body))
    case .repetition(let count, let body):
      return .repetition(try scalar(count, "how often to repeat"), try block(body))
    case .each(let pairs, let body): return try each(pairs, body, at: statement.offset)
    case .function(let function):
      guard isTopLevel else { throw error("functions stand outside of all blocks", at: statement.offset) }
      guard functions.updateValue(function, forKey: function.name) == nil, Self.builtIn[function.name] == nil
      else { throw error("there is a function \(function.name) already", at: statement.offset) }
      return nil
    }
  }

  private mutating func each(
    _ pairs: [(variable: String, list: String, offset: Int)], _ body: [FleqSyntax.Statement], at offset: Int
  ) throws -> Step.Kind {
    scopes.append([:])
    defer { scopes.removeLast() }
    var elements: [(variable: Int, list: Int)] = []
    for pair in pairs {
      guard case .list(let list) = try meaning(of: pair.list, at: pair.offset) else {
        throw error("\(pair.list) is not a list", at: pair.offset, hint: "lists are declared with data")
      }
      let first = elements.first.map { output.lists[$0.list] } ?? output.lists[list]
      guard output.lists[list].items.count == first.items.count else {
        throw error(
          "\(pair.list) has \(output.lists[list].items.count) items, \(first.name) has \(first.items.count)",
          at: pair.offset)
      }
      let variable = try declare(pair.variable, output.lists[list].shape, isMutable: true, at: offset)
      output.variables[variable].list = list
      elements.append((variable, list))
    }
    return .each(elements, try block(body))
  }

  // MARK: Names

  mutating func bind(_ name: String, to meaning: Meaning, at offset: Int) throws {
    guard scopes[scopes.count - 1].updateValue(meaning, forKey: name) == nil else {
      throw error("\(name) is declared twice", at: offset, hint: "set a var anew without the word var")
    }
  }

  mutating func declare(_ name: String, _ shape: Shape, isMutable: Bool, at offset: Int) throws -> Int {
    output.variables.append(
      .init(name: name, shape: shape, isMutable: isMutable, isGlobal: isTopLevel))
    let number = output.variables.count - 1
    try bind(name, to: .value(.variable(number), isMutable: isMutable), at: offset)
    return number
  }

  func meaning(of name: String, at offset: Int) throws -> Meaning {
    for scope in scopes.reversed() { if let meaning = scope[name] { return meaning } }
    let hint =
      (functions[name] ?? standard[name]) != nil || Self.builtIn[name] != nil
      ? "\(name) is a function: \(name)(…)"
      : calls.isEmpty ? "declare it with let or var" : "a function knows its parameters and its own variables"
    throw error("no variable named \(name)", at: offset, hint: hint)
  }
}
