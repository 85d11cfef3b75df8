import ArgumentParser
import CommandSupport
import Foundation

/// Starts the server, which is a product of its own: this command builds without what it needs.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a model over HTTP, with a page to chat and to see the loops.",
    discussion: """
      `looped serve --help` lists the options once looped-serve is built, which the script ./looped does by itself.
      """)

  @Argument(parsing: .captureForPassthrough)
  var arguments: [String] = []

  /// The server, beside this program; `nil` where it is not built.
  static var program: String? {
    let own = URL(fileURLWithPath: CommandLine.arguments[0])
    let here = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      .map { URL(fileURLWithPath: $0) }
    let places = [here, Optional(own)].compactMap { $0?.deletingLastPathComponent() }
      .map { $0.appendingPathComponent("looped-serve").path }
    return places.first(where: FileManager.default.isExecutableFile)
  }

  func run() throws {
    guard let path = Self.program else {
      throw CommandError(
        "looped-serve is not built",
        hint: "`./looped serve` builds it, or: LOOPED_SERVING=1 swift build -c release --product looped-serve"
      )
    }
    // The server takes this process's place, so that signals reach it.
    let words = ([path] + arguments).map { strdup($0) } + [nil]
    execv(path, words)
    throw CommandError("\(path) cannot be started: \(String(cString: strerror(errno)))")
  }
}
