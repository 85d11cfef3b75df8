import Foundation

/// An HTTP client of a few lines, on threads of its own: what is sent is what a test says, also if it is no HTTP.
struct RawClient: Sendable {
  struct Response: Sendable {
    var status: Int
    var headers: [String: String]
    var body: Data

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
    /// The error's members, if it has the documented shape.
    var error: [String: Any]? {
      guard let error = json["error"] as? [String: Any], error["message"] is String, error["type"] is String,
        error.keys.contains("code"), error.keys.contains("param")
      else { return nil }
      return error
    }
    /// The data of a stream's events.
    var events: [String] {
      text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }
    var chunks: [[String: Any]] {
      events.compactMap { (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any] }
    }
  }

  struct Failure: Error {}

  let port: Int

  func get(_ path: String, headers: [String: String] = [:]) async throws -> Response {
    try await request("GET", path, headers: headers)
  }

  func post(_ path: String, _ body: String, headers: [String: String] = [:]) async throws -> Response {
    try await request("POST", path, headers: headers, body: Data(body.utf8))
  }

  func request(
    _ method: String, _ path: String, headers: [String: String] = [:], body: Data? = nil
  ) async throws -> Response {
    var head = "\(method) \(path) HTTP/1.1\r\nConnection: close\r\n"
    if headers["Host"] == nil { head += "Host: localhost:\(port)\r\n" }
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if let body { head += "Content-Length: \(body.count)\r\n" }
    return try await exchange(Data((head + "\r\n").utf8) + (body ?? Data()))
  }

  /// Sends bytes and reads until the server closes.
  func exchange(_ bytes: Data) async throws -> Response {
    let (port, bytes) = (port, bytes)
    return try await Self.onThread {
      let socket = try Socket(port: port)
      try socket.send(bytes)
      return try Self.parse(socket.readAll())
    }
  }

  /// Sends a request, reads until `count` bytes have come, and hangs up.
  func hangUp(_ path: String, _ body: String, after count: Int) async throws {
    let port = port
    try await Self.onThread {
      let socket = try Socket(port: port)
      try socket.send(
        Data(
          "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8
        ))
      var got = 0
      while got < count { got += try socket.read().count }
    }
  }

  static func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws
    -> Result
  {
    try await withCheckedThrowingContinuation { continuation in
      Thread { continuation.resume(with: Swift.Result(catching: body)) }.start()
    }
  }

  static func parse(_ data: Data) throws -> Response {
    guard let end = data.range(of: Data("\r\n\r\n".utf8)) else { throw Failure() }
    let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw Failure()
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 {
        headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
      }
    }
    var body = Data(data[end.upperBound...])
    if headers["transfer-encoding"] == "chunked" { body = chunks(body) }
    return Response(status: status, headers: headers, body: body)
  }

  private static func chunks(_ data: Data) -> Data {
    var (rest, result) = (data[...], Data())
    while let line = rest.range(of: Data("\r\n".utf8)),
      let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), size > 0
    {
      result += rest[line.upperBound...].prefix(size)
      rest = rest[line.upperBound...].dropFirst(size + 2)
    }
    return result
  }
}

/// A connection to this machine.
final class Socket {
  private let descriptor: Int32

  init(port: Int) throws {
    #if canImport(Darwin)
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw RawClient.Failure() }
  }

  deinit { close(descriptor) }

  func send(_ bytes: Data) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        #if canImport(Darwin)
          write(descriptor, buffer.baseAddress! + sent, buffer.count - sent)
        #else
          Foundation.send(descriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
        #endif
      }
      // A server that has answered need not read the rest.
      guard count > 0 else { return }
      sent += count
    }
  }

  /// Empty at the end.
  func read() throws -> Data {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = Foundation.read(descriptor, &buffer, buffer.count)
    guard count >= 0 else { throw RawClient.Failure() }
    return Data(buffer[..<count])
  }

  func readAll() throws -> Data {
    var all = Data()
    while true {
      let part: Data
      do { part = try read() } catch {
        if all.isEmpty { throw error }
        return all
      }
      if part.isEmpty { return all }
      all += part
    }
  }
}
