import Foundation

/// Commands as users run them.
enum Command {
  /// What a command prints.
  /// - Throws: `PeerFailure` if it fails.
  @discardableResult
  static func run(_ executable: URL, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw PeerFailure(script: ([executable.lastPathComponent] + arguments).joined(separator: " "))
    }
    return data
  }

  /// Our own command, which `./looped` builds when it is not there.
  @discardableResult
  static func looped(_ arguments: [String]) throws -> Data {
    try run(URL(fileURLWithPath: "../looped"), arguments)
  }

  /// SmolLM2's file, fetched if it is not there.
  static func smolLM2() throws -> String {
    try looped(["models", "--fetch"])
    let lines = String(decoding: try looped(["models"]), as: UTF8.self).split(separator: "\n")
    return lines.last?.split(separator: " ").last.map(String.init) ?? ""
  }
}
