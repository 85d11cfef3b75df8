import Construction
import Foundation
import Looping
import Machine
import Reporting

/// SUBLEQ programs on the unified-memory network, every state compared with the plain interpreter.
struct MachineStop: TourStop {
  let title = "A programmable computer (Giannou et al. 2023)"

  func run(_ section: inout TourSection) throws {
    for name in ["hello", "calculator", "primes", "bubble-sort", "self-copy"] {
      guard let program = ProgramLibrary[name] else { throw TourFailure("no program \(name)") }
      section.add(try row(program))
    }
    section.paragraph(
      "Each loop executes one instruction: mem[b] ← mem[b] − mem[a]; if the result is ≤ 0, go to c. Below, the network "
        + "multiplies 123 by 45 – step through it, see which cell changes, and where each head looks.")
    section.picture(try TraceViewer.markup(try trace("multiply"), id: "machine"))
  }

  private func row(_ program: LibraryProgram) throws -> TourRow {
    let image = try program.assemble()
    let cells = program.cells ?? image.words.count
    let network = try UnifiedSubleqNetwork(cells: cells)
    let digest = network.network.digest
    var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
    var interpreter = try SubleqInterpreter(image, cells: cells, dialect: network.dialect)
    var input = Array(program.sampleInput.utf8)[...]
    var copy = input
    var output: [UInt8] = []
    let (run, seconds) = try timed {
      try machine.run(
        limit: 1_000_000, read: { input.popFirst() }, write: { output.append($0) },
        observe: { machine, step in
          let expected = try interpreter.step(read: { copy.popFirst() })
          try TourFailure.unless(
            step == expected && machine.memory == interpreter.memory,
            "\(program.name): the network and the interpreter differ after \(step)")
        })
    }
    let text = String(decoding: output, as: UTF8.self)
    try TourFailure.unless(
      run.end == .halted && text == program.expectedOutput,
      "\(program.name) wrote \(text.debugDescription), not \(program.expectedOutput.debugDescription)")
    try TourFailure.unless(network.network.digest == digest, "the weights changed")
    return TourRow(
      "SUBLEQ \(program.name)", result: shortened(text), loops: run.instructions,
      network: network.network, checkedAgainst: "interpreter, every state", seconds: seconds)
  }

  private func trace(_ name: String) throws -> Trace {
    guard let program = ProgramLibrary[name] else { throw TourFailure("no program \(name)") }
    let image = try program.assemble()
    let network = try UnifiedSubleqNetwork(cells: program.cells ?? image.words.count)
    var machine = try SubleqMachine(network, image: image, body: ExactExecutor<Float>(network.network))
    let steps = Collected()
    let tracer = SubleqTracer(network: network, image: image, name: name, recordsAttention: true) {
      steps.all.append($0)
    }
    tracer.begin(machine.state)
    let (instructions, end) = try machine.run(limit: 100_000, observe: { try tracer.record($0, $1) })
    return Trace(
      header: tracer.header, steps: steps.all, end: TraceEnd(loops: instructions, halt: end.description))
  }

  private final class Collected {
    var all: [TraceStep] = []
  }
}

/// The first line of a program's output, cut to fit a table.
func shortened(_ text: String, to count: Int = 24) -> String {
  let line = text.split(separator: "\n").first.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
  return line.count > count ? line.prefix(count - 1) + "…" : line
}
