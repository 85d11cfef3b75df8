import Foundation

/// Values as Python writes them.
extension Value {
  /// `str(value)`
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let text): text
    default: representation
    }
  }

  /// `repr(value)`
  var representation: String {
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .bool(let bool): return bool ? "True" : "False"
    case .integer(let integer): return String(integer)
    case .number(let number): return Self.text(of: number)
    case .string(let text): return Self.quoted(text)
    case .list(let elements, let isTuple):
      let inner = elements.map(\.representation).joined(separator: ", ")
      return isTuple ? "(\(inner)\(elements.count == 1 ? "," : ""))" : "[\(inner)]"
    case .view(let elements, let name):
      if name.hasPrefix("range") { return name }
      return "\(name)([\(elements.map(\.representation).joined(separator: ", "))])"
    case .dictionary(let members):
      let inner = members.entries.map { "\($0.key.representation): \($0.value.representation)" }
      return "{\(inner.joined(separator: ", "))}"
    case .namespace: return "<Namespace>"
    case .macro(let value): return "<Macro \(Self.quoted(value.macro.name))>"
    case .loop(let loop): return "<LoopContext \(loop.index + 1)/\(loop.items.count)>"
    case .function(let name): return "<function \(name)>"
    case .method(_, let name): return "<method \(name)>"
    }
  }

  /// The shortest digits that read back the same, as Python's `repr` of a float.
  static func text(of number: Double) -> String {
    if number.isNaN { return "nan" }
    if number.isInfinite { return number < 0 ? "-inf" : "inf" }
    let magnitude = abs(number)
    if number == number.rounded(), magnitude < 1e16 {
      return (number.sign == .minus && number == 0 ? "-0" : String(Int(number))) + ".0"
    }
    // Swift writes 1e-05 as 1e-05, as Python does, and 1e+16 as 1e+16; only their borders differ.
    let text = "\(number)"
    guard magnitude >= 1e-4 && magnitude < 1e16, let exponent = text.firstIndex(of: "e") else { return text }
    let digits = text[..<exponent].replacingOccurrences(of: ".", with: "").replacingOccurrences(
      of: "-", with: "")
    let power = Int(text[text.index(after: exponent)...])!
    return (number < 0 ? "-" : "") + "0." + String(repeating: "0", count: -power - 1) + digits
  }

  static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar =
      text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
    var result = String.UnicodeScalarView([quote])
    func hexadecimal(_ value: UInt32, _ letter: String, _ digits: Int) {
      let code = String(value, radix: 16)
      result.append(
        contentsOf: ("\\" + letter + String(repeating: "0", count: digits - code.count) + code).unicodeScalars
      )
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\", quote: result.append(contentsOf: ["\\", scalar])
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: ["\\", "r"])
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      default:
        if isPrintable(scalar) {
          result.append(scalar)
        } else if scalar.value < 0x100 {
          hexadecimal(scalar.value, "x", 2)
        } else if scalar.value < 0x10000 {
          hexadecimal(scalar.value, "u", 4)
        } else {
          hexadecimal(scalar.value, "U", 8)
        }
      }
    }
    result.append(quote)
    return String(result)
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }

  // MARK: JSON

  /// `json.dumps(value, ensure_ascii=False, indent=indent)`; `nil` for what has no JSON, such as undefined values.
  func json(indent: Int?, sortsKeys: Bool = false, level: Int = 0) -> String? {
    func lines(_ parts: [String], _ opening: String, _ closing: String) -> String {
      guard !parts.isEmpty else { return opening + closing }
      guard let indent else { return opening + parts.joined(separator: ", ") + closing }
      let inner = "\n" + String(repeating: " ", count: indent * (level + 1))
      return opening + inner + parts.joined(separator: "," + inner) + "\n"
        + String(repeating: " ", count: indent * level) + closing
    }
    switch self {
    case .none: return "null"
    case .bool(let bool): return bool ? "true" : "false"
    case .integer(let integer): return String(integer)
    case .number(let number):
      if number.isNaN { return "NaN" }
      if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
      return Self.text(of: number)
    case .string(let text): return Self.jsonQuoted(text)
    case .list(let elements, _):
      var parts: [String] = []
      for element in elements {
        guard let part = element.json(indent: indent, sortsKeys: sortsKeys, level: level + 1) else {
          return nil
        }
        parts.append(part)
      }
      return lines(parts, "[", "]")
    case .dictionary(let members):
      var entries: [(String, Value)] = []
      for entry in members.entries {
        switch entry.key {
        case .string(let text): entries.append((text, entry.value))
        case .none, .bool, .integer, .number: entries.append((entry.key.json(indent: nil)!, entry.value))
        default: return nil
        }
      }
      if sortsKeys { entries.sort { $0.0.unicodeScalars.lexicographicallyPrecedes($1.0.unicodeScalars) } }
      var parts: [String] = []
      for (key, value) in entries {
        guard let part = value.json(indent: indent, sortsKeys: sortsKeys, level: level + 1) else {
          return nil
        }
        parts.append("\(Self.jsonQuoted(key)): \(part)")
      }
      return lines(parts, "{", "}")
    case .undefined, .namespace, .macro, .loop, .function, .method, .view: return nil
    }
  }

  private static func jsonQuoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      default:
        if scalar.value < 32 {
          let code = String(scalar.value, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}

/// What Python takes as blanks in `strip`, `split` and `\s`.
func isPythonBlank(_ scalar: Unicode.Scalar) -> Bool {
  scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value)
}
