import Foundation
import HTTPTypes
import Hummingbird

extension ModelServer {
  /// The routes of everything that is served, behind limits, the key, and errors of one shape.
  func makeRouter() -> Router<ServingContext> {
    let router = Router(context: ServingContext.self)
    addMiddleware(to: router)
    addModelRoutes(to: router)
    addPageRoutes(to: router)
    routes.note(router)
    return router
  }
}

/// The paths that there are and their methods, for those who ask with another one.
final class RouteTable: @unchecked Sendable {
  private let lock = NSLock()
  private var methods: [String: [HTTPRequest.Method]] = [:]

  /// Notes the routes of a router that is complete. Paths with parameters match no path of a request.
  func note(_ router: Router<ServingContext>) {
    let methods = Dictionary(grouping: router.routes, by: \.path.description).mapValues { $0.map(\.method) }
    lock.withLock { self.methods = methods }
  }

  /// `nil` if there is no such path.
  subscript(path: String) -> [HTTPRequest.Method]? { lock.withLock { methods[path] } }
}
