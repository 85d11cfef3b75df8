import Foundation
import LanguageModel

/// How a server listens and what it allows; the defaults are those of a careful person.
public struct ServerSettings: Sendable {
  public var host = "127.0.0.1"
  /// 0 for any free one.
  public var port = 8080
  /// The model's name for clients; `nil` for the last part of its path.
  public var alias: String?
  /// What clients must send as `Authorization: Bearer …`; none for no key.
  public var keys: [String] = []
  /// Origins of web pages that may read answers, such as `https://example.org`; `*` for all.
  public var origins: [String] = []
  /// Names besides those of this machine's loopback that clients may call the server by; used where it listens on the
  /// loopback alone, against pages that let a name of theirs point there.
  public var hosts: [String] = []
  /// The most answers that are computed at once.
  public var parallel = 64
  /// Bytes of keys and values of running answers.
  public var cacheBytes = 4 << 30
  /// Bytes of keys and values that finished answers leave for others that begin alike.
  public var prefixBytes = 1 << 30
  /// Answers that may wait, of all clients and of one.
  public var queue = 256
  public var queuePerClient = 128
  /// The longest answer where a request does not say.
  public var defaultMaximumTokens = 512
  /// The longest sequence, prompt and answer; `nil` for the model's context.
  public var contextLimit: Int?
  /// The most loops a request may ask for.
  public var maximumLoops = 8
  /// The most answers to one request: prompts times `n`.
  public var maximumChoices = 128
  /// The most connections.
  public var connections = 512
  /// Seconds for a request to arrive in, and without which an idle connection is closed.
  public var readSeconds = 30
  /// Seconds of silence after which a stream gets a comment.
  public var pingSeconds = 15.0
  /// Seconds in which a client must take what was sent to it.
  public var writeSeconds = 60.0
  /// Seconds that running answers have to finish when the server stops.
  public var stopSeconds = 10.0
  /// What a request's `looped` field may replace.
  public var exit: ExitPolicy?
  public var sharing: KVSharing = .full
  public var skippedLoops: SkippedLoops = .copy
  public var cacheFormat: KVLayout.Format = .float16
  public var drafts: DraftSettings = .off
  /// Files in PEM; both or none.
  public var certificate: String?
  public var privateKey: String?

  public init() {}
}
