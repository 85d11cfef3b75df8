import Foundation

/// A peer that stays: it makes its model once and then measures once for every line it is sent, so that its runs alternate
/// with ours in the same minutes. Its first line says what it is; each answer is one JSON object.
final class ServedPeer {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffer = Data()
  let script: String

  /// - Returns: `nil` if the peer's packages are not installed here.
  init?(_ name: String, python: String, arguments: [String]) {
    script = "\(name).py"
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let path = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).appendingPathComponent(
      "peers/\(name).py")
    process.arguments = [python, path.path, "--serve"] + arguments
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil, line() != nil else { return nil }
  }

  deinit { stop() }

  /// Ends the peer, which gives its memory back.
  func stop() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Seconds of one measurement.
  /// - Throws: `PeerFailure` if the peer has ended.
  func measure(_ what: String) throws -> Double {
    input.fileHandleForWriting.write(Data("\(what)\n".utf8))
    guard let line = line(), let answer = try? JSONDecoder().decode([String: Double].self, from: line),
      let seconds = answer[what]
    else { throw PeerFailure(script: script) }
    return seconds
  }

  /// The most memory it holds now, in bytes.
  var memory: Int {
    let status =
      (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") } ?? ""
    return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
  }

  private func line() -> Data? {
    while true {
      if let end = buffer.firstIndex(of: 10) {
        let line = buffer[..<end]
        buffer = Data(buffer[(end + 1)...])
        // Chatter of the libraries is no answer.
        if line.first == UInt8(ascii: "{") { return Data(line) }
        continue
      }
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { return nil }
      buffer += data
    }
  }
}
