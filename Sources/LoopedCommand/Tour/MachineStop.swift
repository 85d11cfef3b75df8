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
    section.add(try row(PaperSubleqNetwork.self, "the paper's network"))
    section.add(try row(CompactSubleqNetwork.self, "compact network"))
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

  /// 7 × 9 for separate memories: the program of Examples/multiply.csv.
  private static let product = "2,4,1,0\n6,3,4,-1\n4,2,3,7\n5,5,1,9\n0,1,4,0\n,,,0\n,,,1\n"

  private func row<Network: SeparateSubleqNetwork>(_ type: Network.Type, _ name: String) throws -> TourRow {
    let program = try SeparateProgramFile.read(Array(Self.product.utf8), file: "multiply.csv")
    let network = try type.init(for: program, wordBits: 16)
    let digest = network.network.digest
    var machine = try SeparateMachine(
      network, program: program, body: DenseExecutor<Float>(network.network))
    var interpreter = try SeparateInterpreter(program, wordBits: 16)
    let (run, seconds) = try timed {
      try machine.run(limit: 1000) { machine, step in
        let expected = try interpreter.step()
        try TourFailure.unless(
          step == expected && machine.data == interpreter.data,
          "\(name): the network and the interpreter differ after \(step)")
      }
    }
    try TourFailure.unless(
      run.end == .fixedPoint && machine.word(inCell: 2) == 63, "\(name): 7 × 9 is not 63")
    try TourFailure.unless(network.network.digest == digest, "the weights changed")
    return TourRow(
      "SUBLEQ 7 × 9, \(name)", result: "63", loops: run.loops, network: network.network,
      checkedAgainst: "interpreter, every state", seconds: seconds)
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
