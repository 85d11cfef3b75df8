import Hummingbird

extension ModelServer {
  /// The routes of everything that is served, behind limits, the key, and errors of one shape.
  func makeRouter() -> Router<ServingContext> {
    let router = Router(context: ServingContext.self)
    addMiddleware(to: router)
    addModelRoutes(to: router)
    addPageRoutes(to: router)
    return router
  }
}
