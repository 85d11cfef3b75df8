import Foundation
import Hummingbird
import Logging
import NIOCore

/// What goes along with a request: Hummingbird's own values, and limits of ours.
public struct ServingContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  /// The connection.
  public let channel: (any Channel)?
  /// Who asks, for fairness: the address without its port.
  public let client: String
  /// What the log tells of the request besides its path.
  let notes = RequestNotes()
  /// The most bytes of a request's body that are read.
  public static let maximumBody = 8 << 20

  public init(source: Source) {
    coreContext = .init(source: source)
    channel = source.channel
    client = source.channel.remoteAddress?.ipAddress ?? "local"
  }

  public var maxUploadSize: Int { Self.maximumBody }

  public var requestDecoder: JSONDecoder { JSONDecoder() }

  public var responseEncoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return encoder
  }
}

/// What becomes known of a request on its way: for the log, which never holds text of prompts or answers.
final class RequestNotes: @unchecked Sendable {
  private let lock = NSLock()
  private var values: Logger.Metadata = [:]

  subscript(key: String) -> Logger.MetadataValue? {
    get { lock.withLock { values[key] } }
    set { lock.withLock { values[key] = newValue } }
  }

  var all: Logger.Metadata { lock.withLock { values } }
}

extension ServingContext {
  func note(_ job: AnswerJob) {
    notes["id"] = "\(job.id)"
    notes["prompt_tokens"] = "\(job.generations.reduce(0) { $0 + $1.prompt.count })"
    notes["choices"] = "\(job.generations.count)"
    notes["stream"] = "\(job.streams)"
  }
}
