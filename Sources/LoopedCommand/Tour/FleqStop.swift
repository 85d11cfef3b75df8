import Construction
import Foundation
import Looping
import Machine

/// Programs with matrices on the FLEQ network, followed instruction by instruction in plain double precision.
struct FleqStop: TourStop {
  let title = "Mathematics on the same computer: FLEQ"

  /// The networks' sums of sigmoids are good for five digits, products for more; see Documentation/Fleq.md.
  private static let tolerance = 1e-4

  func run(_ section: inout TourSection) throws {
    for program in FleqLibrary.all { section.add(try row(program)) }
    section.paragraph(
      "mem[c] ← f(mem[a], mem[b]); if mem[flag] ≤ 0 go to p – every f computed by attention: products by a linearised "
        + "softmax, √, exp, log and sin by sums of 32 sigmoids, each of which is one head. This program learns exclusive "
        + "or by backpropagation, on a network whose weights never change:")
    if let program = FleqLibrary["backpropagation"] {
      section.preformatted(String(decoding: program.source, as: UTF8.self))
    }
  }

  private func row(_ library: FleqLibraryProgram) throws -> TourRow {
    let program = try library.compile()
    let network = try FleqNetwork(for: program)
    let digest = network.network.digest
    var machine = try FleqMachine(program, network: network, body: ExactExecutor<Double>(network.network))
    var interpreter = try FleqInterpreter(program)
    var largest = 0.0
    let (run, seconds) = try timed {
      try machine.run(limit: 100_000) { machine in
        let written = program.instructions[interpreter.programCounter].c
        try interpreter.step()
        try TourFailure.unless(
          try machine.programCounter == interpreter.programCounter,
          "\(library.name): the network takes another way than plain arithmetic")
        guard !written.isIndirect else { return }
        for cell in written.cell..<(written.cell + written.columns) {
          for (found, exact) in zip(machine.value(inCell: cell), interpreter.memory[cell]) {
            largest = max(largest, abs(found - exact) / max(1, abs(exact)))
          }
        }
      }
    }
    try TourFailure.unless(
      run.ended && network.network.digest == digest, "\(library.name) did not end as it must")
    try TourFailure.unless(largest < Self.tolerance, "\(library.name) is off by \(largest)")
    let last = program.variables.last { $0.rows == 1 && $0.columns == 1 } ?? program.variables.last
    let result = last.map { variable in
      let value = machine.value(inCell: variable.cell)[0]
      return variable.name + (variable.columns * variable.rows == 1 ? "" : "[0, 0]") + " = "
        + FleqRun.text(value)
    }
    return TourRow(
      "FLEQ \(library.name)", result: result ?? "", loops: run.instructions, network: network.network,
      checkedAgainst: String(format: "doubles, off by %.0e", largest), seconds: seconds)
  }
}
