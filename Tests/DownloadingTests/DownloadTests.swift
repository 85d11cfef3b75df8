import Foundation
import Testing

@testable import Downloading

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

struct DownloadTests {
  static let weights = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
  static let hash: String = {
    var hash = SHA256()
    hash.update(weights)
    return hash.finish()
  }()

  static func listing(
    _ names: [String] = ["model.safetensors"], size: Int = weights.count, hash: String = hash
  ) -> Data {
    let entries = names.map {
      let name = String(decoding: try! JSONEncoder().encode($0), as: UTF8.self)
      return #"{"rfilename":\#(name),"size":\#(size),"lfs":{"sha256":"\#(hash)","size":\#(size)}}"#
    }
    return Data(#"{"sha":"1","siblings":[\#(entries.joined(separator: ","))]}"#.utf8)
  }

  /// Downloads from a server that answers for files as told.
  static func run(
    listing: Data = listing(), token: String? = nil,
    _ file: @escaping @Sendable (MisbehavingServer.Request, Int) -> Data,
    check: (String, MisbehavingServer, Result<Void, DownloadError>) throws -> Void
  ) throws {
    let server = MisbehavingServer { request, before in
      if request.path.hasPrefix("/hub/api/models/owner/name/revision/main") {
        return MisbehavingServer.response(200, listing)
      }
      return file(request, before)
    }
    defer { server.stop() }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pull-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var download = ModelDownload(
      try RemoteRepository("http://127.0.0.1:\(server.port)/hub/owner/name"),
      to: folder.appendingPathComponent("model").path, token: token)
    download.pause = 0.01
    download.silence = 5
    let result = Result { _ = try download.run() }
    try check(download.folder, server, result.mapError { $0 as? DownloadError ?? DownloadError("\($0)") })
  }

  static func contents(_ folder: String, _ name: String = "model.safetensors") -> Data? {
    FileManager.default.contents(atPath: folder + "/" + name)
  }

  static func ranged(_ request: MisbehavingServer.Request, until end: Int? = nil) -> Data {
    let offset = request.offset ?? 0
    let rest = Data(weights[offset..<(end ?? weights.count)])
    return MisbehavingServer.response(
      offset > 0 ? 206 : 200, rest, length: weights.count - offset,
      headers: offset > 0 ? ["Content-Range: bytes \(offset)-\(weights.count - 1)/\(weights.count)"] : [])
  }

  @Test func hashesAreThoseOfTheStandard() {
    for (text, expected) in [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ] {
      var (whole, parts) = (SHA256(), SHA256())
      whole.update(Array(text.utf8))
      for byte in text.utf8 { parts.update([byte]) }
      #expect(whole.finish() == expected)
      #expect(parts.finish() == expected)
    }
  }

  @Test func aWholeFileComesAndIsNotFetchedAgain() throws {
    try Self.run { request, _ in
      Self.ranged(request)
    } check: { folder, server, result in
      #expect(throws: Never.self) { try result.get() }
      #expect(Self.contents(folder) == Self.weights)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(files == ["model.safetensors"])
      let again = ModelDownload(
        try RemoteRepository("http://127.0.0.1:\(server.port)/hub/owner/name"), to: folder)
      try again.run()
      #expect(server.requests(for: "resolve").count == 1)
    }
  }

  @Test func cutsAreGoneOnFrom() throws {
    try Self.run { request, before in
      Self.ranged(request, until: min(((request.offset ?? 0) + 80_000), Self.weights.count))
    } check: { folder, server, result in
      #expect(throws: Never.self) { try result.get() }
      #expect(Self.contents(folder) == Self.weights)
      let offsets = server.requests(for: "resolve").map { $0.offset ?? 0 }
      #expect(offsets.count == 3)
      #expect(offsets == offsets.sorted() && offsets[1] > 0)
    }
  }

  @Test func aServerWithoutRangesBeginsAgain() throws {
    try Self.run { request, before in
      MisbehavingServer.response(
        200, before == 0 ? Self.weights.prefix(50_000) : Self.weights, length: Self.weights.count)
    } check: { folder, _, result in
      #expect(throws: Never.self) { try result.get() }
      #expect(Self.contents(folder) == Self.weights)
    }
  }

  @Test func partsFromElsewhereAreNotPutTogether() throws {
    try Self.run { request, before in
      switch before {
      case 0: Self.ranged(request, until: 60_000)
      // Says 206, and begins somewhere else.
      case 1:
        MisbehavingServer.response(
          206, Self.weights.prefix(1000), headers: ["Content-Range: bytes 0-999/\(Self.weights.count)"])
      default: Self.ranged(request)
      }
    } check: { folder, _, result in
      #expect(throws: Never.self) { try result.get() }
      #expect(Self.contents(folder) == Self.weights)
    }
  }

  @Test func wrongBytesAreNeverKept() throws {
    try Self.run { request, _ in
      var wrong = Self.weights
      wrong[777] ^= 1
      return MisbehavingServer.response(200, wrong)
    } check: { folder, server, result in
      #expect(throws: DownloadError.self) { try result.get() }
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(files.isEmpty)
      #expect(server.requests(for: "resolve").count == 5)
    }
  }

  @Test(arguments: [1, 100_000]) func moreThanWasToldIsRefused(extra: Int) throws {
    try Self.run { request, _ in
      MisbehavingServer.response(200, Self.weights + Data(repeating: 1, count: extra))
    } check: { folder, _, result in
      #expect(throws: DownloadError.self) { try result.get() }
      #expect(Self.contents(folder) == nil)
    }
  }

  @Test func passingErrorsAreTriedAgainAndOthersAreNot() throws {
    try Self.run { request, before in
      before < 2 ? MisbehavingServer.response(before == 0 ? 503 : 429) : Self.ranged(request)
    } check: { folder, _, result in
      #expect(throws: Never.self) { try result.get() }
    }
    try Self.run { _, _ in
      MisbehavingServer.response(404)
    } check: { _, server, result in
      #expect(throws: DownloadError.self) { try result.get() }
      #expect(server.requests(for: "resolve").count == 1)
    }
    try Self.run { _, _ in
      MisbehavingServer.response(401)
    } check: { _, _, result in
      guard case .failure(let error) = result else {
        Issue.record("nothing was refused")
        return
      }
      #expect(error.description.contains("token"))
    }
  }

  @Test func theTokenStaysWithItsHost() throws {
    // Another port is another server.
    let other = MisbehavingServer { request, _ in Self.ranged(request) }
    defer { other.stop() }
    let port = other.port
    try Self.run(token: "secret") { _, _ in
      MisbehavingServer.response(302, headers: ["Location: http://127.0.0.1:\(port)/elsewhere"])
    } check: { folder, server, result in
      #expect(throws: Never.self) { try result.get() }
      #expect(Self.contents(folder) == Self.weights)
      #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer secret" })
      #expect(!other.requests.isEmpty)
      #expect(other.requests.allSatisfy { $0.headers["authorization"] == nil })
    }
  }

  @Test func redirectsEnd() throws {
    try Self.run { request, _ in
      MisbehavingServer.response(302, headers: ["Location: \(request.path)x"])
    } check: { _, server, result in
      #expect(throws: DownloadError.self) { try result.get() }
      #expect(server.requests.count < 50)
    }
  }

  @Test func redirectsStaySafe() throws {
    let origin = try #require(URL(string: "https://a.example/x"))
    func followed(_ address: String) -> URLRequest? {
      URL(string: address).flatMap { Transfer.redirected(URLRequest(url: $0), from: origin, token: "t") }
    }
    #expect(followed("https://a.example/y")?.value(forHTTPHeaderField: "Authorization") == "Bearer t")
    for address in ["https://b.example/y", "https://a.example:444/y", "https://a.example.b.example/"] {
      let request = try #require(followed(address))
      #expect(request.value(forHTTPHeaderField: "Authorization") == nil)
    }
    for address in ["http://a.example/y", "file:///etc/passwd", "ftp://a.example/"] {
      #expect(followed(address) == nil)
    }
  }

  @Test(arguments: [
    "../model.safetensors", "/etc/model.safetensors", "a/../../model.safetensors", "a//model.safetensors",
    "./model.safetensors", "a\\..\\model.safetensors", "C:model.safetensors", "a\nmodel.safetensors",
    "\u{0}.safetensors", "", "x.partial", String(repeating: "a/", count: 20) + "model.safetensors",
    String(repeating: "a", count: 600) + ".safetensors",
  ])
  func namesThatLeadElsewhereAreRefused(name: String) throws {
    try Self.run(listing: Self.listing(["config.json", name])) { request, _ in
      Self.ranged(request)
    } check: { folder, server, result in
      #expect(throws: DownloadError.self) { try result.get() }
      // Nothing was fetched before all names were judged.
      #expect(server.requests(for: "resolve").isEmpty)
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
  }

  @Test func listingsThatAreNone() throws {
    for listing in [
      Data("{}".utf8), Data("[]".utf8), Data(), Data("<html>".utf8), Self.listing(["a.json", "A.json"]),
      Self.listing(size: -1), Self.listing(hash: "zz"), Self.listing(["notes.txt"]),
      Data(#"{"siblings":[{"rfilename":"config.json"}]}"#.utf8),
    ] {
      try Self.run(listing: listing) { request, _ in
        Self.ranged(request)
      } check: { _, server, result in
        #expect(throws: DownloadError.self) { try result.get() }
        #expect(server.requests(for: "resolve").isEmpty)
      }
    }
  }

  @Test func addresses() throws {
    let plain = try RemoteRepository("https://host.example/owner/name")
    #expect(
      plain.url(of: "a/b.json").absoluteString == "https://host.example/owner/name/resolve/main/a/b.json")
    let branch = try RemoteRepository("https://host.example:8443/hub/owner/name/tree/dev")
    #expect(branch.revision == "dev" && branch.name == "owner/name")
    #expect(
      branch.listing.absoluteString.hasPrefix(
        "https://host.example:8443/hub/api/models/owner/name/revision/dev"))
    for address in [
      "", "owner/name", "ftp://host/owner/name", "https://host/owner", "https://host/../name",
      "https:///owner/name",
      "https://user@host/owner/name", "https://host/owner/na me",
    ] {
      #expect(throws: DownloadError.self, "\(address)") { try RemoteRepository(address) }
    }
    var unsafe = ModelDownload(try RemoteRepository("http://host.example/owner/name"), to: "/nowhere")
    unsafe.token = "secret"
    #expect(throws: DownloadError.self) { try unsafe.run() }
  }
}
