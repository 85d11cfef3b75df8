/// Expressions: which functions of the network compute them, and what shape they have.
extension FleqElaborator {
  // MARK: Conditions

  mutating func condition(_ expression: Expression) throws -> Condition {
    try nested(at: expression.offset) { elaborator in
      switch expression.kind {
      case .not(let inner): return .not(try elaborator.condition(inner))
      case .binary("and", let left, let right):
        return .both(try elaborator.condition(left), try elaborator.condition(right))
      case .binary("or", let left, let right):
        return .not(
          .both(.not(try elaborator.condition(left)), .not(try elaborator.condition(right))))
      case .binary(let symbol, let left, let right) where Self.comparisons.contains(symbol):
        let a = try elaborator.scalar(left, "what is compared")
        let b = try elaborator.scalar(right, "what is compared")
        func above(_ a: Value, _ b: Value) -> Condition {
          .positive(b.literal?.columns == [[0]] ? a : .apply(.subtract, a, b, .scalar))
        }
        switch symbol {
        case ">": return above(a, b)
        case "<": return above(b, a)
        case "<=": return .not(above(a, b))
        case ">=": return .not(above(b, a))
        case "==": return .both(.not(above(a, b)), .not(above(b, a)))
        default: return .not(.both(.not(above(a, b)), .not(above(b, a))))
        }
      default:
        throw elaborator.error(
          "a condition is needed", at: expression.offset, hint: "compare numbers, as in x > 0")
      }
    }
  }

  private static let comparisons: Set<String> = ["<", "<=", ">", ">=", "==", "!="]

  // MARK: Values

  mutating func scalar(_ expression: Expression, _ what: String) throws -> Value {
    let value = try value(expression)
    guard shape(of: value) == .scalar else {
      throw error("\(what) must be a number; this is \(shape(of: value))", at: expression.offset)
    }
    return value
  }

  mutating func see(_ shape: Shape) {
    output.largestBlock = max(output.largestBlock, shape.rows, shape.columns)
  }

  mutating func value(_ expression: Expression) throws -> Value {
    let value = try nested(at: expression.offset) { try $0.resolve(expression) }
    see(shape(of: value))
    return value
  }

  private mutating func resolve(_ expression: Expression) throws -> Value {
    switch expression.kind {
    case .number(let number): return .constant(FleqMatrix(number))
    case .matrix(let matrix): return .constant(matrix)
    case .name(let name):
      guard case .value(let value, _) = try meaning(of: name, at: expression.offset) else {
        throw error(
          "\(name) is a list, not a value", at: expression.offset,
          hint: "go through it: for item in \(name) { … }")
      }
      return value
    case .negation(let inner):
      let value = try value(inner)
      if let literal = value.literal {
        return .constant(FleqMatrix(columns: literal.columns.map { $0.map { 0 - $0 } }))
      }
      return .apply(.subtract, .constant(FleqMatrix(0)), value, shape(of: value))
    case .transpose(let inner):
      let value = try value(inner)
      return value.transposed(shape(of: value))
    case .percent(let inner):
      let value = try scalar(inner, "a percentage")
      if let literal = value.literal { return .constant(FleqMatrix(literal.columns[0][0] / 100)) }
      return .apply(.multiply, value, .constant(FleqMatrix(0.01)), .scalar)
    case .binary(let symbol, let left, let right):
      return try binary(symbol, left, right, at: expression.offset)
    case .call(let name, let arguments):
      return try call(name, arguments, at: expression.offset)
    case .not:
      throw error("a condition is not a value", at: expression.offset, hint: "use it in if or while")
    }
  }

  private mutating func binary(
    _ symbol: String, _ left: Expression, _ right: Expression, at offset: Int
  ) throws -> Value {
    guard ["+", "-", "*", "/", ".*"].contains(symbol) else {
      throw error("a condition is not a value", at: offset, hint: "use it in if or while")
    }
    let a = try value(left)
    let b = try value(right)
    let (m, n) = (shape(of: a), shape(of: b))
    switch symbol {
    case "+", "-":
      guard m == n else {
        throw error("cannot \(symbol == "+" ? "add" : "subtract") \(m) and \(n)", at: offset)
      }
      return .apply(symbol == "+" ? .add : .subtract, a, b, m)
    case ".*":
      guard m == n, m.columns == 1 else {
        throw error(
          "element by element, column vectors of one length can be multiplied; these are \(m) and \(n)",
          at: offset)
      }
      return .apply(.multiply, try diagonal(a, at: offset), b, m)
    case "/":
      guard n == .scalar else { throw error("cannot divide by \(n)", at: right.offset) }
      guard let literal = b.literal?.columns[0][0] else {
        return try product(a, try writeOut(standard["reciprocal"]!, [b], at: offset), at: offset)
      }
      guard abs(literal) >= 1 / FleqNetwork.largestValue else {
        throw error("division by zero", at: right.offset)
      }
      return try product(a, .constant(FleqMatrix(1 / literal)), at: offset)
    default: return try product(a, b, at: offset)
    }
  }

  /// The network computes aᵀ b. A number times a matrix is (number · identity) times the matrix.
  private mutating func product(_ a: Value, _ b: Value, at offset: Int) throws -> Value {
    let (m, n) = (shape(of: a), shape(of: b))
    if m == .scalar && n.rows == 1 { return .apply(.multiply, a, b, n) }
    if m == .scalar { return .apply(.multiply, scaledIdentity(a, n.rows), b, n) }
    if n == .scalar && m.columns > 1 { return try product(b, a, at: offset) }
    guard m.columns == n.rows else {
      throw error(
        "cannot multiply \(m) by \(n)", at: offset,
        hint: m == n && m.columns == 1 ? "a' * b is the inner product, a .* b goes element by element" : nil)
    }
    return .apply(.multiply, a.transposed(m), b, Shape(rows: m.rows, columns: n.columns))
  }

  private func scaledIdentity(_ a: Value, _ size: Int) -> Value {
    if let literal = a.literal {
      return .constant(.diagonal(Array(repeating: literal.columns[0][0], count: size)))
    }
    return .apply(.scalarDiagonal, a, nil, Shape(rows: size, columns: size))
  }

  // MARK: Functions

  static let builtIn: [String: FleqFunction?] = [
    "transpose": .transpose, "diagonal": .diagonal, "sigmoid": .sigmoid, "rough_reciprocal": .reciprocal,
    "rough_sqrt": .squareRoot, "rough_exp": .exponential, "rough_log": .logarithm, "rough_sin": .sine,
    "identity": nil, "zeros": nil, "ones": nil,
  ]

  private mutating func call(_ name: String, _ arguments: [Expression], at offset: Int) throws -> Value {
    if ["identity", "zeros", "ones"].contains(name) { return try constant(name, arguments, at: offset) }
    return try call(name, try arguments.map { try value($0) }, at: offset)
  }

  private mutating func call(_ name: String, _ arguments: [Value], at offset: Int) throws -> Value {
    if let entry = Self.builtIn[name], let function = entry {
      try checkCount(name, arguments.count, 1, at: offset)
      let argument = arguments[0]
      switch function {
      case .transpose: return argument.transposed(shape(of: argument))
      case .diagonal: return try diagonal(argument, at: offset)
      default: return try elementwise(function, name, argument, at: offset)
      }
    }
    guard let function = (calls.last?.isStandard == true ? nil : functions[name]) ?? standard[name] else {
      throw error(
        "no function named \(name)", at: offset, hint: "declare it above: func \(name)(x) { return x }")
    }
    try checkCount(name, arguments.count, function.parameters.count, at: offset)
    return try writeOut(function, arguments, at: offset)
  }

  private mutating func writeOut(
    _ function: FleqSyntax.Function, _ arguments: [Value], at offset: Int
  ) throws -> Value {
    guard !calls.contains(where: { $0.name == function.name && $0.isStandard == function.isStandard }) else {
      throw error(
        "\(function.name) calls itself", at: offset,
        hint: "calls are written out where they stand; use a loop")
    }
    for (parameter, argument) in zip(function.parameters, arguments)
    where parameter.mustBeScalar && shape(of: argument) != .scalar {
      throw error("\(function.name) takes a number; this is \(shape(of: argument))", at: offset)
    }
    let (outerScopes, outerSource) = (scopes, source)
    calls.append(function)
    (scopes, source) = ([[:]], function.source)
    defer {
      (scopes, source) = (outerScopes, outerSource)
      calls.removeLast()
    }
    var steps: [Step] = []
    for (parameter, argument) in zip(function.parameters, arguments) {
      switch argument {
      case .constant, .variable: try bind(parameter.name, to: .value(argument, isMutable: false), at: offset)
      default:
        let variable = try declare(parameter.name, shape(of: argument), isMutable: false, at: offset)
        steps.append(Step(kind: .declare(variable: variable, argument), line: line))
      }
    }
    steps += try self.steps(function.body)
    return .block(steps, try value(function.result))
  }

  private func checkCount(_ name: String, _ found: Int, _ wanted: Int, at offset: Int) throws {
    guard found == wanted else {
      throw error("\(name) takes \(wanted) argument\(wanted == 1 ? "" : "s"), not \(found)", at: offset)
    }
  }

  private func diagonal(_ value: Value, at offset: Int) throws -> Value {
    let shape = shape(of: value)
    guard shape.columns == 1 else {
      throw error("a diagonal is made of a column vector, not of \(shape)", at: offset)
    }
    if let literal = value.literal { return .constant(.diagonal(literal.columns[0])) }
    return .apply(.diagonal, value, nil, Shape(rows: shape.rows, columns: shape.rows))
  }

  /// The network applies these to row 0 of each column: column vectors are laid down and stood up again.
  private func elementwise(
    _ function: FleqFunction, _ name: String, _ value: Value, at offset: Int
  ) throws -> Value {
    let shape = shape(of: value)
    if shape.rows == 1 { return .apply(function, value, nil, shape) }
    guard shape.columns == 1 else {
      throw error("\(name) takes a number or a vector, not \(shape)", at: offset)
    }
    return Value.apply(function, value.transposed(shape), nil, shape.transposed).transposed(shape.transposed)
  }

  /// `identity(n)`, `zeros(rows, columns)`, `ones(rows, columns)`: constants, so sizes are literals.
  private func constant(_ name: String, _ arguments: [Expression], at offset: Int) throws -> Value {
    let isIdentity = name == "identity"
    guard arguments.count == 1 || (arguments.count == 2 && !isIdentity) else {
      throw error("\(name) takes a size, as in \(isIdentity ? "identity(2)" : "\(name)(2, 3)")", at: offset)
    }
    let sizes = try arguments.map { argument in
      guard case .number(let size) = argument.kind, size >= 1, size <= Double(FleqCompiler.largestBlock),
        size == size.rounded()
      else { throw error("a size is a literal from 1 to \(FleqCompiler.largestBlock)", at: argument.offset) }
      return Int(size)
    }
    if isIdentity { return .constant(.diagonal(Array(repeating: 1, count: sizes[0]))) }
    let column = Array(repeating: name == "ones" ? 1.0 : 0, count: sizes[0])
    return .constant(FleqMatrix(columns: Array(repeating: column, count: sizes.count == 2 ? sizes[1] : 1)))
  }
}

extension FleqMatrix {
  static func diagonal(_ entries: [Double]) -> FleqMatrix {
    FleqMatrix(columns: entries.indices.map { j in entries.indices.map { $0 == j ? entries[j] : 0 } })
  }
}
