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
      case .f32: try run.execute(isDense: executor == .dense, Float.self, trace: output)
      case .f64: try run.execute(isDense: executor == .dense, Double.self, trace: output)
      }
    }
    print(json ? try run.json(executor: executor.rawValue) : run.variables, terminator: json ? "\n" : "")
    if !json && (verbose || run.end != "halted") {
      FileHandle.standardError.write(Data(run.summary.utf8))
    } else if !json {
      print("# \(run.instructions) instructions")
    }
    if run.end != "halted" { throw ExitCode(run.end == "limit" ? 3 : 130) }
  }
}
