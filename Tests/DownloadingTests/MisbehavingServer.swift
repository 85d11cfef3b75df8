import Foundation

/// A server of a few lines that answers as a test says, on any free port of this machine.
final class MisbehavingServer: @unchecked Sendable {
  struct Request: Sendable {
    var path: String
    var headers: [String: String]
    /// Where a range begins.
    var offset: Int? {
      headers["range"].flatMap { Int($0.dropFirst("bytes=".count).prefix { $0.isNumber }) }
    }
  }

  let port: Int
  private let descriptor: Int32
  private let lock = NSLock()
  private var seen: [Request] = []
  private let answer: @Sendable (Request, Int) -> Data

  var requests: [Request] { lock.withLock { seen } }
  func requests(for part: String) -> [Request] { requests.filter { $0.path.contains(part) } }

  /// - Parameter answer: the bytes to send, the connection being closed behind them; gets how many requests for the
  ///   path came before.
  init(_ answer: @escaping @Sendable (Request, Int) -> Data) {
    self.answer = answer
    #if canImport(Darwin)
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let number = descriptor
    port = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(number, address, size)
        listen(number, 16)
        getsockname(number, address, &size)
      }
      return Int(UInt16(bigEndian: $0.pointee.sin_port))
    }
    Thread { [self] in accept() }.start()
  }

  func stop() { shutdown(descriptor, Int32(2)) }

  private func accept() {
    while true {
      #if canImport(Darwin)
        let connection = Darwin.accept(descriptor, nil, nil)
      #else
        let connection = Glibc.accept(descriptor, nil, nil)
      #endif
      guard connection >= 0 else { return }
      serve(connection)
      close(connection)
    }
  }

  private func serve(_ connection: Int32) {
    var data = Data()
    while data.range(of: Data("\r\n\r\n".utf8)) == nil {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(connection, &buffer, buffer.count)
      guard count > 0 else { return }
      data += buffer[..<count]
    }
    let lines = String(decoding: data, as: UTF8.self).components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    let path = String(lines[0].split(separator: " ").dropFirst().first ?? "")
    let request = Request(path: path, headers: headers)
    let before = lock.withLock {
      defer { seen.append(request) }
      return seen.count { $0.path == path }
    }
    let bytes = answer(request, before)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        #if canImport(Darwin)
          write(connection, buffer.baseAddress! + sent, buffer.count - sent)
        #else
          send(connection, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
        #endif
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// A response; `length` is what it claims, the body's own unless said.
  static func response(
    _ status: Int, _ body: Data = Data(), length: Int? = nil, headers: [String] = []
  ) -> Data {
    let lines =
      ["HTTP/1.1 \(status) X", "Content-Length: \(length ?? body.count)", "Connection: close"] + headers
    return Data((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
  }
}
