import Foundation

extension TemplateInterpreter {
  func operate(_ expression: Expression, _ scope: Scope) throws -> Value {
    let line = expression.line
    switch expression.kind {
    case .unary("not", let operand): return .bool(!(try evaluate(operand, scope).isTrue))
    case .unary(let symbol, let operand):
      let value = try evaluate(operand, scope)
      switch value {
      case .number(let number): return .number(symbol == "-" ? -number : number)
      default:
        guard let integer = value.asInteger else { throw wrong(line, "\(value.kind) has no sign") }
        return symbol == "-" ? try whole(0.subtractingReportingOverflow(integer), line) : .integer(integer)
      }
    case .binary("or", let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? value : try evaluate(right, scope)
    case .binary("and", let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? try evaluate(right, scope) : value
    case .binary(let symbol, let left, let right):
      return try arithmetic(symbol, evaluate(left, scope), evaluate(right, scope), line)
    case .comparison(let first, let parts):
      var left = try evaluate(first, scope)
      for part in parts {
        let right = try evaluate(part.right, scope)
        guard try compare(part.symbol, left, right, line) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    default: return .none
    }
  }

  private func whole(_ result: (partialValue: Int, overflow: Bool), _ line: Int) throws -> Value {
    guard !result.overflow else { throw wrong(line, "the result is too large a number") }
    return .integer(result.partialValue)
  }

  private func arithmetic(_ symbol: String, _ left: Value, _ right: Value, _ line: Int) throws -> Value {
    for case .undefined(let name) in [left, right] {
      throw wrong(
        line, "\"\(name)\" is undefined, so \(symbol) has nothing to work with",
        hint: "pass it to the template, or write \(name)|default('')")
    }
    switch (symbol, left, right) {
    case ("+", .string(let first), .string(let second)):
      try spend(text: first.utf8.count + second.utf8.count, line)
      return .string(first + second)
    case ("+", .list(let first, let isTuple), .list(let second, let isOther)) where isTuple == isOther:
      try spend(first.count + second.count, line)
      return .list(first + second, isTuple: isTuple)
    case ("*", .string(let text), _) where right.asInteger != nil,
      ("*", _, .string(let text)) where left.asInteger != nil:
      let count = max(0, right.asInteger ?? left.asInteger ?? 0)
      let (bytes, isOver) = text.utf8.count.multipliedReportingOverflow(by: count)
      try spend(text: isOver ? Self.largestText + 1 : bytes, line)
      return .string(text.isEmpty ? "" : String(repeating: text, count: count))
    case ("*", .list(let elements, let isTuple), _) where right.asInteger != nil:
      let count = max(0, right.asInteger!)
      let (length, isOver) = elements.count.multipliedReportingOverflow(by: count)
      try spend(isOver ? Self.largestWork + 1 : length, line)
      return .list(
        elements.isEmpty ? [] : Array((0..<count).map { _ in elements }.joined()), isTuple: isTuple)
    default: break
    }
    guard let first = left.asNumber, let second = right.asNumber else {
      throw wrong(
        line, "\(left.kind) \(symbol) \(right.kind) is not possible",
        hint: symbol == "+" ? "join values of different kinds with ~" : nil)
    }
    if let a = left.asInteger, let b = right.asInteger {
      switch symbol {
      case "+": return try whole(a.addingReportingOverflow(b), line)
      case "-": return try whole(a.subtractingReportingOverflow(b), line)
      case "*": return try whole(a.multipliedReportingOverflow(by: b), line)
      case "//", "%":
        guard b != 0 else { throw wrong(line, "a division by zero") }
        guard !(a == .min && b == -1) else { throw wrong(line, "the result is too large a number") }
        let quotient = a / b
        let rest = a % b
        let isBelow = rest != 0 && (rest < 0) != (b < 0)
        return .integer(symbol == "%" ? (isBelow ? rest + b : rest) : (isBelow ? quotient - 1 : quotient))
      case "**" where b >= 0:
        var result = 1
        for _ in 0..<min(b, 64) where a != 1 && a != 0 || b < 64 {
          guard case (let next, let isOver) = result.multipliedReportingOverflow(by: a), !isOver else {
            throw wrong(line, "the result is too large a number")
          }
          result = next
        }
        if b >= 64 && abs(a) > 1 { throw wrong(line, "the result is too large a number") }
        return .integer(b >= 64 ? (a == 0 ? 0 : a == 1 || b % 2 == 0 ? 1 : -1) : result)
      default: break
      }
    }
    switch symbol {
    case "+": return .number(first + second)
    case "-": return .number(first - second)
    case "*": return .number(first * second)
    case "**": return .number(pow(first, second))
    default:
      guard second != 0 else { throw wrong(line, "a division by zero") }
      if symbol == "/" { return .number(first / second) }
      let quotient = (first / second).rounded(.down)
      if symbol == "//" { return .number(quotient) }
      let rest = fmod(first, second)
      return .number(rest != 0 && (rest < 0) != (second < 0) ? rest + second : rest)
    }
  }

  func compare(_ symbol: String, _ left: Value, _ right: Value, _ line: Int) throws -> Bool {
    switch symbol {
    case "==": return left.equals(right)
    case "!=": return !left.equals(right)
    case "in": return try contains(right, left, line)
    case "not in": return try !contains(right, left, line)
    default:
      let order = try self.order(left, right, line)
      switch symbol {
      case "<": return order < 0
      case "<=": return order <= 0
      case ">": return order > 0
      default: return order >= 0
      }
    }
  }

  /// Negative, zero or positive.
  func order(_ left: Value, _ right: Value, _ line: Int) throws -> Int {
    if let a = left.asInteger, let b = right.asInteger { return a < b ? -1 : a == b ? 0 : 1 }
    if let a = left.asNumber, let b = right.asNumber { return a < b ? -1 : a == b ? 0 : 1 }
    switch (left, right) {
    case (.string(let a), .string(let b)):
      return a.isSame(b) ? 0 : a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars) ? -1 : 1
    case (.list(let a, _), .list(let b, _)):
      for (first, second) in zip(a, b) where !first.equals(second) { return try order(first, second, line) }
      return a.count - b.count
    default: throw wrong(line, "\(left.kind) and \(right.kind) have no order")
    }
  }

  func contains(_ container: Value, _ element: Value, _ line: Int) throws -> Bool {
    switch container {
    case .undefined: return false
    case .list(let elements, _), .view(let elements, _):
      try spend(elements.count / 8, line)
      return elements.contains { $0.equals(element) }
    case .dictionary(let members): return members[element] != nil
    case .string(let text):
      guard case .string(let part) = element else {
        throw wrong(line, "\(element.kind) cannot be in a string")
      }
      return text.isSame(part) || PythonStrings.find(part, in: text, from: 0) != nil
    default: throw wrong(line, "nothing can be in \(container.kind)")
    }
  }

  // MARK: Parts of values

  func access(_ expression: Expression, _ scope: Scope) throws -> Value {
    let line = expression.line
    switch expression.kind {
    case .attribute(let base, let name):
      let value = try evaluate(base, scope)
      return try attribute(name, of: value, line)
    case .subscripted(let base, let key):
      let value = try evaluate(base, scope)
      return try element(evaluate(key, scope), of: value, line)
    case .slice(let base, let start, let stop, let step):
      func bound(_ expression: Expression?) throws -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression, scope)
        if case .none = value { return nil }
        guard let integer = value.asInteger else { throw wrong(line, "\(value.kind) is no bound of a slice") }
        return integer
      }
      return try slice(evaluate(base, scope), bound(start), bound(stop), bound(step) ?? 1, line)
    default: return .none
    }
  }

  /// `value.name`: a method or member of its own, else what a mapping holds.
  func attribute(_ name: String, of value: Value, _ line: Int) throws -> Value {
    switch value {
    case .undefined(let owner):
      throw wrong(
        line, "\"\(owner)\" is undefined, so it has no \"\(name)\"",
        hint: "pass it to the template, or test it with \"is defined\"")
    case .dictionary(let members):
      if TemplateMethods.dictionary.contains(name) { return .method(value, name) }
      return members[name] ?? .undefined(name)
    case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
    case .string: return TemplateMethods.string.contains(name) ? .method(value, name) : .undefined(name)
    case .list: return TemplateMethods.list.contains(name) ? .method(value, name) : .undefined(name)
    case .loop(let loop): return TemplateMethods.member(name, of: loop, value)
    default: return .undefined(name)
    }
  }

  /// `value[key]`
  func element(_ key: Value, of value: Value, _ line: Int) throws -> Value {
    switch value {
    case .undefined(let owner):
      throw wrong(
        line, "\"\(owner)\" is undefined, so it has no \(key.representation)",
        hint: "pass it to the template, or test it with \"is defined\"")
    case .dictionary(let members):
      if let found = members[key] { return found }
    case .view(let elements, let name) where name.hasPrefix("range"):
      return try self.element(key, of: .list(elements), line)
    case .list(let elements, _):
      if let index = key.asInteger {
        let place = index < 0 ? index + elements.count : index
        return elements.indices.contains(place) ? elements[place] : .undefined("element \(index)")
      }
    case .string(let text):
      if let index = key.asInteger {
        let scalars = text.unicodeScalars
        try spend(scalars.count / 16, line)
        guard case let place = index < 0 ? index + scalars.count : index, place >= 0,
          let found = scalars.dropFirst(place).first
        else { return .undefined("character \(index)") }
        return .string(String(found))
      }
    default: break
    }
    if case .string(let name) = key { return try attribute(name, of: value, line) }
    return .undefined(key.text)
  }

  private func slice(_ value: Value, _ start: Int?, _ stop: Int?, _ step: Int, _ line: Int) throws -> Value {
    guard step != 0 else { throw wrong(line, "a slice's step cannot be 0") }
    func indices(_ count: Int) -> [Int] {
      func clamp(_ bound: Int) -> Int {
        let place = bound < 0 ? max(bound, -count - 1) + count : bound
        return step > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
      }
      let first = start.map(clamp) ?? (step > 0 ? 0 : count - 1)
      let last = stop.map(clamp) ?? (step > 0 ? count : -1)
      return Array(Swift.stride(from: first, to: last, by: max(min(step, count + 1), -count - 1)))
    }
    switch value {
    case .string(let text):
      let scalars = Array(text.unicodeScalars)
      try spend(scalars.count / 4, line)
      return .string(String(String.UnicodeScalarView(indices(scalars.count).map { scalars[$0] })))
    case .list(let elements, let isTuple):
      try spend(elements.count, line)
      return .list(indices(elements.count).map { elements[$0] }, isTuple: isTuple)
    case .view(let elements, let name) where name.hasPrefix("range"):
      return .list(indices(elements.count).map { elements[$0] })
    case .undefined(let name): throw wrong(line, "\"\(name)\" is undefined, so it has no parts")
    default: throw wrong(line, "\(value.kind) has no parts")
    }
  }
}
