import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

extension ModelServer {
  /// The page at `/`, and what its views ask of the networks: `/looped/…`.
  ///
  /// | | |
  /// |---|---|
  /// | GET /looped/examples | `PageExamples` |
  /// | POST /looped/programs/run | `ProgramRequest` → `ProgramResponse` |
  /// | POST /looped/graphs/run | `GraphRequest` → `GraphResponse` |
  /// | POST /looped/graphs/read | `GraphFileRequest` → `GraphRequest.Drawing` |
  /// | POST /looped/in-context/fit | `LearnerRequest` → `LearnerResponse` |
  ///
  /// Every run is bounded by `PageLimits` and made away from the threads that answer requests, one at a time.
  func addPageRoutes(to router: Router<ServingContext>) {
    for asset in PageAsset.all {
      let response = PageAnswer(asset)
      router.get(RouterPath("/" + asset.path)) { _, _ in response.response }
    }
    let service = PageService()
    router.get("/looped/examples") { _, _ in try await service.answer { try PageExamples($0, $1) } }
    router.post("/looped/programs/run") { [self] request, _ in
      let question = try await read(ProgramRequest.self, from: request)
      return try await service.answer { _, limits in try question.run(limits) }
    }
    router.post("/looped/graphs/run") { [self] request, _ in
      let question = try await read(GraphRequest.self, from: request)
      return try await service.answer { _, limits in try question.run(limits) }
    }
    router.post("/looped/graphs/read") { [self] request, _ in
      let question = try await read(GraphFileRequest.self, from: request)
      return try await service.answer { _, limits in try question.read(limits) }
    }
    router.post("/looped/in-context/fit") { [self] request, _ in
      let question = try await read(LearnerRequest.self, from: request)
      return try await service.answer { learner, limits in try learner.fit(question, limits) }
    }
  }

  private func read<Question: Decodable & Sendable>(_ type: Question.Type, from request: Request) async throws
    -> Question
  {
    var request = request
    return try await decode(type, from: &request)
  }
}

/// Answers what the views ask.
struct PageService: Sendable {
  let limits = PageLimits()
  private let work = PageWork()
  private let learner = LazyLearner()

  func answer<Answer: Encodable & Sendable>(
    _ make: @escaping @Sendable (PageLearner, PageLimits) throws -> Answer
  ) async throws -> Response {
    let (learner, limits) = (learner, limits)
    let bytes = try await work.run { try PageAnswer.encode(make(learner.loaded(), limits)) }
    return PageAnswer(bytes, type: "application/json").response
  }
}

/// The learner, read when it is first asked for.
private final class LazyLearner: @unchecked Sendable {
  private let lock = NSLock()
  private var learner: PageLearner?

  func loaded() throws -> PageLearner {
    try lock.withLock {
      if let learner { return learner }
      let new = try PageLearner()
      learner = new
      return new
    }
  }
}

/// Bytes with their headers.
struct PageAnswer: Sendable {
  var bytes: [UInt8]
  var headers: HTTPFields

  init(_ bytes: [UInt8], type: String) {
    self.bytes = bytes
    headers = [.contentType: type]
    headers[.cacheControl] = "no-store"
  }

  init(_ asset: PageAsset) {
    self.init(asset.bytes, type: asset.type)
    for (name, value) in PageAsset.headers {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
  }

  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return Array(try encoder.encode(value))
  }

  var response: Response {
    Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
