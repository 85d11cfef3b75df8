import Foundation

/// Standard input and output byte by byte, for programs that talk: output is flushed before input is awaited.
struct StandardStreams {
  private var output: [UInt8] = []
  private var input: ArraySlice<UInt8> = []
  private let isInteractive = isatty(STDIN_FILENO) == 1
  /// Everything written, for reports; bounded.
  private(set) var transcript: [UInt8] = []
  private let isQuiet: Bool

  /// - Parameter isQuiet: keeps the output for `transcript` alone.
  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func write(_ byte: UInt8) throws {
    if transcript.count < 1 << 20 { transcript.append(byte) }
    guard !isQuiet else { return }
    output.append(byte)
    if output.count >= 4096 || (byte == 10 && isatty(STDOUT_FILENO) == 1) { try flush() }
  }

  mutating func flush() throws {
    try Output.write(output)
    output.removeAll(keepingCapacity: true)
  }

  /// The next byte; `nil` at the end of the input or when interrupted.
  mutating func read() throws -> UInt8? {
    if let byte = input.popFirst() { return byte }
    try flush()
    var buffer = [UInt8](repeating: 0, count: isInteractive ? 256 : 4096)
    while true {
      let count = Foundation.read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0 && errno == EINTR && !Interrupt.isRequested { continue }
      guard count > 0 else { return nil }
      input = buffer[0..<count]
      return input.popFirst()
    }
  }
}

/// Ctrl-C asks a run to stop; what it has done so far is kept and reported.
enum Interrupt {
  nonisolated(unsafe) private static var requested: sig_atomic_t = 0

  static var isRequested: Bool { requested != 0 }

  /// Forgets a request that was granted: the next Ctrl-C is a first one again.
  static func clear() { requested = 0 }

  /// Installs the handler. Without SA_RESTART, so that a blocked read returns. A second Ctrl-C ends the process.
  /// A second SIGUSR1 does not: batch systems send it to the ranks and to the launcher, which passes it on.
  static func install(for signals: [Int32] = [SIGINT]) {
    var action = sigaction()
    #if canImport(Darwin)
      action.__sigaction_u.__sa_handler = { Interrupt.request(by: $0) }
    #else
      action.__sigaction_handler.sa_handler = { Interrupt.request(by: $0) }
    #endif
    for signal in signals { sigaction(signal, &action, nil) }
  }

  private static func request(by signal: Int32) {
    if requested != 0, signal != SIGUSR1 { _exit(130) }
    requested = 1
  }
}
