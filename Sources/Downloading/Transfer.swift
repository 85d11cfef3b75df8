import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// One GET: redirects are followed, the token stays with the host it belongs to, and no more is taken than expected.
final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  /// How it ended.
  struct End {
    var status: Int
    /// The connection's error, or why it was ended here.
    var failure: String?
  }

  private let request: URLRequest
  private let token: String?
  private let origin: URL
  /// Called with the status and the headers; `false` ends it.
  private let begin: (Int, HTTPURLResponse) -> Bool
  /// Called with every part; `false` ends it.
  private let receive: (Data) -> Bool
  private let done = DispatchSemaphore(value: 0)
  private var redirects = 0
  private var end = End(status: 0, failure: nil)

  init(
    _ url: URL, token: String?, from offset: Int = 0, begin: @escaping (Int, HTTPURLResponse) -> Bool,
    receive: @escaping (Data) -> Bool
  ) {
    var request = URLRequest(url: url)
    if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
    if offset > 0 { request.setValue("bytes=\(offset)-", forHTTPHeaderField: "Range") }
    // A compressed part of a file is no part of the file.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    (self.request, self.token, origin) = (request, token, url)
    (self.begin, self.receive) = (begin, receive)
  }

  /// Runs on the calling thread until the end.
  /// - Parameter seconds: of silence after which it is given up.
  func run(silence seconds: Double) -> End {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = seconds
    configuration.httpShouldSetCookies = false
    configuration.urlCache = nil
    let queue = OperationQueue()
    queue.maxConcurrentOperationCount = 1
    let session = URLSession(configuration: configuration, delegate: self, delegateQueue: queue)
    session.dataTask(with: request).resume()
    done.wait()
    session.invalidateAndCancel()
    return end
  }

  /// Whether a token for one address may be sent to another.
  static func isSameHost(_ a: URL, _ b: URL) -> Bool {
    func port(_ url: URL) -> Int { url.port ?? (url.scheme == "https" ? 443 : 80) }
    return a.scheme == b.scheme && a.host?.lowercased() == b.host?.lowercased() && port(a) == port(b)
  }

  /// The request to follow a redirect with.
  /// - Returns: `nil` where it must not be followed.
  static func redirected(_ new: URLRequest, from origin: URL, token: String?) -> URLRequest? {
    guard let url = new.url, let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
      !(origin.scheme == "https" && scheme == "http")
    else { return nil }
    var request = new
    request.setValue(
      isSameHost(origin, url) ? token.map { "Bearer \($0)" } : nil, forHTTPHeaderField: "Authorization")
    return request
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    redirects += 1
    var followed = Self.redirected(newRequest, from: origin, token: token)
    if let range = request.value(forHTTPHeaderField: "Range") {
      followed?.setValue(range, forHTTPHeaderField: "Range")
    }
    if redirects > 5 || followed == nil {
      end.failure =
        redirects > 5 ? "it redirects again and again" : "it redirects to an address that is not as safe"
      completionHandler(nil)
      task.cancel()
      return
    }
    completionHandler(followed)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    guard let response = response as? HTTPURLResponse else { return completionHandler(.cancel) }
    end.status = response.statusCode
    completionHandler(begin(response.statusCode, response) ? .allow : .cancel)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    if !receive(data) { dataTask.cancel() }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    if end.failure == nil, let error { end.failure = error.localizedDescription }
    done.signal()
  }
}
