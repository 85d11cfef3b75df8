import Foundation
import Hummingbird
import Logging

/// What goes along with a request: Hummingbird's own values, and limits of ours.
public struct ServingContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  /// The most bytes of a request's body that are read, unless `bodyLimit` is set for the route.
  public static let maximumBody = 8 << 20

  public init(source: Source) {
    coreContext = .init(source: source)
  }

  public var maxUploadSize: Int { Self.maximumBody }

  public var requestDecoder: JSONDecoder { JSONDecoder() }

  public var responseEncoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return encoder
  }
}
