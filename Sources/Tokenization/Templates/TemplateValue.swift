/// What a template can be given.
public indirect enum TemplateValue: Equatable, Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([TemplateValue])
  /// Members in order, which `tojson` and loops keep.
  case object([Member])

  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: TemplateValue

    public init(_ key: String, _ value: TemplateValue) {
      self.key = key
      self.value = value
    }
  }

  /// The value of JSON text, such as the tools of a request.
  /// - Throws: `TokenizerError`.
  public init(json: [UInt8], file: String = "JSON") throws {
    do {
      let value = try json.withUnsafeBufferPointer { text in
        var scanner = try JSONScanner(text)
        let value = try scanner.value()
        try scanner.end()
        return value
      }
      self.init(value)
    } catch var error as TokenizerError {
      error.file = file
      throw error
    }
  }

  init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let bool): self = .bool(bool)
    case .number(let number):
      self = Int(exactly: number).map { .integer($0) } ?? .number(number)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .array(elements.map { TemplateValue($0) })
    case .object(let members): self = .object(members.map { Member($0.key, TemplateValue($0.value)) })
    }
  }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByArrayLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(arrayLiteral elements: TemplateValue...) { self = .array(elements) }
}

/// What a template computes with.
indirect enum Value {
  /// What has no value, and the name it was asked for by.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A list, or a tuple, which prints differently.
  case list([Value], isTuple: Bool)
  /// What Python makes of `range` and of a mapping's `items`: gone over like a list, but printed with its name.
  case view([Value], named: String)
  case dictionary(Members)
  case namespace(Namespace)
  case macro(MacroValue)
  case loop(LoopValue)
  /// A function of the environment, such as `range`.
  case function(String)
  /// A method that waits for its arguments.
  case method(Value, String)

  /// A dictionary: few members, in order.
  struct Members {
    var entries: [(key: Value, value: Value)] = []

    subscript(_ key: Value) -> Value? {
      get { entries.first { $0.key.equals(key) }?.value }
      set {
        guard let newValue else { return }
        if let index = entries.firstIndex(where: { $0.key.equals(key) }) {
          entries[index].value = newValue
        } else {
          entries.append((key, newValue))
        }
      }
    }

    subscript(_ key: String) -> Value? {
      entries.first { if case .string(let text) = $0.key { text.isSame(key) } else { false } }?.value
    }
  }

  final class Namespace {
    var members: [String: Value] = [:]
  }

  final class MacroValue {
    let macro: Macro
    let scope: Scope
    init(_ macro: Macro, _ scope: Scope) {
      self.macro = macro
      self.scope = scope
    }
  }

  final class LoopValue {
    let items: [Value]
    let depth: Int
    var index = 0
    var changed: [Value]?
    init(_ items: [Value], depth: Int) {
      self.items = items
      self.depth = depth
    }
  }

  static func list(_ elements: [Value]) -> Value { .list(elements, isTuple: false) }

  init(_ value: TemplateValue) {
    switch value {
    case .none: self = .none
    case .bool(let bool): self = .bool(bool)
    case .integer(let integer): self = .integer(integer)
    case .number(let number): self = .number(number)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .list(elements.map { Value($0) })
    case .object(let members):
      var entries = Members()
      for member in members { entries[.string(member.key)] = Value(member.value) }
      self = .dictionary(entries)
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let bool): bool
    case .integer(let integer): integer != 0
    case .number(let number): number != 0
    case .string(let text): !text.isEmpty
    case .list(let elements, _): !elements.isEmpty
    case .view(let elements, _): !elements.isEmpty
    case .dictionary(let members): !members.entries.isEmpty
    case .namespace, .macro, .loop, .function, .method: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// A number as an exact real, booleans being 0 and 1; `nil` for what is no number.
  var asNumber: Double? {
    switch self {
    case .bool(let bool): bool ? 1 : 0
    case .integer(let integer): Double(integer)
    case .number(let number): number
    default: nil
    }
  }

  var asInteger: Int? {
    switch self {
    case .bool(let bool): bool ? 1 : 0
    case .integer(let integer): integer
    default: nil
    }
  }

  /// Equal as Python has it: 1 == 1.0 == True; texts by their characters.
  func equals(_ other: Value) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)): return left.isSame(right)
    case (.list(let left, let isTuple), .list(let right, let isOtherTuple)):
      return isTuple == isOtherTuple && left.count == right.count
        && zip(left, right).allSatisfy { $0.equals($1) }
    case (.view(let left, let name), .view(let right, let other)):
      return (name.hasPrefix("range") ? other.hasPrefix("range") : name == other) && left.count == right.count
        && zip(left, right).allSatisfy { $0.equals($1) }
    case (.dictionary(let left), .dictionary(let right)):
      return left.entries.count == right.entries.count
        && left.entries.allSatisfy { entry in right[entry.key].map { $0.equals(entry.value) } ?? false }
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.macro(let left), .macro(let right)): return left === right
    default:
      if let left = asInteger, let right = other.asInteger { return left == right }
      guard let left = asNumber, let right = other.asNumber else { return false }
      return left == right
    }
  }

  /// What messages call it.
  var kind: String {
    switch self {
    case .undefined(let name): "\"\(name)\", which is undefined,"
    case .none: "none"
    case .bool: "a boolean"
    case .integer: "a whole number"
    case .number: "a number"
    case .string: "a string"
    case .list(_, let isTuple): isTuple ? "a tuple" : "a list"
    case .view: "a view"
    case .dictionary: "a mapping"
    case .namespace: "a namespace"
    case .macro, .function, .method: "a function"
    case .loop: "a loop"
    }
  }
}

extension String {
  /// Whether all characters are the same: Swift's == takes é in its two forms as equal.
  func isSame(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
