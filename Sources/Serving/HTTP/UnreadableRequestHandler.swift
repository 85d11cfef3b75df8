import Foundation
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Gives what is no HTTP a 400 in the shape that all errors have.
///
/// Hummingbird answers such requests before any route or middleware sees them, with an empty response of that status;
/// nothing else here answers 400 without a body.
final class UnreadableRequestHandler: ChannelOutboundHandler, RemovableChannelHandler {
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private static let error = ServingError.invalid(
    "this is no HTTP request: an unknown method, a malformed line, or headers that are too long",
    code: "unreadable_request")

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .head(var head) = unwrapOutboundIn(data), head.status == .badRequest,
      head.headerFields[.contentLength] == "0"
    else { return context.write(data, promise: promise) }
    let body = Self.error.json
    head.headerFields[.contentType] = "application/json"
    head.headerFields[.contentLength] = String(body.count)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: promise)
  }
}
