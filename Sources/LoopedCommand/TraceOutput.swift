import Construction
import Foundation
import Looping
import Machine
import Reporting

/// Where a trace goes: the terminal, a .jsonl file as it happens, or an .html page at the end.
final class TraceOutput {
  private let toTerminal: Bool
  private let file: FileHandle?
  private var writer: TraceWriter?
  private let pageURL: URL?
  private var trace: Trace?
  private var header: TraceHeader?

  /// Whether someone will look at where the network looked.
  var needsAttention: Bool { file != nil || pageURL != nil }

  /// - Returns: `nil` if no trace was asked for.
  init?(toTerminal: Bool, path: String?) throws {
    guard toTerminal || path != nil else { return nil }
    self.toTerminal = toTerminal
    guard let path else {
      (file, pageURL) = (nil, nil)
      return
    }
    let url = URL(fileURLWithPath: path)
    switch url.pathExtension.lowercased() {
    case "html", "htm":
      (file, pageURL) = (nil, url)
    case "jsonl":
      guard FileManager.default.createFile(atPath: path, contents: nil),
        let handle = FileHandle(forWritingAtPath: path)
      else { throw CommandError("cannot write \(path)") }
      (file, pageURL) = (handle, nil)
      writer = TraceWriter { try handle.write(contentsOf: $0) }
    default:
      throw CommandError("cannot tell the format of \(path)", hint: "name it .jsonl or .html")
    }
  }

  func begin(_ header: TraceHeader) throws {
    self.header = header
    try writer?.record(header)
    if pageURL != nil { trace = Trace(header: header) }
  }

  func record(_ step: TraceStep) throws {
    try writer?.record(step)
    if let count = trace?.steps.count, count < TraceViewer.largestStepCount { trace?.steps.append(step) }
    if toTerminal, let header { print(Self.line(step, header: header)) }
  }

  func end(loops: Int, halt: String) throws {
    let end = TraceEnd(loops: loops, halt: halt)
    try writer?.record(end)
    try file?.close()
    guard let pageURL, var trace else { return }
    trace.end = end
    try Data(TraceViewer.page(trace).utf8).write(to: pageURL, options: .atomic)
  }

  /// A trace that is there as a whole.
  func write(_ trace: Trace) throws {
    try begin(trace.header)
    for step in trace.steps { try record(step) }
    try end(loops: trace.end?.loops ?? trace.steps.count, halt: trace.end?.halt ?? "cut off")
  }

  /// `   12  pc 24    count -= one; ≤ 0 → done    count: 3 → 2    jumped`
  static func line(_ step: TraceStep, header: TraceHeader) -> String {
    func pad(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    let number = String(step.loop)
    var line = String(repeating: " ", count: max(0, 6 - number.count)) + number
    line += "  " + Terminal.colored(pad("pc \(step.position.map(String.init) ?? "–")", 9), .faint)
    line += pad(step.summary, 36)
    for change in step.changes {
      func text(_ value: Double) -> String { value == value.rounded() ? String(Int(value)) : String(value) }
      line += Terminal.colored(
        "\(header.columns[change.column]): \(text(change.before)) → \(text(change.after))  ", .cyan)
    }
    if step.jumped { line += Terminal.colored("jumps  ", .yellow) }
    if let output = step.output { line += Terminal.colored("writes \(output.debugDescription)", .green) }
    return line
  }
}
