import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import LanguageModel
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Tensors
import UnixSignals

/// An HTTP server for one model, in OpenAI's terms.
///
/// It listens at once and loads the model meanwhile; `/health` says when it is there. One thread computes all answers.
public final class ModelServer: Sendable {
  public let settings: ServerSettings
  let metrics = ServerMetrics()
  let routes = RouteTable()
  let worker: InferenceWorker
  let logger: Logger
  private let state = ServerState()

  public init(_ settings: ServerSettings, logger: Logger) {
    self.settings = settings
    self.logger = logger
    worker = InferenceWorker(
      engine: InferenceEngine.Settings(
        memoryLimit: settings.cacheBytes, maximumRequests: settings.parallel),
      limits: InferenceWorker.Limits(
        queue: settings.queue, queuePerClient: settings.queuePerClient, prefixBytes: settings.prefixBytes),
      metrics: metrics)
  }

  /// The model.
  /// - Throws: `ServingError` 503 while it is being loaded.
  func model() throws -> ServedModel {
    guard let model = state.model else { throw ServingError.loading }
    return model
  }

  /// Serves until SIGTERM or SIGINT, or until the surrounding task is cancelled: then takes no new requests, gives the
  /// running ones `stopSeconds`, and tells those that are not done. A second signal ends the process at once.
  ///
  /// - Parameters:
  ///   - load: makes the model; called on a thread of its own.
  ///   - listening: called with the port once it is open.
  ///   - loaded: called once the model is there, after `listening`.
  /// - Throws: what `load` throws, and errors of sockets and certificates.
  public func run(
    load: @escaping @Sendable () throws -> (model: LoadedModel, pool: WorkerPool), name: String,
    listening: @escaping @Sendable (Int) -> Void = { _ in },
    loaded: @escaping @Sendable (LoadedModel) -> Void = { _ in }
  ) async throws {
    // Told when the port is open, and when it never will be.
    let opened = DispatchSemaphore(value: 0)
    let application = Application(
      router: makeRouter(), server: try serverBuilder(),
      configuration: ApplicationConfiguration(
        address: .hostname(settings.host, port: settings.port),
        availableConnectionsDelegate: MaximumAvailableConnections(settings.connections)),
      onServerRunning: { channel in
        listening(channel.localAddress?.port ?? 0)
        opened.signal()
      }, logger: quietLogger)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: [application], logger: quietLogger))
    let thread = Thread { [self] in
      do {
        let (model, pool) = try load()
        let served = try ServedModel(
          model, name: settings.alias ?? name, contextLimit: settings.contextLimit)
        state.set(served)
        opened.wait()
        loaded(model)
        worker.run(model, pool: pool)
      } catch {
        state.set(failure: error)
        Task { await group.triggerGracefulShutdown() }
      }
      state.setEnded()
    }
    thread.stackSize = 16 << 20
    thread.start()
    let signals = Task { [self] in
      var count = 0
      for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
        count += 1
        if count > 1 { _exit(130) }
        logger.notice("stopping", metadata: ["signal": "\(signal)", "running": "\(worker.activeCount)"])
        await stop(group)
      }
    }
    defer { signals.cancel() }
    // A task of its own: the cancellation of this one would end the services without letting answers finish.
    let running = Task { try await group.run() }
    do {
      defer { opened.signal() }
      try await withTaskCancellationHandler {
        try await running.value
      } onCancel: {
        Task { await self.stop(group) }
      }
    }
    worker.stop()
    while !state.hasEnded { try? await Task.sleep(for: .milliseconds(10)) }
    if let failure = state.failure { throw failure }
  }

  private func stop(_ group: ServiceGroup) async {
    worker.drain()
    Task { [settings, worker] in
      try? await Task.sleep(for: .seconds(settings.stopSeconds))
      worker.stop()
    }
    await group.triggerGracefulShutdown()
  }

  /// Hummingbird's own lines matter only where something is wrong.
  private var quietLogger: Logger {
    var logger = logger
    logger.logLevel = max(logger.logLevel, .error)
    return logger
  }

  private func serverBuilder() throws -> HTTPServerBuilder {
    let plain = HTTPServerBuilder.http1(
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [UnreadableRequestHandler()],
        idleTimeout: .seconds(Int64(settings.readSeconds)),
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100)))
    guard let certificate = settings.certificate, let key = settings.privateKey else { return plain }
    let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return try .tls(plain, tlsConfiguration: configuration)
  }
}

extension ServingError {
  /// llama.cpp's answer while a model is being loaded.
  static var loading: ServingError {
    ServingError(
      .serviceUnavailable, "Loading model", type: "unavailable_error", code: "503", retryAfter: 1)
  }
}

/// What the server's parts tell each other.
private final class ServerState: @unchecked Sendable {
  private let lock = NSLock()
  private var values: (model: ServedModel?, failure: (any Error)?, hasEnded: Bool) = (nil, nil, false)

  var model: ServedModel? { lock.withLock { values.model } }
  var failure: (any Error)? { lock.withLock { values.failure } }
  var hasEnded: Bool { lock.withLock { values.hasEnded } }

  func set(_ model: ServedModel) { lock.withLock { values.model = model } }
  func set(failure: any Error) { lock.withLock { values.failure = failure } }
  func setEnded() { lock.withLock { values.hasEnded = true } }
}
