/// A JSON value as a tree: for the small parts of a file.
enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  /// Members in the order of the file.
  case object([Member])

  struct Member: Equatable {
    var key: String
    var value: JSONValue
  }

  /// What a person would call it.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// A value and the keys that lead to it, so that what is wrong with it can be said.
struct JSONNode {
  let value: JSONValue
  let place: String

  func wrong(_ message: String, hint: String? = nil) -> TokenizerError {
    TokenizerError(file: "", place: place, message: message, hint: hint)
  }

  private func expected(_ kind: String) -> TokenizerError { wrong("\(kind) is expected, not \(value.kind)") }

  /// The member `key`; `nil` if there is none, or it is null.
  /// - Throws: `TokenizerError` if this is no object.
  subscript(_ key: String) -> JSONNode? {
    get throws {
      guard case .object(let members) = value else { throw expected("an object") }
      guard let member = members.last(where: { $0.key == key }), member.value != .null else { return nil }
      return JSONNode(value: member.value, place: place.isEmpty ? key : "\(place).\(key)")
    }
  }

  /// The member `key`, which must be there.
  func required(_ key: String) throws -> JSONNode {
    guard let node = try self[key] else { throw wrong("\"\(key)\" is missing") }
    return node
  }

  var string: String {
    get throws {
      guard case .string(let text) = value else { throw expected("a string") }
      return text
    }
  }

  var bool: Bool {
    get throws {
      guard case .bool(let bool) = value else { throw expected("true or false") }
      return bool
    }
  }

  /// A whole number that is not negative.
  var count: Int {
    get throws {
      guard case .number(let number) = value, let count = Int(exactly: number), count >= 0 else {
        throw expected("a whole number, not negative,")
      }
      return count
    }
  }

  var elements: [JSONNode] {
    get throws {
      guard case .array(let elements) = value else { throw expected("an array") }
      return elements.enumerated().map { JSONNode(value: $1, place: "\(place)[\($0)]") }
    }
  }

  var members: [(key: String, node: JSONNode)] {
    get throws {
      guard case .object(let members) = value else { throw expected("an object") }
      return members.map { ($0.key, JSONNode(value: $0.value, place: "\(place).\($0.key)")) }
    }
  }
}
