import Foundation

/// A value of a JSON file: configurations, indices, tokenizers.
enum JSONValue: Equatable, Decodable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // Strings first: most values of a vocabulary's file are strings, and every failed attempt costs an error.
    if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  subscript(key: String) -> JSONValue? { if case .object(let members) = self { members[key] } else { nil } }
  /// Whether there is nothing: a key that is absent and one that is null mean the same.
  var isNull: Bool { self == .null }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
  /// A whole number, also one written as 1e6.
  var integer: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// A file's text as JSON, with an object at its root.
  /// - Throws: `ModelFileError` if it is larger than `limit`, cannot be read, or is something else.
  static func object(file path: String, limit: Int = 16 << 20) throws -> JSONValue {
    guard let handle = FileHandle(forReadingAtPath: path), let size = try? handle.seekToEnd(),
      (try? handle.seek(toOffset: 0)) != nil
    else {
      throw ModelFileError(file: path, "cannot be opened")
    }
    guard size <= UInt64(limit) else {
      throw ModelFileError(file: path, "has \(size) bytes; such a file has at most \(limit)")
    }
    guard let data = try? handle.readToEnd() ?? Data() else {
      throw ModelFileError(file: path, "cannot be read")
    }
    return try object(data, file: path)
  }

  /// - Throws: `ModelFileError`.
  static func object(_ data: Data, file: String) throws -> JSONValue {
    let value: JSONValue
    do { value = try JSONDecoder().decode(JSONValue.self, from: data) } catch {
      throw ModelFileError(
        file: file, "is not valid JSON: \(reason(error))", hint: "is the file complete? download it again")
    }
    guard case .object = value else { throw ModelFileError(file: file, "holds no JSON object") }
    return value
  }

  private static func reason(_ error: any Error) -> String {
    guard case DecodingError.dataCorrupted(let context) = error else { return error.localizedDescription }
    guard let underlying = context.underlyingError as? CocoaError,
      let text = underlying.userInfo["NSDebugDescription"] as? String
    else { return context.debugDescription }
    return text
  }

  /// The value as text, keys in order, with two blanks for each level.
  func text(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .number(let value): return value.isFinite ? "\(value)" : "null"
    case .string(let value): return Self.quoted(value)
    case .array(let values):
      if values.isEmpty { return "[]" }
      return "[\n" + values.map { inner + $0.text(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let lines = members.sorted { $0.key < $1.key }
        .map { "\(inner)\(Self.quoted($0.key)): \($0.value.text(indent: inner))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
