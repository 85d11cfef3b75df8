import Foundation
import LanguageModel
import Tensors
import Testing
import Tokenization

@testable import Serving

/// What the server answers is what the library computes.
struct AnswerTests {
  static let prompt = "A looped transformer"

  /// The text that the library makes of a prompt.
  static func direct(_ prompt: String, tokens: Int, exit: ExitPolicy = .fixed()) throws -> [GeneratedToken] {
    let loaded = TestServer.loaded
    let engine = InferenceEngine(
      LoopExecutor(loaded.model, pool: WorkerPool(threads: 1)), tokenBytes: loaded.tokenizer.bytes(of:))
    _ = try engine.submit(
      InferenceRequest(
        prompt: loaded.tokenizer.encode(prompt),
        settings: GenerationSettings(exit: exit, maximumTokens: tokens),
        drafts: .off))
    var result: [GeneratedToken] = []
    engine.run { if case .token(_, let token, _) = $0 { result.append(token) } }
    return result
  }

  static func text(_ response: RawClient.Response) -> String? {
    ((response.json["choices"] as? [[String: Any]])?.first?["text"]) as? String
  }

  @Test func completionsAreTheEngines() async throws {
    let expected = try Self.direct(Self.prompt, tokens: 12).map(\.text).joined()
    try await TestServer.run { client, _ in
      let body = #"{"prompt": "\#(Self.prompt)", "max_tokens": 12, "temperature": 0}"#
      let whole = try await client.post("/v1/completions", body)
      #expect(whole.status == 200)
      // Text that is held back to the end belongs to the answer too.
      #expect(Self.text(whole)?.hasPrefix(expected) == true && !expected.isEmpty)
      let streamed = try await client.post("/v1/completions", String(body.dropLast()) + #", "stream": true}"#)
      #expect(streamed.headers["content-type"] == "text/event-stream")
      #expect(streamed.events.last == "[DONE]")
      let parts = streamed.chunks.compactMap {
        ($0["choices"] as? [[String: Any]])?.first?["text"] as? String
      }
      #expect(parts.joined() == Self.text(whole))
      #expect(parts.count > 3)
      #expect(Set(streamed.chunks.compactMap { $0["id"] as? String }).count == 1)
      let reasons = streamed.chunks.compactMap {
        ($0["choices"] as? [[String: Any]])?.first?["finish_reason"] as? String
      }
      #expect(reasons == ["length"])
    }
  }

  @Test func manyAtOnceAnswerAsOneAlone() async throws {
    try await TestServer.run { client, server in
      let prompts = (0..<12).map { "Prompt number \($0) \(String(repeating: "x", count: $0 * 7))" }
      let texts = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for (number, prompt) in prompts.enumerated() {
          group.addTask {
            let body = #"{"prompt": "\#(prompt)", "max_tokens": 9, "temperature": 0, "stream": true}"#
            let chunks = try await client.post("/v1/completions", body).chunks
            return (
              number,
              chunks.compactMap { ($0["choices"] as? [[String: Any]])?.first?["text"] as? String }.joined()
            )
          }
        }
        return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
      }
      for (number, prompt) in prompts.enumerated() {
        let expected = try Self.direct(prompt, tokens: 9).map(\.text).joined()
        #expect(texts[number]?.hasPrefix(expected) == true)
      }
      #expect(server.worker.activeCount == 0)
    }
  }

  @Test func echoedLogProbabilitiesArePerplexitys() async throws {
    let loaded = TestServer.loaded
    let text = String(repeating: "The block is applied again. ", count: 12)
    let tokens = loaded.tokenizer.encode(text)
    let threshold = ExitPolicy.threshold(0.6)
    let expected = try Perplexity(
      LoopExecutor(loaded.model, pool: WorkerPool(threads: 1)),
      Perplexity.Settings(window: 1024, policies: [threshold])
    ).score(tokens)
    try await TestServer.run { client, _ in
      for (looped, loss) in [
        ("{}", expected.loops[2].loss),
        (#"{"loops": 3, "exit_threshold": 0.6}"#, expected.policies[0].score.loss),
      ] {
        let response = try await client.post(
          "/v1/completions",
          """
          {"prompt": [\(tokens)], "max_tokens": 1, "echo": true, "logprobs": 1, "temperature": 0, "looped": \(looped)}
          """)
        let choice = try #require((response.json["choices"] as? [[String: Any]])?.first)
        let scores = try #require(choice["logprobs"] as? [String: Any])
        let values = try #require(scores["token_logprobs"] as? [Any])
        #expect(values.count == tokens.count + 1)
        #expect(values[0] is NSNull)
        let numbers = values.dropFirst().dropLast().compactMap { $0 as? Double }
        #expect(numbers.count == tokens.count - 1)
        #expect(abs(-numbers.reduce(0, +) - loss) < 1e-3 * abs(loss))
        #expect((choice["text"] as? String)?.hasPrefix(text) == true)
        let top = try #require(scores["top_logprobs"] as? [Any])
        // The most probable token is among them, for the test of greedy answers.
        for (value, map) in zip(numbers, top.dropFirst().compactMap { $0 as? [String: Double] }) {
          #expect(try #require(map.values.max()) >= value - 1e-6)
        }
        let alone = try await client.post(
          "/v1/completions", #"{"prompt": "\#(text)", "max_tokens": 0, "echo": true, "logprobs": 0}"#)
        #expect(alone.status == 200)
        #expect(Self.text(alone) == text)
      }
    }
  }

  @Test func tracesTellWhatEveryLoopThought() async throws {
    let loaded = TestServer.loaded
    let tokens = loaded.tokenizer.encode(Self.prompt)
    let inspection = try LoopInspection(
      LoopExecutor(loaded.model, pool: WorkerPool(threads: 1)), tokens, top: 4)
    try await TestServer.run { client, _ in
      let response = try await client.post(
        "/v1/completions",
        #"{"prompt": \#(tokens), "max_tokens": 3, "temperature": 0, "looped": {"trace": true, "top": 4}}"#)
      let looped = try #require(response.json["looped"] as? [String: Any])
      #expect(looped["loops"] as? Int == 3)
      #expect(looped["exit_policy"] as? String == "fixed")
      #expect(looped["average_exit"] as? Double == 3)
      let traced = try #require(looped["tokens"] as? [[String: Any]])
      #expect(traced.count == 3)
      let predictions = try #require(traced[0]["predictions"] as? [[[String: Any]]])
      #expect(predictions.count == 3)
      for (loop, cell) in inspection.cells[tokens.count - 1].enumerated() {
        #expect(predictions[loop].compactMap { $0["id"] as? Int } == cell.top.map { Int($0.token) })
        for (prediction, expected) in zip(predictions[loop], cell.top) {
          let probability = try #require(prediction["probability"] as? Double)
          #expect(abs(probability - Double(exp(expected.logProbability))) < 1e-3)
        }
      }
      let probabilities = try #require(traced[0]["probabilities"] as? [Double])
      for (value, expected) in zip(probabilities, inspection.exitProbabilities[tokens.count - 1]) {
        #expect(abs(value - Double(expected)) < 1e-3)
      }
      let early = try await client.post(
        "/v1/completions",
        #"{"prompt": \#(tokens), "max_tokens": 8, "temperature": 0, "stream": true, "#
          + #""looped": {"exit_threshold": 0.3, "trace": true}}"#)
      let exits = early.chunks.compactMap {
        (($0["looped"] as? [String: Any])?["tokens"] as? [[String: Any]])?.first?["exit"] as? Int
      }
      let expected = try Self.direct(Self.prompt, tokens: 8, exit: .threshold(0.3)).map(\.loops)
      #expect(exits == expected)
      #expect(exits.contains { $0 < 3 })
    }
  }

  @Test func aNextTurnReadsOnlyWhatIsNew() async throws {
    try await TestServer.run { client, _ in
      let first = try await client.post(
        "/v1/chat/completions",
        #"{"messages": [{"role": "user", "content": "What does a loop do?"}], "max_tokens": 6, "temperature": 0}"#
      )
      let answer = try #require(
        ((first.json["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])?["content"]
          as? String)
      func second(_ fields: String) async throws -> (cached: Int, text: String?) {
        let messages: [[String: String]] = [
          ["role": "user", "content": "What does a loop do?"], ["role": "assistant", "content": answer],
          ["role": "user", "content": "Again"],
        ]
        let json = String(decoding: try JSONEncoder().encode(messages), as: UTF8.self)
        let response = try await client.post(
          "/v1/chat/completions", #"{"messages": \#(json), "max_tokens": 6, "temperature": 0\#(fields)}"#)
        let usage = try #require(response.json["usage"] as? [String: Any])
        let cached = (usage["prompt_tokens_details"] as? [String: Any])?["cached_tokens"] as? Int
        let message = (response.json["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any]
        return (cached ?? -1, message?["content"] as? String)
      }
      let fresh = try await second(#", "cache_prompt": false"#)
      let reused = try await second("")
      #expect(fresh.cached == 0)
      #expect(reused.cached > 40)
      #expect(reused.text == fresh.text)
    }
  }

  @Test func severalChoicesAndPrompts() async throws {
    try await TestServer.run { client, _ in
      let response = try await client.post(
        "/v1/completions",
        #"{"prompt": ["one", "two"], "n": 2, "max_tokens": 5, "seed": 4, "temperature": 2}"#)
      let choices = try #require(response.json["choices"] as? [[String: Any]])
      #expect(choices.compactMap { $0["index"] as? Int } == [0, 1, 2, 3])
      let usage = try #require(response.json["usage"] as? [String: Any])
      #expect(usage["prompt_tokens"] as? Int == 6)
      #expect(usage["completion_tokens"] as? Int == 20)
      // The second choice is what the next seed gives.
      let other = try await client.post(
        "/v1/completions", #"{"prompt": "one", "max_tokens": 5, "seed": 5, "temperature": 2}"#)
      #expect(Self.text(other) == choices[1]["text"] as? String)
      let stopped = try await client.post(
        "/v1/completions", #"{"prompt": "one", "max_tokens": 50, "seed": 4, "temperature": 2, "stop": "2"}"#)
      #expect(Self.text(stopped)?.contains("2") == false)
    }
  }
}
