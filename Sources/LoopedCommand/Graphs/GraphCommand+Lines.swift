import ArgumentParser
import Foundation
import GraphAlgorithms
import TextFiles

/// `--lines`: a graph per line, a result per line, so that thousands of small graphs cost one start of the command.
extension GraphCommand {
  func validateLines() throws {
    guard lines else { return }
    if format != nil && format != .json { throw ValidationError("--lines reads JSON only") }
    for (name, isGiven) in [
      ("--target", target != nil), ("--to", to != nil), ("--picture", picture != nil),
      ("--trace-to", traceTo != nil), ("--verbose", verbose),
    ] where isGiven {
      throw ValidationError("--lines writes results as JSON only: leave out \(name)")
    }
  }

  /// Answers every line before it waits for the next one.
  ///
  /// - Throws: what a line's graph is refused for, with the line's number; results of lines before it are written.
  func runLines(_ algorithm: GraphAlgorithm, _ path: String) throws {
    var reader = try LineReader(path: path)
    let name = path == "-" ? "standard input" : path
    var reachedLimit = false
    while let line = try reader.next() {
      guard !line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) else { continue }
      let run: GraphRun
      do {
        run = try answer(algorithm, line, name, reader.number)
      } catch let error as SourceError {
        throw error
      } catch let error as any ReportedError {
        throw Self.at(reader.number, of: name, line, error)
      }
      if run.end == .interrupted { throw ExitCode(130) }
      if run.end == .loopLimit { reachedLimit = true }
    }
    if Interrupt.isRequested { throw ExitCode(130) }
    if reachedLimit { throw ExitCode(3) }
  }

  private func answer(_ algorithm: GraphAlgorithm, _ line: [UInt8], _ name: String, _ number: Int) throws
    -> GraphRun
  {
    let input = try GraphLine(
      line, file: name, number: number, isDirected: directed ? true : undirected ? false : nil)
    let question = try GraphQuestion(
      algorithm, input.graph, source: input.source ?? source, isFloat32: dataType.map { $0 == .f32 })
    let run = try GraphRun.run(network: network, question, observe: nil)
    guard run.end != .interrupted else { return run }
    var report = GraphReport(question: question, run: run, name: "\(name):\(number)")
    if check && run.end == .finished { try report.check() }
    print(try report.json())
    // Whoever asks line by line waits for this one.
    fflush(nil)
    return run
  }

  /// Shows the beginning of the line, as the whole graph is to blame.
  private static func at(_ number: Int, of name: String, _ line: [UInt8], _ error: any ReportedError)
    -> SourceError
  {
    let parts = "\(error)".components(separatedBy: "\nhint: ")
    var result = SourceError(
      file: name, source: line, offset: 0, message: parts[0], hint: parts.count > 1 ? parts[1] : nil)
    result.line = number
    return result
  }
}
