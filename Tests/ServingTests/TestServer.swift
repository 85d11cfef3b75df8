import Foundation
import LanguageModel
import Logging
import Tensors

@testable import Serving

/// A server on a free port with a small random model.
struct TestServer {
  /// Ouro with two layers, three loops and a gate.
  static let loaded: LoadedModel = {
    let configuration = ModelConfiguration(
      family: .ouro, vocabularySize: 300, hiddenSize: 64, layers: 2, heads: 4, keyValueHeads: 4, headSize: 16,
      intermediateSize: 96, loops: 3, contextLength: 8192, ropeBase: 1e4, hasExitGate: true)
    // The tokenizer is made here: it cannot be wrong.
    return try! LoadedModel.random(configuration, name: "tiny")
  }()

  static var settings: ServerSettings {
    var settings = ServerSettings()
    settings.port = 0
    settings.stopSeconds = 0.2
    return settings
  }

  /// Runs a server while `body` runs.
  static func run<Result: Sendable>(
    _ settings: ServerSettings = settings, loading: @escaping @Sendable () -> Void = {},
    waits: Bool = true, _ body: @escaping @Sendable (RawClient, ModelServer) async throws -> Result
  ) async throws -> Result {
    let server = ModelServer(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let (ports, port) = AsyncStream<Int>.makeStream()
    let (models, model) = AsyncStream<Void>.makeStream()
    return try await withThrowingTaskGroup(of: Result?.self) { group in
      group.addTask {
        try await server.run(
          load: {
            loading()
            return (loaded, WorkerPool(threads: 1))
          }, name: "tiny", listening: { port.yield($0) }, loaded: { _ in model.yield() })
        return nil
      }
      var numbers = ports.makeAsyncIterator()
      guard let number = await numbers.next() else { throw RawClient.Failure() }
      if waits {
        var signs = models.makeAsyncIterator()
        await signs.next()
      }
      defer { group.cancelAll() }
      return try await body(RawClient(port: number), server)
    }
  }

  /// Waits until something holds, for up to a minute.
  static func eventually(_ condition: @Sendable () -> Bool) async throws -> Bool {
    for _ in 0..<6000 {
      if condition() { return true }
      try await Task.sleep(for: .milliseconds(10))
    }
    return false
  }
}
