import ArgumentParser
import CommandSupport
import Foundation
import LanguageModel
import Logging
import Serving
import Tensors

/// `looped serve`: a product of its own, so that nobody else builds what only a server needs.
struct LoopedServe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a model over HTTP, in OpenAI's terms, with a page at /.",
    discussion: """
      Listens on this machine alone unless told otherwise. SIGTERM and Ctrl-C stop it: running answers get a while.

        looped serve
        looped serve -m Ouro-1.4B-Thinking --weights int4 --port 8080 --api-key-file key.txt
        looped serve --random 135m --host 0.0.0.0 --api-key secret --tls-certificate c.pem --tls-key k.pem
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var loop: LoopOptions
  @OptionGroup var listening: ListeningOptions
  @OptionGroup var limits: LimitOptions

  @Option(help: "Random weights of this shape instead: 1.4b and 2.6b (Ouro), 135m (SmolLM2).")
  var random: RandomShape?

  @Option(help: "The model's name for clients; the last part of its path without it.")
  var alias: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Drafts the next tokens from early loops and checks them in the same pass: the same text, sooner.")
  var wavefront = false

  @Option(
    help: "trace, debug, info, notice, warning, error or critical.",
    transform: { name in
      guard let level = Logger.Level(rawValue: name) else {
        throw ValidationError("there is no such level")
      }
      return level
    })
  var logLevel: Logger.Level = .info

  @Flag(help: "Log lines are JSON.")
  var logJson = false

  func validate() throws {
    if model.model != nil && random != nil { throw ValidationError("give either --model or --random") }
  }

  func run() async throws {
    var settings = ServerSettings()
    settings.alias = alias
    settings.contextLimit = model.contextSize
    settings.sharing = loop.kvSharing
    settings.skippedLoops = loop.skippedLoops
    settings.cacheFormat = loop.format
    settings.drafts = wavefront ? .adaptive : .off
    try listening.apply(to: &settings)
    limits.apply(to: &settings)
    let (path, name) = try source()
    let (model, loop, random) = (model, loop, random)
    if let exit = loop.rule(loops: model.loops) { settings.exit = exit }
    let handler = LineLogHandler(level: logLevel, isJSON: logJson)
    let logger = Logger(label: "looped") { _ in handler }
    let scheme = settings.certificate == nil ? "http" : "https"
    let host = settings.host
    let server = ModelServer(settings, logger: logger)
    try await server.run(
      load: {
        let pool = model.pool
        guard let random else { return (try model.load(path: path ?? "", pool: pool), pool) }
        var shape = random.configuration
        if let loops = model.loops { shape.loops = loops }
        let loaded = try LoadedModel.random(
          shape, name: random.rawValue, format: model.weights ?? .bfloat16, pool: pool)
        return (loaded, pool)
      }, name: name,
      listening: { port in
        let name = host.contains(":") ? "[\(host)]" : host
        FileHandle.standardError.write(Data("listening on \(scheme)://\(name):\(port)/\n".utf8))
      },
      loaded: { loaded in
        FileHandle.standardError.write(Data("serving \(loaded.description)\n".utf8))
      })
  }

  /// Where the model is, and its name.
  private func source() throws -> (path: String?, name: String) {
    if let random { return (nil, "random-\(random.rawValue)") }
    let path = try model.path
    let last = URL(fileURLWithPath: path).lastPathComponent
    return (path, last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last)
  }
}

@main
enum Main {
  static func main() async {
    do {
      let command = try LoopedServe.parse()
      do { try await command.run() } catch let error as any ReportedError {
        error.report()
        exit(1)
      } catch {
        CommandError("cannot serve: \(error)").report()
        exit(1)
      }
    } catch {
      LoopedServe.exit(withError: error)
    }
  }
}
