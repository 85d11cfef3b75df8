import ArgumentParser
import Foundation
import Reporting
import Tensors

/// What every `experiment` command takes: where runs are trained, and where the report goes.
struct ExperimentOptions: ParsableArguments {
  @Option(help: "The folder of all runs.") var runs = "runs/experiments"
  @Option(
    name: .shortAndLong, help: "The folder of the report. (default: the experiment's name without .yaml)")
  var output: String?
  @Flag(help: "Write the report from the results there are, without training or measuring.") var reportOnly =
    false
  @Flag(help: "Leave out runs that are not trained, and say so, instead of training them.") var trainedOnly =
    false

  /// The folder of the report, made where it is not there.
  /// - Throws: `CommandError`.
  func folder(of experiment: String) throws -> ReportFolder {
    let folder =
      output ?? (experiment.hasSuffix(".yaml") ? String(experiment.dropLast(5)) : experiment + "-report")
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CommandError("cannot make the folder \(folder): \(error.localizedDescription)")
    }
    return ReportFolder(path: folder)
  }

  /// Says that a run is begun, or left out. - Returns: whether it is to be trained.
  func announce(_ run: String, in folder: String) -> Bool {
    FileHandle.standardError.write(
      Data((trainedOnly ? "left out, not trained: \(run)\n" : "training \(run) into \(folder)\n").utf8))
    return !trainedOnly
  }
}

/// A folder with report.md, its figures and results.json.
struct ReportFolder {
  let path: String

  private var results: String { path + "/results.json" }

  /// - Throws: `CommandError` if there is nothing, or not what `isWhole` asks for.
  func measurements<Evaluation: Decodable>(
    _ type: Evaluation.Type, isWhole: (Evaluation) -> Bool = { _ in true }
  ) throws -> [Evaluation] {
    guard let data = FileManager.default.contents(atPath: results),
      let read = try? JSONDecoder().decode([Evaluation].self, from: data), read.allSatisfy(isWhole)
    else {
      throw CommandError("\(results) holds no measurements\nhint: leave out --report-only to make them")
    }
    return read
  }

  /// Keeps measurements, one run a line.
  func keep(_ evaluations: [some Encodable]) throws {
    try AtomicFile.write([Array(try Self.json(evaluations).utf8)], to: results)
  }

  static func json(_ evaluations: [some Encodable]) throws -> String {
    let lines = try evaluations.map { try jsonText($0, [.sortedKeys, .withoutEscapingSlashes]) }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
  }

  /// Writes the figures and the report, and prints what became of the claims.
  func write(_ document: ExperimentDocument) throws {
    for figure in document.figures {
      try AtomicFile.write([Array((figure.chart.text + "\n").utf8)], to: "\(path)/\(figure.name).svg")
    }
    try AtomicFile.write([Array(document.markdown.utf8)], to: path + "/report.md")
    print(document.summary, terminator: "")
  }
}
