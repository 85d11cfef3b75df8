import Foundation

/// The functions that templates find in their surroundings.
enum TemplateFunctions {
  static let names: Set<String> = ["range", "dict", "namespace", "raise_exception", "strftime_now"]
  static var list: String { names.sorted().joined(separator: ", ") }
  /// As jinja2's sandbox has it.
  static let largestRange = 100_000

  static func call(
    _ name: String, _ arguments: CallArguments, _ interpreter: TemplateInterpreter, _ line: Int
  ) throws -> Value {
    switch name {
    case "range": return try range(arguments, interpreter, line)
    case "dict":
      var members = Value.Members()
      if case .dictionary(let given)? = arguments.positional.first { members = given }
      for (name, value) in arguments.named { members[.string(name)] = value }
      return .dictionary(members)
    case "namespace":
      let namespace = Value.Namespace()
      if case .dictionary(let given)? = arguments.positional.first {
        for entry in given.entries { namespace.members[entry.key.text] = entry.value }
      }
      for (name, value) in arguments.named { namespace.members[name] = value }
      return .namespace(namespace)
    case "raise_exception":
      throw TemplateError(
        line: line, message: arguments.value(0, "message")?.text ?? "the template refuses these messages",
        isRaisedByTemplate: true)
    default:
      guard case .string(let format)? = arguments.value(0, "format") else {
        throw interpreter.wrong(line, "strftime_now needs a format, such as \"%d %b %Y\"")
      }
      return .string(time(format, interpreter.now))
    }
  }

  private static func range(
    _ arguments: CallArguments, _ interpreter: TemplateInterpreter, _ line: Int
  ) throws -> Value {
    let bounds = try arguments.positional.map {
      guard let integer = $0.asInteger else {
        throw interpreter.wrong(line, "\($0.kind) is no bound of a range")
      }
      return integer
    }
    guard (1...3).contains(bounds.count) else {
      throw interpreter.wrong(line, "range takes one to three numbers")
    }
    let start = bounds.count == 1 ? 0 : bounds[0]
    let stop = bounds.count == 1 ? bounds[0] : bounds[1]
    let step = bounds.count == 3 ? bounds[2] : 1
    guard step != 0 else { throw interpreter.wrong(line, "a range's step cannot be 0") }
    guard (Double(stop) - Double(start)) / Double(step) <= Double(largestRange) else {
      throw interpreter.wrong(line, "a range of more than \(largestRange) numbers")
    }
    let name = step == 1 ? "range(\(start), \(stop))" : "range(\(start), \(stop), \(step))"
    return .view(Swift.stride(from: start, to: stop, by: step).map { .integer($0) }, named: name)
  }

  private static func time(_ format: String, _ now: Date) -> String {
    var seconds = time_t(now.timeIntervalSince1970)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 1024)
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
