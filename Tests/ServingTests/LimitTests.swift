import Foundation
import Logging
import Tensors
import Testing

@testable import Serving

/// What the server refuses, and how.
struct LimitTests {
  static let long = #"{"prompt": "Once", "max_tokens": 900, "stream": true, "temperature": 0}"#

  /// Long enough that requests which come after it find it running, on a fast machine too.
  static let longer = long.replacingOccurrences(of: "900", with: "5000")

  @Test func healthTellsWhenTheModelIsThere() async throws {
    let gate = DispatchSemaphore(value: 0)
    let wait: @Sendable () -> Void = { gate.wait() }
    try await TestServer.run(loading: wait, waits: false) { client, _ in
      let health = try await client.get("/health")
      #expect(health.status == 503)
      #expect(health.error?["code"] as? Int == 503)
      #expect(health.error?["message"] as? String == "Loading model")
      #expect(try await client.post("/v1/completions", "{}").status == 503)
      gate.signal()
      for _ in 0..<1000 where try await client.get("/health").status != 200 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await client.get("/health").text == #"{"status":"ok"}"#)
    }
  }

  /// Who waits for the model knows the port, however soon the model is there.
  @Test func thePortIsSaidBeforeTheModel() async throws {
    for _ in 0..<20 {
      let server = ModelServer(
        TestServer.settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let (words, said) = AsyncStream<String>.makeStream()
      let running = Task {
        try await server.run(
          load: { (TestServer.loaded, WorkerPool(threads: 1)) }, name: "tiny",
          listening: { _ in said.yield("port") }, loaded: { _ in said.yield("model") })
      }
      var first: [String] = []
      for await word in words {
        first.append(word)
        if first.count == 2 { break }
      }
      #expect(first == ["port", "model"])
      running.cancel()
      try? await running.value
    }
  }

  /// A server that is stopped, or whose port is taken, ends though its model is there.
  @Test func aServerThatNeverListensEnds() async throws {
    try await TestServer.run { client, _ in
      var settings = TestServer.settings
      settings.port = client.port
      let second = ModelServer(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      await #expect(throws: (any Error).self) {
        try await second.run(load: { (TestServer.loaded, WorkerPool(threads: 1)) }, name: "tiny")
      }
    }
  }

  /// Bodies, and the field at fault.
  static let malformed: [(path: String, body: String, parameter: String?)] = [
    ("/v1/completions", "", nil), ("/v1/completions", "{", nil), ("/v1/completions", "[]", nil),
    ("/v1/completions", "{}", "prompt"), ("/v1/completions", #"{"prompt": null}"#, "prompt"),
    ("/v1/completions", #"{"prompt": []}"#, "prompt"), ("/v1/completions", #"{"prompt": [[]]}"#, "prompt"),
    ("/v1/completions", #"{"prompt": [-1]}"#, "prompt"), ("/v1/completions", #"{"prompt": [300]}"#, "prompt"),
    ("/v1/completions", #"{"prompt": [1, "a"]}"#, "prompt"),
    ("/v1/completions", #"{"prompt": {"a": 1}}"#, "prompt"),
    ("/v1/completions", #"{"prompt": "a", "max_tokens": -5}"#, "max_tokens"),
    ("/v1/completions", #"{"prompt": "a", "max_tokens": 8192}"#, "max_tokens"),
    ("/v1/completions", #"{"prompt": "a", "max_tokens": 99999999999999999999}"#, nil),
    ("/v1/completions", #"{"prompt": "a", "max_tokens": "5"}"#, "max_tokens"),
    ("/v1/completions", #"{"prompt": "a", "temperature": -1}"#, "temperature"),
    ("/v1/completions", #"{"prompt": "a", "temperature": 1e300}"#, "temperature"),
    ("/v1/completions", #"{"prompt": "a", "top_p": 0}"#, "top_p"),
    ("/v1/completions", #"{"prompt": "a", "top_p": 2}"#, "top_p"),
    ("/v1/completions", #"{"prompt": "a", "logprobs": 21}"#, "logprobs"),
    ("/v1/completions", #"{"prompt": "a", "logit_bias": {"x": 1}}"#, "logit_bias"),
    ("/v1/completions", #"{"prompt": "a", "logit_bias": {"300": 1}}"#, "logit_bias"),
    ("/v1/completions", #"{"prompt": "a", "stop": 5}"#, "stop"),
    ("/v1/completions", #"{"prompt": "a", "stop": [""]}"#, "stop"),
    ("/v1/completions", #"{"prompt": "a", "n": 0}"#, "n"),
    ("/v1/completions", #"{"prompt": "a", "n": 1000}"#, "n"),
    ("/v1/completions", #"{"prompt": "a", "suffix": "b"}"#, "suffix"),
    ("/v1/completions", #"{"prompt": "a", "stream": 1}"#, "stream"),
    ("/v1/completions", #"{"prompt": "a", "stream_options": {"include_usage": true}}"#, "stream_options"),
    ("/v1/completions", #"{"prompt": "a", "response_format": {"type": "json_object"}}"#, "response_format"),
    ("/v1/completions", #"{"prompt": "a", "looped": {"loops": 9}}"#, "looped.loops"),
    ("/v1/completions", #"{"prompt": "a", "looped": {"loops": 0}}"#, "looped.loops"),
    ("/v1/completions", #"{"prompt": "a", "looped": {"exit_policy": "x"}}"#, "looped.exit_policy"),
    (
      "/v1/completions", #"{"prompt": "a", "looped": {"exit_policy": "state-change"}}"#, "looped.exit_epsilon"
    ),
    ("/v1/completions", #"{"prompt": "a", "looped": {"kv_sharing": "x"}}"#, "looped.kv_sharing"),
    ("/v1/completions", #"{"prompt": "a", "looped": {"top": 99, "trace": true}}"#, "looped.top"),
    ("/v1/completions", #"{"prompt": "a", "looped": {"lops": 3}}"#, "looped.lops"),
    ("/v1/chat/completions", "{}", "messages"), ("/v1/chat/completions", #"{"messages": []}"#, "messages"),
    ("/v1/chat/completions", #"{"messages": "hi"}"#, "messages"),
    ("/v1/chat/completions", #"{"messages": [{"role": "user"}]}"#, "messages[0].content"),
    ("/v1/chat/completions", #"{"messages": [{"content": "x"}]}"#, "messages[0].role"),
    ("/v1/chat/completions", #"{"messages": [{"role": "king", "content": "x"}]}"#, "messages[0].role"),
    ("/v1/chat/completions", #"{"messages": [{"role": "user", "content": 5}]}"#, "messages[0].content"),
    (
      "/v1/chat/completions", #"{"messages": [{"role": "user", "content": "x"}], "top_logprobs": 3}"#,
      "top_logprobs"
    ),
    (
      "/v1/chat/completions", #"{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "f"}]}"#,
      "tools"
    ),
    ("/tokenize", "{}", "prompt"), ("/detokenize", #"{"tokens": [300]}"#, "tokens"),
    ("/detokenize", #"{"tokens": "x"}"#, "tokens"), ("/apply-template", "{}", "messages"),
  ]

  @Test func whatCannotBeMeantIs400() async throws {
    try await TestServer.run { client, _ in
      for (path, body, parameter) in Self.malformed {
        let response = try await client.post(path, body)
        #expect(response.status == 400, "\(path) \(body)")
        let error = try #require(response.error, "\(path) \(body): \(response.text)")
        #expect(error["type"] as? String == "invalid_request_error")
        #expect(error["param"] as? String == parameter, "\(path) \(body): \(response.text)")
      }
      let deep = String(repeating: "[", count: 100_000)
      #expect(try await client.post("/v1/completions", #"{"prompt": \#(deep)"#).status == 400)
      let prompt = String(repeating: "a", count: 8300)
      let long = try await client.post("/v1/completions", #"{"prompt": "\#(prompt)"}"#)
      #expect(long.status == 400)
      #expect(long.error?["code"] as? String == "context_length_exceeded")
      let large = try await client.request(
        "POST", "/v1/completions", body: Data(repeating: 32, count: ServingContext.maximumBody + 1))
      #expect(large.status == 413)
      #expect(large.error != nil)
      #expect(try await client.get("/nothing").status == 404)
      #expect(try await client.get("/v1/models/other").status == 404)
      #expect(try await client.get("/v1/models/tiny").status == 200)
      let method = try await client.request("DELETE", "/v1/models")
      #expect(method.status == 405)
      #expect(method.headers["allow"] == "GET")
      let run = try await client.get("/looped/programs/run")
      #expect(run.status == 405 && run.headers["allow"] == "POST")
      for text in ["no http at all\r\n\r\n", "FOO /health HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let unreadable = try await client.exchange(Data(text.utf8))
        #expect(unreadable.status == 400 && unreadable.error?["code"] as? String == "unreadable_request")
        #expect(unreadable.headers["content-length"] == String(unreadable.body.count))
      }
      #expect(try await client.get("/health").status == 200)
    }
  }

  @Test func keysAndOrigins() async throws {
    var settings = TestServer.settings
    settings.keys = ["one", "two"]
    settings.origins = ["https://good.example"]
    try await TestServer.run(settings) { client, _ in
      #expect(try await client.get("/health").status == 200)
      #expect(try await client.get("/").status == 200)
      for (header, status) in [
        ("", 401), ("Bearer", 401), ("Bearer on", 401), ("Bearer onee", 401), ("Basic one", 401),
        ("one", 401),
        ("Bearer one", 200), ("bearer two", 200),
      ] {
        let response = try await client.get("/v1/models", headers: ["Authorization": header])
        #expect(response.status == status, "\(header)")
        if status == 401 {
          #expect(response.error?["code"] as? String == "invalid_api_key")
          #expect(response.headers["www-authenticate"] == "Bearer")
        }
      }
      for path in ["/metrics", "/tokenizer_info", "/looped/examples", "/v1/models/tiny"] {
        #expect(try await client.get(path).status == 401, "\(path)")
      }
      let bad = try await client.get("/health", headers: ["Origin": "https://bad.example"])
      #expect(bad.status == 403)
      #expect(bad.headers["access-control-allow-origin"] == nil)
      let good = try await client.get("/health", headers: ["Origin": "https://good.example"])
      #expect(good.headers["access-control-allow-origin"] == "https://good.example")
      let asked = try await client.request(
        "OPTIONS", "/v1/chat/completions",
        headers: ["Origin": "https://good.example", "Access-Control-Request-Method": "POST"])
      #expect(asked.status == 204)
      let same = try await client.get("/health", headers: ["Origin": "http://localhost:\(client.port)"])
      #expect(same.status == 200)
      // A page whose name was pointed at this machine.
      #expect(try await client.get("/health", headers: ["Host": "evil.example"]).status == 403)
    }
  }

  @Test func keysAreComparedWhole() {
    #expect(KeyMiddleware.isEqual("abc", "abc"))
    #expect(!KeyMiddleware.isEqual("", "abc"))
    #expect(!KeyMiddleware.isEqual("abcd", "abc"))
    #expect(!KeyMiddleware.isEqual("abc", "abcd"))
    #expect(!KeyMiddleware.isEqual("abd", "abc"))
  }

  @Test func aClientThatGoesFreesItsPlace() async throws {
    try await TestServer.run { client, server in
      try await client.hangUp("/v1/completions", Self.long, after: 600)
      #expect(try await TestServer.eventually { server.worker.activeCount == 0 })
      // Also where nothing is written before the end.
      let whole = Self.long.replacingOccurrences(of: #""stream": true"#, with: #""n": 8"#)
      try await client.hangUp("/v1/completions", whole, after: 0)
      #expect(try await TestServer.eventually { server.worker.activeCount == 0 })
      #expect(try await client.get("/metrics").text.contains(#"reason="cancelled""#))
    }
  }

  @Test func fullQueuesRefuse() async throws {
    var settings = TestServer.settings
    settings.parallel = 1
    settings.queue = 3
    settings.queuePerClient = 2
    settings.pingSeconds = 0.05
    try await TestServer.run(settings) { client, server in
      let running = Task { try await client.post("/v1/completions", Self.longer) }
      _ = try await TestServer.eventually {
        server.worker.activeCount == 1 && server.worker.waitingCount == 0
      }
      let waiting = Task { try await client.post("/v1/completions", Self.longer) }
      _ = try await TestServer.eventually { server.worker.waitingCount == 1 }
      let short = #"{"prompt": "a", "max_tokens": 1, "n": \#(2)}"#
      let refused = try await client.post("/v1/completions", short)
      #expect(refused.status == 429)
      #expect(refused.headers["retry-after"] == "5")
      #expect(refused.error?["type"] as? String == "rate_limit_error")
      let full = try await client.post("/v1/completions", #"{"prompt": "a", "max_tokens": 1, "n": 3}"#)
      #expect(full.status == 503)
      #expect(full.error?["code"] as? String == "queue_full")
      #expect(try await running.value.events.last == "[DONE]")
      let second = try await waiting.value
      #expect(second.events.last == "[DONE]")
      #expect(second.text.contains(": ping\n\n"))
    }
  }

  @Test func runningStreamsAreToldOfTheStop() async throws {
    var settings = TestServer.settings
    settings.stopSeconds = 0.1
    let stream = try await TestServer.run(settings) { client, server in
      let stream = Task {
        try await client.post("/v1/completions", Self.long.replacingOccurrences(of: "Once", with: "x"))
      }
      _ = try await TestServer.eventually { server.worker.activeCount == 1 }
      return stream
    }
    let response = try await stream.value
    // On a fast machine it may have been done in time.
    let last = try #require(response.events.last)
    #expect(last == "[DONE]" || last.contains(#""code":"stopping""#))
  }

  @Test func modelsThatCannotBeLoadedEndTheServer() async throws {
    struct Broken: Error {}
    let server = ModelServer(
      TestServer.settings, logger: .init(label: "test") { _ in SwiftLogNoOpLogHandler() })
    await #expect(throws: Broken.self) {
      try await server.run(load: { throw Broken() }, name: "none")
    }
  }

  @Test func linesOfTheLogCannotBeForged() {
    let line = LineLogHandler.line(
      time: Date(timeIntervalSince1970: 0), level: "info", message: "request",
      values: [("path", "/a\nfake info"), ("status", "200")], isJSON: false)
    #expect(line == "1970-01-01T00:00:00.000Z info request path=\"/a\\nfake info\" status=200\n")
    let json = LineLogHandler.line(
      time: Date(timeIntervalSince1970: 0), level: "info", message: "x", values: [("a", "\"")], isJSON: true)
    #expect(
      json == "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"message\":\"x\",\"a\":\"\\\"\"}\n")
  }
}
