import Foundation
import HTTPTypes
import Hummingbird
import LanguageModel
import Tokenization

extension ServingError {
  /// What the engine, or a network of the page, says to a request, in a client's terms.
  init(inference error: any Error) {
    switch error {
    case let error as ServingError: self = error
    case let error as ContextLimitError:
      self = .invalid(error.description, parameter: "messages", code: "context_length_exceeded")
    case let error as PromptError: self = .invalid(error.description, parameter: "prompt")
    case let error as SettingError:
      self = .invalid(error.description, parameter: Self.parameters[error.name])
    case let error as DraftSharingError: self = .invalid(error.description, parameter: "looped.wavefront")
    case let error as RequestMemoryError: self = .invalid(error.description, parameter: "max_tokens")
    case let error as TemplateError:
      self = .invalid("the chat template refuses the messages: \(error.description)", parameter: "messages")
    case let error as PageRequestError:
      self = .invalid(error.message, parameter: error.field)
      (hint, line, column) = (error.hint, error.line, error.column)
    case is PageBusy:
      self = ServingError(
        .tooManyRequests, "too many runs are waiting; try again in a moment", type: "rate_limit_error")
    default: self = .unexpected
    }
  }

  /// The fields of a request that settings come from.
  private static let parameters = [
    "temperature": "temperature", "top-k": "top_k", "top-p": "top_p", "min-p": "min_p",
    "repetition penalty": "repetition_penalty", "presence penalty": "presence_penalty",
    "frequency penalty": "frequency_penalty", "number of log-probabilities": "logprobs",
    "biased token": "logit_bias", "number of forbidden tokens": "logit_bias",
    "number of loops": "looped.loops",
    "minimum of loops": "looped.min_loops", "exit threshold": "looped.exit_threshold",
    "exit policy": "looped.exit_policy", "state change": "looped.exit_epsilon",
    "maximum of tokens": "max_tokens",
    "stop strings": "stop",
  ]

  /// Anything else: the log has the error, the client does not.
  static var unexpected: ServingError {
    ServingError(.internalServerError, "an error inside the server", type: "server_error")
  }

  /// JSON that is none, or has other types than the request's fields.
  init(decoding error: DecodingError) {
    func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String? {
      let keys = context.codingPath + (key.map { [$0] } ?? [])
      guard !keys.isEmpty else { return nil }
      return keys.reduce("") { path, key in
        key.intValue.map { "\(path)[\($0)]" }
          ?? (path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)")
      }
    }
    func expected(_ type: Any.Type) -> String {
      switch type {
      case is String.Type: "a string"
      case is Int.Type, is Int32.Type, is UInt64.Type, is Int64.Type: "a whole number"
      case is Double.Type, is Float.Type: "a number"
      case is Bool.Type: "true or false"
      default: "\(type)".hasPrefix("Array") ? "an array" : "an object"
      }
    }
    switch error {
    case .typeMismatch(let type, let context):
      self = .invalid(
        "\(path(context) ?? "the body") must be \(expected(type))", parameter: path(context))
    case .valueNotFound(let type, let context):
      self = .invalid(
        "\(path(context) ?? "the body") is null and must be \(expected(type))", parameter: path(context))
    case .keyNotFound(let key, let context):
      self = .invalid("\(path(context, key) ?? "a field") is missing", parameter: path(context, key))
    case .dataCorrupted(let context):
      self = .invalid(
        context.codingPath.isEmpty
          ? "the body is not valid JSON, or has a number out of range" : context.debugDescription,
        parameter: path(context))
    @unknown default: self = .invalid("the body cannot be read")
    }
  }

  /// As the client gets it.
  var response: Response {
    var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
    if let retryAfter { headers[.retryAfter] = "\(retryAfter)" }
    if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
  }

  /// The body.
  var json: Data { jsonData(ErrorBody(self)) }
}

/// `{"error": {…}}`.
struct ErrorBody: Encodable {
  struct Detail: Encodable {
    var message: String
    var type: String
    @Nullable var code: ErrorCode? = nil
    @Nullable var param: String? = nil
    var hint: String?
    var line: Int?
    var column: Int?
  }
  var error: Detail

  init(_ error: ServingError) {
    self.error = Detail(
      message: error.message, type: error.type, code: error.code.map(ErrorCode.init), param: error.parameter,
      hint: error.hint, line: error.line, column: error.column)
  }
}

/// A word, or where llama.cpp has a number, that number.
struct ErrorCode: Encodable {
  var word: String

  init(_ word: String) { self.word = word }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let number = Int(word) { try container.encode(number) } else { try container.encode(word) }
  }
}

/// Encodes `nil` as null, where the other side expects the key.
@propertyWrapper
struct Nullable<Value: Encodable>: Encodable {
  var wrappedValue: Value?

  init(wrappedValue: Value? = nil) { self.wrappedValue = wrappedValue }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
  }
}

extension Nullable: Sendable where Value: Sendable {}

/// JSON of a value of ours, which always can be encoded.
func jsonData(_ value: some Encodable) -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .withoutEscapingSlashes
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return (try? encoder.encode(value)) ?? Data("{}".utf8)
}
