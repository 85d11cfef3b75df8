import Foundation
import HTTPTypes
import Hummingbird

/// An error that a client sees: `{"error": {"message", "type", "code", "param"}}`.
///
/// Thrown by any route, also by those of the page.
public struct ServingError: Error, Sendable, CustomStringConvertible {
  public var status: HTTPResponse.Status
  public var message: String
  /// OpenAI's kinds: `invalid_request_error`, `authentication_error`, `rate_limit_error`, `server_error`, …
  public var type: String
  /// A word for machines, such as `context_length_exceeded`; `nil` where the type says all.
  public var code: String?
  /// The field of the request at fault.
  public var parameter: String?
  /// Seconds after which another try makes sense.
  public var retryAfter: Int?
  /// A remedy, and where in a text of the request the fault is, counted from 1.
  public var hint: String?
  public var line: Int?
  public var column: Int?

  public init(
    _ status: HTTPResponse.Status, _ message: String, type: String, code: String? = nil,
    parameter: String? = nil, retryAfter: Int? = nil
  ) {
    self.status = status
    self.message = message
    self.type = type
    self.code = code
    self.parameter = parameter
    self.retryAfter = retryAfter
  }

  /// A request that cannot be meant: 400.
  public static func invalid(_ message: String, parameter: String? = nil, code: String? = nil) -> ServingError
  {
    ServingError(.badRequest, message, type: "invalid_request_error", code: code, parameter: parameter)
  }

  public var description: String { message }
}
