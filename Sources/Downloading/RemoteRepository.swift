import Foundation

/// A model's place on a Hugging Face compatible server: `https://host/owner/name`, also with `/tree/revision` behind.
public struct RemoteRepository: Equatable, Sendable {
  /// Everything before owner and name.
  public var base: URL
  public var name: String
  public var revision: String

  /// - Throws: `DownloadError` for addresses that name no repository.
  public init(_ address: String, revision: String? = nil) throws {
    guard let url = URL(string: address), let scheme = url.scheme?.lowercased(),
      ["http", "https"].contains(scheme),
      url.host?.isEmpty == false, url.user == nil
    else {
      throw DownloadError("\(address) is no address of a model", hint: "as in https://host/owner/name")
    }
    var parts = url.path.split(separator: "/").map(String.init)
    var branch = revision
    if let tree = parts.lastIndex(of: "tree"), tree >= 2, tree + 2 == parts.count {
      branch = branch ?? parts[tree + 1]
      parts.removeSubrange(tree...)
    }
    guard parts.count >= 2, parts.allSatisfy(Self.isPlain), Self.isPlain(branch ?? "main") else {
      throw DownloadError("\(address) is no address of a model", hint: "as in https://host/owner/name")
    }
    var components = URLComponents()
    (components.scheme, components.host, components.port) = (scheme, url.host, url.port)
    components.path = parts.dropLast(2).map { "/" + $0 }.joined()
    guard let base = components.url else { throw DownloadError("\(address) is no address of a model") }
    self.base = base
    name = parts.suffix(2).joined(separator: "/")
    self.revision = branch ?? "main"
  }

  private static func isPlain(_ part: String) -> Bool {
    part != "." && part != ".." && !part.isEmpty
      && part.unicodeScalars.allSatisfy {
        CharacterSet.alphanumerics.contains($0) || "-_.".unicodeScalars.contains($0)
      }
  }

  var listing: URL { url("/api/models/\(name)/revision/\(revision)", query: "blobs=true") }

  func url(of file: String) -> URL { url("/\(name)/resolve/\(revision)/\(file)") }

  private func url(_ path: String, query: String? = nil) -> URL {
    var components = URLComponents(url: base, resolvingAgainstBaseURL: false) ?? URLComponents()
    components.path += path
    components.query = query
    return components.url ?? base
  }
}

/// A file of a repository.
public struct RemoteFile: Equatable, Sendable {
  /// Relative, with `/` between folders, and safe to be made below a folder.
  public var name: String
  public var size: Int
  /// In hexadecimal digits; `nil` where the server tells none, as for small files.
  public var sha256: String?

  /// The files of a listing.
  /// - Throws: `DownloadError` for listings that are none, and for names that lead elsewhere.
  static func list(_ data: Data, source: String) throws -> [RemoteFile] {
    struct Listing: Decodable {
      struct Entry: Decodable {
        struct Large: Decodable {
          var sha256: String?
          var oid: String?
          var size: Int?
        }
        var rfilename: String
        var size: Int?
        var lfs: Large?
      }
      var siblings: [Entry]
    }
    let listing: Listing
    do { listing = try JSONDecoder().decode(Listing.self, from: data) } catch {
      throw DownloadError(
        "\(source) is no listing of files", hint: "is the server a Hugging Face compatible one?")
    }
    var seen: Set<String> = []
    return try listing.siblings.map { entry in
      guard isSafe(entry.rfilename), seen.insert(entry.rfilename.lowercased()).inserted else {
        throw DownloadError("the server names a file \"\(printable(entry.rfilename))\", which is refused")
      }
      guard let size = entry.lfs?.size ?? entry.size, size >= 0, size <= 1 << 42 else {
        throw DownloadError("the server does not say how large \(entry.rfilename) is")
      }
      var hash = (entry.lfs?.sha256 ?? entry.lfs?.oid)?.lowercased()
      if hash?.hasPrefix("sha256:") == true { hash = hash.map { String($0.dropFirst(7)) } }
      if let hash, hash.count != 64 || !hash.allSatisfy(\.isHexDigit) {
        throw DownloadError("the server's hash of \(entry.rfilename) is no SHA-256")
      }
      return RemoteFile(name: entry.rfilename, size: size, sha256: hash)
    }
  }

  /// Whether a name leads below the folder it is used in, on every system.
  static func isSafe(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return !parts.isEmpty && parts.count <= 8 && name.utf8.count <= 512
      && parts.allSatisfy { part in
        !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 200 && !part.hasSuffix(".partial")
          && part.unicodeScalars.allSatisfy {
            $0.value >= 32 && $0.value != 127 && !"\\:*?\"<>|".unicodeScalars.contains($0)
          }
      }
  }

  private static func printable(_ name: String) -> String {
    String(name.unicodeScalars.prefix(80).map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) })
  }
}

/// What went wrong while a model was fetched.
public struct DownloadError: Error, Equatable, CustomStringConvertible {
  public let message: String
  public let hint: String?

  public init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  public var description: String { message + (hint.map { "\nhint: \($0)" } ?? "") }
}
