import Foundation

/// What can be asked of a value with `is`.
enum TemplateTests {
  static let names: Set<String> = [
    "defined", "undefined", "none", "boolean", "true", "false", "string", "number", "integer", "float",
    "mapping",
    "iterable", "sequence", "callable", "sameas", "eq", "equalto", "ne", "lt", "lessthan", "le", "gt",
    "greaterthan",
    "ge", "in", "odd", "even", "divisibleby", "lower", "upper",
  ]

  static func apply(
    _ name: String, _ value: Value, _ arguments: CallArguments, _ interpreter: TemplateInterpreter,
    _ line: Int
  ) throws -> Bool {
    func argument() throws -> Value {
      guard let argument = arguments.positional.first else {
        throw interpreter.wrong(line, "the test \"\(name)\" needs something to compare with")
      }
      return argument
    }
    func number(_ value: Value) throws -> Double {
      guard let number = value.asNumber else { throw interpreter.wrong(line, "\(value.kind) is no number") }
      return number
    }
    func rest(_ value: Value, _ divisor: Double) throws -> Double {
      if let integer = value.asInteger, let whole = Int(exactly: divisor), whole != 0, whole != -1 {
        return Double(abs(integer % whole))
      }
      return try abs(fmod(number(value), divisor))
    }
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none": if case .none = value { return true }
    case "boolean": if case .bool = value { return true }
    case "true": if case .bool(true) = value { return true }
    case "false": if case .bool(false) = value { return true }
    case "string": if case .string = value { return true }
    case "number": return value.asNumber != nil
    case "integer": if case .integer = value { return true }
    case "float": if case .number = value { return true }
    case "mapping": if case .dictionary = value { return true }
    case "callable":
      switch value {
      case .macro, .function, .method, .loop: return true
      // An undefined value can be called in Python; that it fails shows only then.
      case .undefined: return true
      default: return false
      }
    case "iterable", "sequence":
      switch value {
      case .string, .list, .dictionary, .undefined: return true
      case .view(_, let view): return name == "iterable" || view.hasPrefix("range")
      case .loop: return name == "iterable"
      default: return false
      }
    case "sameas":
      switch (value, try argument()) {
      case (.none, .none), (.bool(true), .bool(true)), (.bool(false), .bool(false)): return true
      case (.integer(let left), .integer(let right)): return left == right
      case (.string(let left), .string(let right)): return left.isSame(right)
      case (.namespace(let left), .namespace(let right)): return left === right
      default: return false
      }
    case "eq", "equalto": return value.equals(try argument())
    case "ne": return !value.equals(try argument())
    case "lt", "lessthan": return try interpreter.compare("<", value, argument(), line)
    case "le": return try interpreter.compare("<=", value, argument(), line)
    case "gt", "greaterthan": return try interpreter.compare(">", value, argument(), line)
    case "ge": return try interpreter.compare(">=", value, argument(), line)
    case "in": return try interpreter.contains(argument(), value, line)
    case "odd": return try rest(value, 2) == 1
    case "even": return try rest(value, 2) == 0
    case "divisibleby":
      let divisor = try number(argument())
      guard divisor != 0 else { throw interpreter.wrong(line, "a division by zero") }
      return try rest(value, divisor) == 0
    default: return isCased(value.text, upper: name == "upper")
    }
    return false
  }

  /// Whether there is a letter, and none of the other case.
  static func isCased(_ text: String, upper: Bool) -> Bool {
    var hasLetter = false
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      if upper ? properties.isLowercase : properties.isUppercase { return false }
      if properties.generalCategory == .titlecaseLetter { return false }
      if upper ? properties.isUppercase : properties.isLowercase { hasLetter = true }
    }
    return hasLetter
  }
}
