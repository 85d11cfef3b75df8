import Foundation
import HTTPTypes
import Hummingbird
import LanguageModel
import Logging
import NIOCore
import Tokenization

extension ModelServer {
  func addMiddleware(to router: Router<ServingContext>) {
    router.add(middleware: AnswerMiddleware(server: self))
    router.add(middleware: OriginMiddleware(settings: settings))
    router.add(middleware: KeyMiddleware(keys: settings.keys, routes: routes))
  }
}

/// The outermost: errors get their shape, responses are counted and logged.
struct AnswerMiddleware: RouterMiddleware {
  typealias Context = ServingContext

  let server: ModelServer

  func handle(
    _ request: Request, context: ServingContext, next: (Request, ServingContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    var response: Response
    do { response = try await next(request, context) } catch {
      let shaped = shape(error, request)
      if shaped.status.code >= 500, shaped.status != .serviceUnavailable {
        server.logger.error("error", metadata: ["path": "\(place(context))", "error": "\(error)"])
      }
      response = shaped.response
      if shaped.status == .methodNotAllowed, let methods = server.routes[request.uri.path] {
        response.headers[.allow] = methods.map(\.rawValue).joined(separator: ", ")
      }
      // The rest of a body that was not read is not worth reading.
      if [.contentTooLarge, .requestTimeout].contains(shaped.status) {
        response.headers[.connection] = "close"
      }
    }
    server.metrics.countResponse(response.status.code)
    for (name, value) in OriginMiddleware.headers(request, server.settings) { response.headers[name] = value }
    if response.headers[.xContentTypeOptions] == nil { response.headers[.xContentTypeOptions] = "nosniff" }
    log(request, context, response, start)
    return response
  }

  private func shape(_ error: any Error, _ request: Request) -> ServingError {
    switch error {
    case let error as DecodingError: return ServingError(decoding: error)
    case is NIOTooManyBytesError:
      return ServingError(
        .contentTooLarge, "the body has more than \(ServingContext.maximumBody) bytes",
        type: "invalid_request_error")
    case let error as HTTPError where error.status == .notFound:
      if server.routes[request.uri.path] != nil {
        return ServingError(
          .methodNotAllowed, "\(request.method.rawValue) is not a method of this path",
          type: "invalid_request_error")
      }
      return ServingError(
        .notFound, "there is no such path; GET /openapi.json lists them", type: "invalid_request_error",
        code: "not_found")
    case let error as any HTTPResponseError:
      return ServingError(error.status, error.status.reasonPhrase, type: "invalid_request_error")
    default: return ServingError(inference: error)
    }
  }

  /// The route, not what a client wrote: paths may hold anything.
  private func place(_ context: ServingContext) -> String { context.endpointPath ?? "-" }

  private func log(
    _ request: Request, _ context: ServingContext, _ response: Response, _ start: ContinuousClock.Instant
  ) {
    var metadata = context.notes.all
    metadata["method"] = "\(request.method.rawValue.prefix(16))"
    metadata["path"] = "\(place(context))"
    metadata["status"] = "\(response.status.code)"
    metadata["client"] = "\(context.client)"
    metadata["ms"] = "\(Int((ContinuousClock.now - start) / .milliseconds(1)))"
    server.logger.info("request", metadata: metadata)
  }
}

extension HTTPField.Name {
  static let xContentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
}

/// Keeps pages of other origins out, unless they are named: browsers send requests to this machine for any page that a
/// person opens.
struct OriginMiddleware: RouterMiddleware {
  typealias Context = ServingContext

  let settings: ServerSettings

  func handle(
    _ request: Request, context: ServingContext, next: (Request, ServingContext) async throws -> Response
  ) async throws -> Response {
    if Self.isLoopback(settings.host), let host = request.head.authority.map(Self.name), !isOurs(host) {
      throw ServingError(
        .forbidden, "the server is not called that; --allowed-hosts names more",
        type: "invalid_request_error", code: "host_not_allowed")
    }
    guard let origin = request.headers[.origin] else { return try await next(request, context) }
    let isSame = request.head.authority.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
    guard isSame || Self.allows(origin, settings) else {
      throw ServingError(
        .forbidden, "pages of this origin may not use the server; --cors-origins allows them",
        type: "invalid_request_error", code: "origin_not_allowed")
    }
    if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
      return Response(status: .noContent)
    }
    return try await next(request, context)
  }

  private func isOurs(_ host: String) -> Bool { Self.isLoopback(host) || settings.hosts.contains(host) }

  static func isLoopback(_ host: String) -> Bool {
    ["localhost", "::1", "[::1]"].contains(host)
      || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
  }

  /// The host without its port.
  static func name(_ authority: String) -> String {
    if authority.hasPrefix("[") { return String(authority.prefix { $0 != "]" }) + "]" }
    return String(authority.prefix { $0 != ":" }).lowercased()
  }

  static func allows(_ origin: String, _ settings: ServerSettings) -> Bool {
    settings.origins.contains("*") || settings.origins.contains(origin)
  }

  /// What lets a page of a named origin read the response.
  static func headers(_ request: Request, _ settings: ServerSettings) -> [(HTTPField.Name, String)] {
    guard let origin = request.headers[.origin], allows(origin, settings) else { return [] }
    return [
      (.accessControlAllowOrigin, origin), (.vary, "Origin"),
      (.accessControlAllowMethods, "GET, POST, OPTIONS"),
      (.accessControlAllowHeaders, "Authorization, Content-Type"), (.accessControlMaxAge, "600"),
    ]
  }
}

/// Asks for a key. `/health` and what is not of the model (the page's own files) need none.
struct KeyMiddleware: RouterMiddleware {
  typealias Context = ServingContext

  let keys: [String]
  let routes: RouteTable

  func handle(
    _ request: Request, context: ServingContext, next: (Request, ServingContext) async throws -> Response
  ) async throws -> Response {
    guard !keys.isEmpty, !isPublic(request) else { return try await next(request, context) }
    let given = request.headers[.authorization].flatMap { header -> String? in
      let parts = header.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
      return String(parts[1])
    }
    // All keys are compared, so that the time does not tell which one was near.
    var isKnown = false
    for key in keys where Self.isEqual(given ?? "", key) { isKnown = true }
    guard isKnown else {
      throw ServingError(
        .unauthorized,
        given == nil ? "an API key is needed: Authorization: Bearer …" : "the API key is wrong",
        type: "authentication_error", code: "invalid_api_key")
    }
    return try await next(request, context)
  }

  private func isPublic(_ request: Request) -> Bool {
    let path = request.uri.path
    if request.method == .options || path == "/health" || path == "/v1/health" { return true }
    guard request.method == .get || request.method == .head else { return false }
    if PageAsset.all.contains(where: { path == "/" + $0.path }) { return true }
    return !path.hasPrefix("/v1") && !path.hasPrefix("/looped/") && routes[path] == nil
  }

  /// Takes the same time wherever two texts differ.
  static func isEqual(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var difference = a.count ^ b.count
    for place in 0..<b.count { difference |= Int((place < a.count ? a[place] : 0) ^ b[place]) }
    return difference == 0
  }
}
