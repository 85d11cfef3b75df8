import ArgumentParser
import CommandSupport
import Foundation
import Serving

/// Where a server listens, and who may ask.
struct ListeningOptions: ParsableArguments {
  @Option(help: "The address to listen on; 0.0.0.0 for all.")
  var host = "127.0.0.1"

  @Option(help: "0 for any free one.")
  var port = 8080

  @Option(
    help: ArgumentHelp(
      "A key that clients must send; may be given again. Others see it in the list of processes: better use a file.",
      valueName: "key"))
  var apiKey: [String] = []

  @Option(help: ArgumentHelp("Keys, one a line. LOOPED_API_KEY holds one too.", valueName: "file"))
  var apiKeyFile: String?

  @Option(
    help: ArgumentHelp(
      "Origins of web pages that may use the server, separated by commas; * for all. None without it.",
      valueName: "origin,…"))
  var corsOrigins: String?

  @Option(
    help: ArgumentHelp(
      "Names besides localhost that the server may be called by while it listens on 127.0.0.1.",
      valueName: "name,…"))
  var allowedHosts: String?

  @Option(help: ArgumentHelp("A certificate, with those that signed it, in PEM.", valueName: "file"))
  var tlsCertificate: String?

  @Option(help: ArgumentHelp("Its private key in PEM.", valueName: "file"))
  var tlsKey: String?

  func validate() throws {
    if !(0...65535).contains(port) { throw ValidationError("--port \(port): it must be from 0 to 65535") }
    if (tlsCertificate == nil) != (tlsKey == nil) {
      throw ValidationError("--tls-certificate and --tls-key belong together")
    }
  }

  /// - Throws: `CommandError` for a file of keys that cannot be read or is empty.
  func apply(to settings: inout ServerSettings) throws {
    settings.host = host
    settings.port = port
    settings.keys = apiKey
    if let apiKeyFile {
      guard let data = FileManager.default.contents(atPath: apiKeyFile), data.count <= 1 << 20 else {
        throw CommandError("\(apiKeyFile) cannot be read")
      }
      let keys = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
        .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
      // An empty file would open what was meant to be closed.
      guard !keys.isEmpty else {
        throw CommandError("\(apiKeyFile) has no key", hint: "write one key a line")
      }
      settings.keys += keys
    }
    if let key = ProcessInfo.processInfo.environment["LOOPED_API_KEY"], !key.isEmpty {
      settings.keys.append(key)
    }
    func list(_ text: String?) -> [String] {
      (text ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
        !$0.isEmpty
      }
    }
    settings.origins = list(corsOrigins)
    settings.hosts = list(allowedHosts)
    settings.certificate = tlsCertificate
    settings.privateKey = tlsKey
  }
}

/// How much a server takes on.
struct LimitOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The most answers that are computed at once.", valueName: "n"))
  var parallel = 64

  @Option(help: ArgumentHelp("Keys and values of running answers, in MB.", valueName: "MB"))
  var kvMemory = 4096

  @Option(
    help: ArgumentHelp(
      "Keys and values kept for prompts that begin alike, in MB; 0 for none.", valueName: "MB"))
  var prefixCache = 1024

  @Option(help: ArgumentHelp("The most answers that wait; more get 503.", valueName: "n"))
  var queue = 256

  @Option(
    help: ArgumentHelp("The most answers of one client's address that wait; more get 429.", valueName: "n"))
  var queuePerClient = 128

  @Option(
    name: [.customShort("n"), .customLong("max-tokens"), .customLong("n-predict")],
    help: ArgumentHelp("The longest answer in a chat that does not say.", valueName: "tokens"))
  var maximumTokens = 512

  @Option(help: ArgumentHelp("Seconds that running answers get when the server stops.", valueName: "s"))
  var stopTimeout = 10.0

  func validate() throws {
    for (name, value, least) in [
      ("parallel", parallel, 1), ("kv-memory", kvMemory, 1), ("prefix-cache", prefixCache, 0),
      ("queue", queue, 1),
      ("queue-per-client", queuePerClient, 1), ("max-tokens", maximumTokens, 1),
    ] where value < least || value > 1 << 30 {
      throw ValidationError("--\(name) \(value): it must be \(least) or more")
    }
    if !(0...86400).contains(stopTimeout) { throw ValidationError("--stop-timeout must be 0 or more") }
  }

  func apply(to settings: inout ServerSettings) {
    settings.parallel = parallel
    settings.cacheBytes = kvMemory << 20
    settings.prefixBytes = prefixCache << 20
    settings.queue = queue
    settings.queuePerClient = queuePerClient
    settings.defaultMaximumTokens = maximumTokens
    settings.stopSeconds = stopTimeout
  }
}
