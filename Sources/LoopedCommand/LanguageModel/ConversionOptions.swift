import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors

/// What converting and quantising share.
struct ConversionOptions: ParsableArguments {
  @Flag(help: "Every matrix in the type, the readout too.")
  var pure = false
  @Flag(help: "Leave the exit gate out of a GGUF file, for engines that refuse tensors they do not know.")
  var withoutGate = false
  @Option(help: ArgumentHelp("The largest part of a folder's weights, in megabytes.", valueName: "MB"))
  var maxShardSize = 5000
  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp("Threads, as many as processors without it.", valueName: "n"))
  var threads: Int?
  @Flag(help: "One JSON object on standard output.")
  var json = false

  func validate() throws {
    if maxShardSize < 1 { throw ValidationError("--max-shard-size \(maxShardSize): it must be 1 or more") }
    if let threads, threads < 1 { throw ValidationError("--threads \(threads): it must be 1 or more") }
  }

  private struct Report: Encodable {
    struct Exception: Encodable {
      let name: String
      let type: String
    }
    let files: [String]
    let bytes: Int
    let bitsPerWeight: Double
    let exceptions: [Exception]
    let seconds: Double
  }

  /// Writes, with a bar on a terminal; Ctrl-C or a request to end stops between two pieces and removes what there is.
  func run(_ conversion: inout ModelConversion, to path: String) throws {
    conversion.isPure = pure
    conversion.leavesGateOut = withoutGate
    conversion.partBytes = maxShardSize * 1_000_000
    Interrupt.install(for: [SIGINT, SIGTERM])
    let start = ContinuousClock.now
    var bar = ProgressBar(total: 1000, what: "‰ of the weights")
    defer { bar.finish() }
    let pool = threads.map(WorkerPool.init(threads:)) ?? .shared
    let written = try conversion.write(to: path, pool: pool) { done, total in
      if Interrupt.isRequested { throw CommandError("stopped; nothing was written to \(path)") }
      bar.update(Int(1000 * Double(done) / Double(max(total, 1))))
    }
    bar.finish()
    report(written, seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  private func report(_ written: WrittenModel, seconds: Double) {
    if json {
      let report = Report(
        files: written.files, bytes: written.byteCount, bitsPerWeight: written.bitsPerWeight,
        exceptions: written.exceptions.map { .init(name: $0.name, type: $0.type) }, seconds: seconds)
      if let text = try? jsonText(report, [.sortedKeys, .withoutEscapingSlashes]) { print(text) }
      return
    }
    for file in written.files { print(file) }
    print(
      String(
        format: "%.1f MB, %.2f bits per weight, %.1f s", Double(written.byteCount) / 1e6,
        written.bitsPerWeight,
        seconds))
    let exceptions = Dictionary(grouping: written.exceptions, by: \.type)
    for (type, arrays) in exceptions.sorted(by: { $0.key < $1.key }) {
      let names = arrays.prefix(2).map(\.name).joined(separator: ", ")
      print("\(type) instead: \(names)" + (arrays.count > 2 ? " and \(arrays.count - 2) more" : ""))
    }
  }
}
