import Foundation
import HTTPTypes
import Hummingbird

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
  router.get("/looped/examples") { _, _ in await service.answer { try PageExamples($0, $1) } }
  router.post("/looped/programs/run") { request, _ in
    await service.answer(request, ProgramRequest.self) { try $0.run($2) }
  }
  router.post("/looped/graphs/run") { request, _ in
    await service.answer(request, GraphRequest.self) { try $0.run($2) }
  }
  router.post("/looped/graphs/read") { request, _ in
    await service.answer(request, GraphFileRequest.self) { try $0.read($2) }
  }
  router.post("/looped/in-context/fit") { request, _ in
    await service.answer(request, LearnerRequest.self) { try $1.fit($0, $2) }
  }
}

/// Answers what the views ask, or says why not.
struct PageService: Sendable {
  /// Larger than any text a view may send, with its escapes.
  static let largestBody = 1 << 20

  let limits = PageLimits()
  private let work = PageWork()
  private let learner = LazyLearner()

  func answer<Answer: Encodable & Sendable>(
    _ make: @escaping @Sendable (PageLearner, PageLimits) throws -> Answer
  ) async -> Response {
    do {
      let (learner, limits) = (learner, limits)
      let bytes = try await work.run { try PageAnswer.encode(make(learner.loaded(), limits)) }
      return PageAnswer(bytes, type: "application/json").response
    } catch {
      return PageAnswer(error).response
    }
  }

  func answer<Question: Decodable & Sendable, Answer: Encodable & Sendable>(
    _ request: Request, _ type: Question.Type,
    _ make: @escaping @Sendable (Question, PageLearner, PageLimits) throws -> Answer
  ) async -> Response {
    let question: Question
    do {
      let body = try await request.body.collect(upTo: Self.largestBody)
      question = try JSONDecoder().decode(Question.self, from: Data(body.readableBytesView))
    } catch {
      return PageAnswer(error).response
    }
    return await answer { try make(question, $0, $1) }
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
  var status = HTTPResponse.Status.ok
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

  /// The shape of every error of this server, and for the page a hint and a place in the text.
  init(_ error: any Error) {
    struct Body: Encodable {
      struct Fault: Encodable {
        var message: String
        var type: String
        var code: String?
        var param: String?
        var hint: String?
        var line: Int?
        var column: Int?
      }
      var error: Fault
    }
    var fault = Body.Fault(message: "", type: "invalid_request_error")
    var status = HTTPResponse.Status.badRequest
    switch error {
    case let refusal as PageRequestError:
      (fault.message, fault.param, fault.hint) = (refusal.message, refusal.field, refusal.hint)
      (fault.line, fault.column) = (refusal.line, refusal.column)
    case let wrong as DecodingError: (fault.message, fault.param) = Self.explain(wrong)
    case is PageBusy:
      (status, fault.type) = (.tooManyRequests, "rate_limit_error")
      fault.message = "too many runs are waiting; try again in a moment"
    case let known as any HTTPResponseError:
      (status, fault.message) = (known.status, "the request's body cannot be read: \(known.status)")
    default:
      // What went wrong inside is no business of the client's.
      (status, fault.type, fault.message) = (.internalServerError, "server_error", "the run failed")
    }
    self.init((try? Self.encode(Body(error: fault))) ?? [], type: "application/json")
    self.status = status
  }

  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return Array(try encoder.encode(value))
  }

  /// What is wrong with a request's JSON, and which field.
  private static func explain(_ error: DecodingError) -> (String, String?) {
    func path(_ keys: [any CodingKey]) -> String? {
      keys.isEmpty ? nil : keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
      let field = path(context.codingPath + [key])
      return ("\(field ?? "a field") is missing", field)
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let field = path(context.codingPath)
      return ("\(field ?? "the request") is not of the right type", field)
    case .dataCorrupted(let context):
      let field = path(context.codingPath)
      return (field.map { "\($0) cannot be read" } ?? "the request is not JSON", field)
    @unknown default: return ("the request cannot be read", nil)
    }
  }

  var response: Response {
    Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
