import ArgumentParser
import Foundation
import Machine

extension RunCommand {
  /// `looped run program.fleq`: variables at the end instead of characters on the way.
  func runFleq(_ text: [UInt8], name: String) throws {
    guard inverseTemperature == nil else {
      throw CommandError(
        "--inverse-temperature is for SUBLEQ",
        hint: "FLEQ computes with softmax and selects with hard attention")
    }
    Interrupt.install()
    var run = try FleqRun(name: name, source: text, limit: limit)
    if executor == .interpreter {
      guard !trace && traceTo == nil else {
        throw CommandError("a trace needs a network: leave out --executor")
      }
      try run.interpret()
    } else {
      let output = try FleqTrace(run, toTerminal: trace, path: traceTo)
      switch dataType ?? .f64 {
      case .f16:
        throw CommandError(
          "FLEQ computes with real numbers, and f16 has too few digits", hint: "use f32 or f64")
      case .f32: try run.execute(isDense: executor == .dense, Float.self, trace: output)
      case .f64: try run.execute(isDense: executor == .dense, Double.self, trace: output)
      }
    }
    print(json ? try run.json(executor: executor.rawValue) : run.variables, terminator: json ? "\n" : "")
    if !json && !verbose {
      print("# \(run.instructions) instructions" + (run.end == "halted" ? "" : ", \(run.end)"))
    }
    var notes = verbose && !json ? run.summary : ""
    if run.end == "halted" && executor != .interpreter && !json { notes += try accuracy(of: run) }
    FileHandle.standardError.write(Data(notes.utf8))
    if run.end != "halted" { throw ExitCode(run.end == "limit" ? 3 : 130) }
  }

  /// The network computes with softmax; where that is no longer close to plain arithmetic, nobody should miss it.
  private func accuracy(of run: FleqRun) throws -> String {
    let difference: (text: String, relative: Double)?
    do { difference = try run.largestDifference() } catch let fault as FleqFault {
      return "note: in plain double precision the program ends with an error: \(fault)\n"
    }
    guard let (text, relative) = difference else {
      return "note: in plain double precision the program would still be running\n"
    }
    if relative > 1e-3 {
      return "note: \(text), which plain double precision finds\n"
        + "hint: a product x · y is good while it stays below \(dataType == .f32 ? "2^4 (2^16 with f64)" : "2^16")\n"
    }
    return verbose ? String(format: "largest difference from plain double precision: %.1e\n", relative) : ""
  }
}
