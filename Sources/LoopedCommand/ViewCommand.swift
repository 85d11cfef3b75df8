import ArgumentParser
import Foundation
import Looping
import Reporting

struct ViewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "view", abstract: "Show a trace: play it, step by step, back and forth.",
    discussion: """
      Reads what `--trace-to trace.jsonl` of `looped run`, `looped graph`, `looped icl evaluate` and `looped inspect` \
      writes, makes one page of it that needs nothing else, and opens it in the browser. The page of `looped serve` \
      opens the same files.

        looped run primes --trace-to trace.jsonl
        looped view trace.jsonl
      """)

  @Argument(help: "A trace (.jsonl), or - for standard input.")
  var file: String
  @Option(name: .shortAndLong, help: "Write the page to FILE (.html), and open nothing.")
  var output: String?

  /// A page holds 20,000 loops; a few kB each are generous.
  private static let largest = 1 << 30

  func run() throws {
    guard file == "-" || FileManager.default.fileExists(atPath: file) else {
      throw CommandError("no file \(file)", hint: "looped run multiply --trace-to trace.jsonl writes one")
    }
    let trace: Trace
    do {
      trace = try Trace(jsonLines: Data(try readBytes(file, limit: Self.largest)))
    } catch let error as TraceError {
      throw CommandError("\(file == "-" ? "standard input" : file):\(error.line): error: \(error.message)")
    }
    if let output { return try writeFile(try TraceViewer.page(trace), to: output) }
    let page = FileManager.default.temporaryDirectory.appendingPathComponent(
      "looped-trace-\(UUID().uuidString).html")
    try writeFile(try TraceViewer.page(trace), to: page.path)
    guard Self.open(page.path) else {
      // Where there is no browser the page can be fetched.
      print(page.path)
      return
    }
  }

  /// - Returns: whether something was there to open it with.
  private static func open(_ path: String) -> Bool {
    #if os(macOS)
      let command = "open"
    #else
      let command = "xdg-open"
      // Without a screen xdg-open would look for a browser in the terminal.
      let environment = ProcessInfo.processInfo.environment
      guard environment["DISPLAY"] != nil || environment["WAYLAND_DISPLAY"] != nil else { return false }
    #endif
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [command, path]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
