import Construction
import Foundation
import Looping
import Machine
import Reporting

/// Shows a FLEQ run loop by loop: on the terminal by source lines, and in the format that all traces share.
final class FleqTrace {
  private let name: String
  private let program: FleqProgram
  private let sourceLines: [Substring]
  private let toTerminal: Bool
  private let file: TraceOutput?
  /// The trace's columns: every row that a cell uses.
  private var columns: [(cell: Int, row: Int)] = []
  private var before: [[Double]] = []
  private var loops = 0
  private var shownLine = 0

  /// - Returns: `nil` if no trace was asked for.
  init?(_ run: FleqRun, toTerminal: Bool, path: String?) throws {
    guard toTerminal || path != nil else { return nil }
    (name, program, sourceLines) = (run.name, run.program, run.sourceLines)
    self.toTerminal = toTerminal
    file = try TraceOutput(toTerminal: false, path: path)
  }

  func begin(_ network: ConstructedNetwork, _ memory: [[Double]]) throws {
    before = memory
    columns = memory.indices.flatMap { cell in (0..<rows(inCell: cell)).map { (cell, $0) } }
    try file?.begin(
      TraceHeader(
        family: "FLEQ", program: name, network: network.name, layers: network.layers.count,
        width: network.width, parameters: network.parameterCount,
        digest: String(network.digest, radix: 16), columns: columns.map { label($0.cell, $0.row) },
        values: columns.map { memory[$0.cell][$0.row] }))
  }

  /// Whether someone will look at where the network looked in the coming loop.
  func needsAttention(_ network: FleqNetwork) -> Bool {
    file?.needsAttention == true && network.columnCount <= FleqNetwork.attentionLimits.columns
      && loops < FleqNetwork.attentionLimits.loops
  }

  func record(_ number: Int, next: Int, memory: [[Double]], attention: [TraceStep.Attention]?) throws {
    loops += 1
    let changes = columns.enumerated().compactMap { index, place -> TraceStep.Change? in
      let (old, new) = (before[place.cell][place.row], memory[place.cell][place.row])
      return old == new ? nil : .init(column: index, before: old, after: new)
    }
    let step = TraceStep(
      loop: loops, position: number, summary: program.describe(number), jumped: next != number + 1,
      changes: changes, output: nil, attention: attention)
    try file?.record(step)
    if toTerminal { show(step, memory) }
    before = memory
  }

  func end(loops: Int, halt: String) throws { try file?.end(loops: loops, halt: halt) }

  // MARK: Names

  private func variable(atCell cell: Int) -> FleqProgram.Variable? {
    program.variables.first { $0.cell <= cell && cell < $0.cell + $0.columns }
  }

  /// Rows beyond a variable's own hold nothing but rounding errors.
  private func rows(inCell cell: Int) -> Int { variable(atCell: cell)?.rows ?? program.blockSize }

  /// `x`, `v[1]`, `A[1,2]`, or the cell's name and the row.
  private func label(_ cell: Int, _ row: Int) -> String {
    guard let variable = variable(atCell: cell) else {
      let name = program.cellNames[cell] ?? "cell \(cell)"
      return program.blockSize == 1 ? name : "\(name)[\(row)]"
    }
    if variable.columns > 1 { return "\(variable.name)[\(row),\(cell - variable.cell)]" }
    return variable.rows > 1 ? "\(variable.name)[\(row)]" : variable.name
  }

  // MARK: Terminal

  private func show(_ step: TraceStep, _ memory: [[Double]]) {
    let number = step.position ?? 0
    let line = program.lines[number]
    if line != shownLine, line > 0, line <= sourceLines.count {
      print(Terminal.colored("line \(line): \(sourceLines[line - 1].drop { $0 == " " })", .faint))
    }
    shownLine = line
    func pad(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(1, width - text.count))
    }
    var text = String(repeating: " ", count: max(0, 6 - String(step.loop).count)) + "\(step.loop)  "
    text += Terminal.colored(pad("pc \(number)", 9), .faint) + pad(step.summary, 44)
    let cells = Set(step.changes.map { columns[$0.column].cell }).sorted()
    if !cells.isEmpty {
      text += Terminal.colored(cells.map { shown($0, memory) }.joined(separator: "  "), .cyan)
    }
    if step.jumped { text += Terminal.colored("  jumps to \(program.instructions[number].target)", .yellow) }
    while text.last == " " { text.removeLast() }
    print(text)
  }

  /// `[18]: 0.25 −1.5`, without the zeros at the end; rounded, unlike in the files.
  private func shown(_ cell: Int, _ memory: [[Double]]) -> String {
    var numbers = memory[cell].prefix(rows(inCell: cell)).map(FleqRun.text)
    while numbers.count > 1, numbers.last == "0" { numbers.removeLast() }
    return "[\(cell)]: \(numbers.joined(separator: " "))"
  }
}
