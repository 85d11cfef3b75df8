import Foundation
import Hummingbird
import LanguageModel
import NIOCore

/// The answers to one request, from the engine's thread to the one that writes the response.
struct AnswerStream: Sendable {
  enum Part: Sendable {
    case event(Int, GenerationEvent)
    /// It is time for a sign of life.
    case ping
  }

  let parts: AsyncStream<Part>
  let cancel: @Sendable () -> Void
  let beat: @Sendable () -> Void

  /// Queues the answers.
  /// - Throws: `ServingError` if there is no room.
  init(_ job: AnswerJob, client: String, worker: InferenceWorker) throws {
    let (parts, continuation) = AsyncStream<Part>.makeStream()
    let generations = job.generations.enumerated().map { index, request in
      Generation(
        request: request, client: client, usesPrefixes: job.usesPrefixes, scoresPrompt: job.scoresPrompt,
        receive: { continuation.yield(.event(index, $0)) })
    }
    let tickets = try worker.submit(generations)
    self.parts = parts
    cancel = {
      worker.cancel(tickets)
      continuation.finish()
    }
    beat = { continuation.yield(.ping) }
  }
}

extension ModelServer {
  /// The response to a request, whole or as a stream; its answers end when the client goes.
  func respond(
    to request: Request, _ context: ServingContext, _ format: some AnswerFormat
  ) async throws -> Response {
    let stream = try AnswerStream(format.job, client: context.client, worker: worker)
    // Watching for the client's going takes the connection; it cannot serve another request.
    let headers: HTTPFields = [.connection: "close"]
    if format.job.streams { return streamed(request, stream, format, headers, context) }
    return try await whole(request, stream, format, headers)
  }

  private func whole(
    _ request: Request, _ stream: AnswerStream, _ format: some AnswerFormat, _ headers: HTTPFields
  ) async throws -> Response {
    let result: Result<Data, ServingError> = try await request.body.consumeWithInboundCloseHandler { _ in
      var choices = format.job.generations.map { ChoiceState(prompt: $0.prompt) }
      var open = choices.count
      do {
        for await part in stream.parts {
          guard case .event(let index, let event) = part else { continue }
          _ = try choices[index].take(event)
          if choices[index].result != nil, case .finished = event { open -= 1 }
          if open == 0 { return .success(format.whole(choices)) }
        }
      } catch {
        stream.cancel()
        return .failure(ServingError(inference: error))
      }
      return .failure(.cancelled)
    } onInboundClosed: {
      stream.cancel()
    }
    var response: Response
    switch result {
    case .success(let data):
      response = Response(
        status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
      response.headers[.contentType] = "application/json"
    case .failure(let error):
      response = error.response
      response.headers[.connection] = "close"
    }
    return response
  }

  private func streamed(
    _ request: Request, _ stream: AnswerStream, _ format: some AnswerFormat, _ headers: HTTPFields,
    _ context: ServingContext
  ) -> Response {
    var headers = headers
    headers[.contentType] = "text/event-stream"
    headers[.cacheControl] = "no-cache"
    // Proxies that collect responses would hold the stream back.
    headers[.init("X-Accel-Buffering")!] = "no"
    let settings = settings
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { writer in
        let watch = StreamWatch(stream, settings: settings, channel: context.channel)
        defer {
          watch.end()
          stream.cancel()
        }
        try await request.body.consumeWithInboundCloseHandler { _ in
          try await Self.write(stream, format, watch, to: &writer)
        } onInboundClosed: {
          stream.cancel()
        }
        try await writer.finish(nil)
      })
  }

  private static func write(
    _ stream: AnswerStream, _ format: some AnswerFormat, _ watch: StreamWatch,
    to writer: inout any ResponseBodyWriter
  ) async throws {
    var choices = format.job.generations.map { ChoiceState(prompt: $0.prompt) }
    var open = choices.count
    func send(_ events: [Data]) async throws {
      guard !events.isEmpty else { return }
      var buffer = ByteBuffer()
      for event in events {
        buffer.writeString("data: ")
        buffer.writeBytes(event)
        buffer.writeString("\n\n")
      }
      try await watch.writing { try await writer.write(buffer) }
    }
    try await send(choices.indices.compactMap(format.first))
    do {
      for await part in stream.parts {
        switch part {
        case .ping: try await watch.writing { try await writer.write(ByteBuffer(string: ": ping\n\n")) }
        case .event(let index, let event):
          let text = try choices[index].take(event)
          switch event {
          case .scored: try await send([format.scored(index, choices[index])].compactMap { $0 })
          case .token(let token):
            try await send([format.token(index, token, text: text, of: choices[index])].compactMap { $0 })
          case .finished(let result):
            try await send(format.end(index, result, text: text, of: choices[index]))
            open -= 1
          case .failed: break
          }
        }
        if open == 0 { break }
      }
    } catch let error as ServingError {
      try await send([error.json])
      return
    }
    guard open == 0 else { return }
    if format.job.includesUsage { try await send([format.usage(choices)]) }
    try await watch.writing { try await writer.write(ByteBuffer(string: "data: [DONE]\n\n")) }
  }
}

/// Gives signs of life where a stream is silent, and closes a connection whose client takes nothing.
final class StreamWatch: @unchecked Sendable {
  private let lock = NSLock()
  private var lastWrite = ContinuousClock.now
  private var isWriting = false
  private var task: Task<Void, Never>?

  init(_ stream: AnswerStream, settings: ServerSettings, channel: (any Channel)?) {
    let step = min(settings.pingSeconds, settings.writeSeconds) / 4
    task = Task { [weak self] in
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(step))
        guard let self, !Task.isCancelled else { return }
        let (silence, isWriting) = self.state
        if isWriting, silence > settings.writeSeconds {
          stream.cancel()
          channel?.close(mode: .all, promise: nil)
          return
        }
        if !isWriting, silence > settings.pingSeconds { stream.beat() }
      }
    }
  }

  private var state: (silence: Double, isWriting: Bool) {
    lock.withLock { ((ContinuousClock.now - lastWrite) / .seconds(1), isWriting) }
  }

  private func note(_ writing: Bool) {
    lock.withLock {
      isWriting = writing
      lastWrite = .now
    }
  }

  func writing(_ body: () async throws -> Void) async throws {
    note(true)
    defer { note(false) }
    try await body()
  }

  func end() { task?.cancel() }
}
