import Foundation
import Hummingbird
import LanguageModel
import Tokenization

extension ModelServer {
  func addModelRoutes(to router: Router<ServingContext>) {
    for path in ["/health", "/v1/health"] {
      router.get(RouterPath(path)) { [self] _, _ in
        _ = try model()
        return json(["status": "ok"])
      }
    }
    for path in ["/v1/models", "/models"] {
      router.get(RouterPath(path)) { [self] _, _ in json(ModelList(data: [ModelEntry(try model())])) }
    }
    router.get("/v1/models/**") { [self] _, context in
      let model = try model()
      guard context.parameters.getCatchAll().joined(separator: "/").removingPercentEncoding == model.name
      else {
        throw ServingError(
          .notFound, "there is no such model; GET /v1/models names the one that is served",
          type: "invalid_request_error", code: "model_not_found", parameter: "model")
      }
      return json(ModelEntry(model))
    }
    for path in ["/v1/chat/completions", "/chat/completions"] {
      router.post(RouterPath(path)) { [self] request, context in
        var request = request
        return try await chat(&request, context)
      }
    }
    for path in ["/v1/completions", "/completions"] {
      router.post(RouterPath(path)) { [self] request, context in
        var request = request
        return try await complete(&request, context)
      }
    }
    addTokenizerRoutes(to: router)
    router.get("/metrics") { [self] _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text)))
    }
    router.get("/openapi.json") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
    }
  }

  private func chat(_ request: inout Request, _ context: ServingContext) async throws -> Response {
    let model = try model()
    let body = try await decode(ChatRequest.self, from: &request)
    let messages = try body.conversation()
    let alternatives = try body.alternatives()
    let text: String
    do { text = try model.render(messages) } catch { throw ServingError(inference: error) }
    let prompt = model.tokenizer.encode(text)
    let job = try job(
      "chatcmpl", body.fields, [prompt], model, usual: settings.defaultMaximumTokens,
      alternatives: alternatives, echoes: false, parameter: "messages")
    context.note(job)
    return try await respond(to: request, context, ChatFormat(job: job))
  }

  private func complete(_ request: inout Request, _ context: ServingContext) async throws -> Response {
    let model = try model()
    let body = try await decode(CompletionRequest.self, from: &request)
    try body.check()
    let prompts = try body.prompts.values.map { try CompletionRequest.tokens($0, model) }
    let echoes = body.echo == true
    let job = try job(
      "cmpl", body.fields, prompts, model, usual: 16, alternatives: body.logProbabilities, echoes: echoes,
      parameter: "prompt")
    context.note(job)
    let texts = zip(body.prompts.values, prompts).map { prompt, tokens in
      if case .text(let text) = prompt { text } else { model.tokenizer.decode(tokens) }
    }
    return try await respond(
      to: request, context, CompletionFormat(job: job, echoes: echoes ? texts : []))
  }

  /// What a request has come to.
  /// - Parameters:
  ///   - usual: the longest answer where the request does not say.
  ///   - parameter: the field that holds the prompt.
  /// - Throws: `ServingError`.
  private func job(
    _ kind: String, _ fields: GenerationFields, _ prompts: [[TokenID]], _ model: ServedModel, usual: Int,
    alternatives: Int?, echoes: Bool, parameter: String
  ) throws -> AnswerJob {
    try fields.checkSupported(settings)
    let looped = fields.looped ?? LoopedFields()
    let choices = fields.n ?? 1
    guard prompts.count * choices <= settings.maximumChoices else {
      throw ServingError.invalid(
        "\(prompts.count) prompts with \(choices) answers each are more than \(settings.maximumChoices)",
        parameter: parameter)
    }
    let policy = try looped.policy(model.configuration, settings)
    let sharing = try looped.sharing(settings)
    let predictions = try looped.tracedPredictions()
    let sampling = try fields.sampling(model, logProbabilities: alternatives)
    let skipped = try looped.skippedLoops(settings)
    let stops = try fields.stops()
    let ends = fields.ignoresEnd == true ? [] : Set(model.loaded.generation.endTokens)
    let drafts = looped.wavefront.map { $0 ? DraftSettings.adaptive : .off } ?? settings.drafts
    var requests: [InferenceRequest] = []
    for prompt in prompts {
      let length = try fields.answerLength(
        prompt: prompt.count, default: usual, limit: model.contextLimit, parameter: parameter)
      for choice in 0..<choices {
        var sampling = sampling
        sampling.seed &+= UInt64(choice)
        requests.append(
          InferenceRequest(
            prompt: prompt,
            settings: GenerationSettings(
              sampling: sampling, exit: policy, skippedLoops: skipped, maximumTokens: length,
              stopStrings: stops, endTokens: ends),
            cacheFormat: settings.cacheFormat, sharing: sharing,
            drafts: sharing == .full ? drafts : .off, predictionsPerLoop: predictions))
      }
    }
    return AnswerJob(
      id: "\(kind)-\(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())",
      created: Int(Date().timeIntervalSince1970), model: model, generations: requests, perPrompt: choices,
      usesPrefixes: fields.usesPrefixes ?? true, scoresPrompt: echoes ? alternatives : nil,
      streams: fields.stream == true, includesUsage: fields.streamOptions?.includeUsage == true,
      tellsLogProbabilities: alternatives != nil, traces: predictions != nil)
  }

  /// The body as JSON.
  /// - Throws: `ServingError` 400, 408 if it does not arrive in time, 413 if it is too large.
  func decode<Body: Decodable & Sendable>(_ type: Body.Type, from request: inout Request) async throws -> Body
  {
    let seconds = settings.readSeconds
    let limit = ServingContext.maximumBody
    let incoming = request
    let collected = try await withThrowingTaskGroup(of: Request?.self) { group in
      group.addTask {
        var request = incoming
        _ = try await request.collectBody(upTo: limit)
        return request
      }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    guard var collected else {
      throw ServingError(
        .requestTimeout, "the body did not arrive within \(seconds) seconds", type: "invalid_request_error")
    }
    let buffer = try await collected.collectBody(upTo: limit)
    request = collected
    return try JSONDecoder().decode(Body.self, from: Data(buffer.readableBytesView))
  }

  func json(_ value: some Encodable) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: jsonData(value))))
  }
}

/// `GET /v1/models`.
struct ModelList: Encodable {
  var object = "list"
  var data: [ModelEntry]
}

/// One model, with what is particular to looped ones.
struct ModelEntry: Encodable {
  struct Looped: Encodable {
    var loops: Int
    var layers: Int
    var hasExitGate: Bool
    var contextLength: Int
    var parameters: Int
    private enum CodingKeys: String, CodingKey {
      case loops, layers, parameters
      case hasExitGate = "exit_gate"
      case contextLength = "context_length"
    }
  }

  var id: String
  var object = "model"
  var created: Int
  var owner = "looped"
  var looped: Looped

  private enum CodingKeys: String, CodingKey {
    case id, object, created, looped
    case owner = "owned_by"
  }

  init(_ model: ServedModel) {
    id = model.name
    created = model.created
    let c = model.configuration
    looped = Looped(
      loops: c.loops, layers: c.layers, hasExitGate: c.hasExitGate, contextLength: model.contextLimit,
      parameters: c.parameterCount)
  }
}
