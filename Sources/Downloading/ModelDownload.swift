import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Fetches a model's folder from a Hugging Face compatible server.
///
/// Files come beside their places and are moved there when their length, and their SHA-256 where the server tells one,
/// are right: what lies in the folder is whole. A fetch that was cut goes on where it ended, in the same run or in a later
/// one, if there is a hash to judge the whole by.
public struct ModelDownload: Sendable {
  public var repository: RemoteRepository
  public var folder: String
  public var token: String?
  /// Endings of names that are fetched; all files that a model needs, unless said otherwise.
  public var endings = [
    ".json", ".safetensors", ".jinja", "merges.txt", "vocab.txt", "LICENSE", "LICENSE.txt", "LICENSE.md",
  ]
  /// How often a file is tried again.
  public var retries = 4
  /// Seconds of silence after which a connection is given up.
  public var silence = 30.0
  /// Seconds before the second try; twice as many before every further one.
  public var pause = 1.0

  public init(_ repository: RemoteRepository, to folder: String, token: String? = nil) {
    self.repository = repository
    self.folder = folder
    self.token = token
  }

  /// Fetches what is not there yet.
  /// - Parameter progress: called with the bytes that are there and those of all files.
  /// - Returns: the files.
  /// - Throws: `DownloadError`.
  @discardableResult
  public func run(progress: @escaping (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws
    -> [RemoteFile]
  {
    if token != nil, repository.base.scheme != "https", !isLocal {
      throw DownloadError("the token would be sent unencrypted", hint: "use https, or leave out the token")
    }
    let files = try list().filter { file in endings.contains { file.name.hasSuffix($0) } }
    guard !files.isEmpty else {
      throw DownloadError("\(repository.name) has no files of a model", hint: "--include names other endings")
    }
    let total = files.reduce(0) { $0 + $1.size }
    var done = 0
    for file in files {
      let before = done
      try fetch(file) { progress(before + $0, total) }
      done += file.size
      progress(done, total)
    }
    return files
  }

  private var isLocal: Bool {
    ["localhost", "127.0.0.1", "::1", "[::1]"].contains(repository.base.host ?? "")
  }

  private func list() throws -> [RemoteFile] {
    var data = Data()
    let transfer = Transfer(repository.listing, token: token) { status, _ in
      status == 200
    } receive: { part in
      data += part
      return data.count <= 16 << 20
    }
    let end = transfer.run(silence: silence)
    try check(end.status, repository.listing)
    if let failure = end.failure { throw DownloadError("\(repository.listing): \(failure)") }
    return try RemoteFile.list(data, source: "\(repository.listing)")
  }

  /// - Throws: `DownloadError` for statuses that another try does not change.
  private func check(_ status: Int, _ url: URL) throws {
    switch status {
    case 401, 403:
      throw DownloadError(
        "\(url): the server wants a token, or another one",
        hint: "set HF_TOKEN, or name a file with --token-file")
    case 404: throw DownloadError("\(url): there is nothing", hint: "is the name right, and the revision?")
    case 400..<500 where ![408, 416, 429].contains(status): throw DownloadError("\(url): status \(status)")
    default: break
    }
  }

  private func fetch(_ file: RemoteFile, progress: @escaping (Int) -> Void) throws {
    let files = FileManager.default
    let target = (folder as NSString).appendingPathComponent(file.name)
    if Self.size(target) == file.size, try file.sha256.map({ try Self.hash(target) == $0 }) ?? true {
      return
    }
    do {
      try files.createDirectory(
        atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    } catch { throw DownloadError("cannot write to \(folder): \(error.localizedDescription)") }
    // Another version's part is not gone on with.
    let partial = target + (file.sha256.map { ".\($0.prefix(12))" } ?? "") + ".partial"
    if file.sha256 == nil { try? files.removeItem(atPath: partial) }
    var reason = ""
    for attempt in 0...retries {
      if attempt > 0 { Thread.sleep(forTimeInterval: pause * Double(1 << (attempt - 1))) }
      let part = try PartialFile(partial, limit: file.size)
      reason = try fetch(file, into: part, progress: progress) ?? ""
      guard part.count == file.size else { continue }
      if let expected = file.sha256, try Self.hash(partial) != expected {
        try? files.removeItem(atPath: partial)
        reason = "its SHA-256 is not the one that the server told"
        continue
      }
      guard rename(partial, target) == 0 else {
        throw DownloadError("cannot move to \(target): \(String(cString: strerror(errno)))")
      }
      return
    }
    throw DownloadError("\(file.name): \(reason)", hint: "run it again: what has come is kept")
  }

  /// One try.
  /// - Returns: why it is not complete.
  private func fetch(
    _ file: RemoteFile, into part: PartialFile, progress: @escaping (Int) -> Void
  ) throws -> String? {
    guard part.count < file.size || file.size == 0 else { return nil }
    let url = repository.url(of: file.name)
    let transfer = Transfer(url, token: token, from: part.count) { status, response in
      switch status {
      case 200:
        part.restart()
        return true
      case 206:
        // A part from elsewhere would be put in the wrong place.
        guard response.value(forHTTPHeaderField: "Content-Range")?.hasPrefix("bytes \(part.count)-") == true
        else {
          part.restart()
          return false
        }
        return true
      case 416:
        part.restart()
        return false
      default: return false
      }
    } receive: { data in
      guard part.append(data) else { return false }
      progress(part.count)
      return true
    }
    let end = transfer.run(silence: silence)
    try check(end.status, url)
    if let failure = part.failure { throw DownloadError("\(file.name): \(failure)") }
    if part.isTooLong {
      part.restart()
      return "the server sends more than the \(file.size) bytes that it told"
    }
    if part.count == file.size { return nil }
    if !(200..<300).contains(end.status), end.status != 0 { return "status \(end.status)" }
    return end.failure ?? "the connection ended after \(part.count) of \(file.size) bytes"
  }

  /// `nil` if there is no such file.
  private static func size(_ path: String) -> Int? {
    guard let handle = FileHandle(forReadingAtPath: path), let size = try? handle.seekToEnd() else {
      return nil
    }
    return Int(size)
  }

  /// - Throws: `DownloadError` if the file cannot be read.
  static func hash(_ path: String) throws -> String {
    guard let handle = FileHandle(forReadingAtPath: path) else { throw DownloadError("cannot read \(path)") }
    defer { try? handle.close() }
    var hash = SHA256()
    do {
      while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty { hash.update(part) }
    } catch { throw DownloadError("cannot read \(path): \(error.localizedDescription)") }
    return hash.finish()
  }
}

/// What has come of a file; never longer than the file.
private final class PartialFile {
  private let descriptor: Int32
  private let limit: Int
  private(set) var count: Int
  private(set) var isTooLong = false
  private(set) var failure: String?

  /// - Throws: `DownloadError` if it cannot be opened.
  init(_ path: String, limit: Int) throws {
    // No link that was put there is followed.
    descriptor = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else {
      throw DownloadError("cannot write to \(path): \(String(cString: strerror(errno)))")
    }
    self.limit = limit
    count = Int(lseek(descriptor, 0, SEEK_END))
    if count > limit { restart() }
  }

  deinit { close(descriptor) }

  func restart() {
    count = 0
    _ = ftruncate(descriptor, 0)
    lseek(descriptor, 0, SEEK_SET)
  }

  func append(_ data: Data) -> Bool {
    guard count + data.count <= limit else {
      isTooLong = true
      return false
    }
    var sent = 0
    while sent < data.count {
      let written = data.withUnsafeBytes { write(descriptor, $0.baseAddress! + sent, data.count - sent) }
      guard written > 0 || errno == EINTR else {
        failure = "cannot be written: \(String(cString: strerror(errno)))"
        return false
      }
      sent += max(written, 0)
    }
    count += data.count
    return true
  }
}
