import Foundation
import Testing

/// The verbs of language models from outside, with the model that is shipped.
@Suite struct LanguageModelTinyTests {
  private struct Generation: Decodable {
    struct Token: Decodable {
      let id: Int
      let loops: Int
    }
    let text: String
    let tokens: [Token]
    let passesPerToken: Double
    let meanLoops: Double
  }

  private func generate(_ options: [String]) throws -> Generation {
    let outcome = try LoopedBinary.run(
      ["generate", "--prompt", "And the LORD said", "--max-tokens", "24", "--json"] + options)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(Generation.self, from: Data(outcome.output.utf8))
  }

  @Test func theWavefrontWritesTheSameText() throws {
    for sampling in [["--temp", "0"], ["--temp", "1", "--top-p", "0.9", "--seed", "7"]] {
      let plain = try generate(sampling)
      let wavefront = try generate(sampling + ["--wavefront"])
      #expect(plain.text == wavefront.text && !plain.text.isEmpty)
      #expect(plain.tokens.map(\.id) == wavefront.tokens.map(\.id))
      // Drafts are made where they pay, which on a busy machine is seldom.
      #expect(wavefront.passesPerToken <= plain.passesPerToken)
    }
  }

  @Test func chatsReadOnlyWhatIsNew() throws {
    let lines = "And the king said\nAnd the people answered\n"
    let options = ["chat", "--temp", "0", "--max-tokens", "12", "--verbose"]
    let plain = try LoopedBinary.run(options, input: lines)
    let wavefront = try LoopedBinary.run(options + ["--wavefront"], input: lines)
    #expect(plain.status == 0 && wavefront.status == 0, "\(plain.errors)\(wavefront.errors)")
    #expect(plain.output == wavefront.output && plain.output.count > 20)
    for errors in [plain.errors, wavefront.errors] {
      // "Prompt: 63 tokens (40 from the cache), …": of the second question alone.
      #expect(errors.components(separatedBy: "from the cache").count == 2, "\(errors)")
    }
  }

  @Test func exitsSaveLoops() throws {
    let all = try generate(["--temp", "0"])
    let one = try generate(["--temp", "0", "--loops", "1"])
    let early = try generate(["--temp", "0", "--exit-threshold", "0.5"])
    #expect(all.tokens.allSatisfy { $0.loops == 4 } && one.tokens.allSatisfy { $0.loops == 1 })
    #expect(early.meanLoops < all.meanLoops && early.passesPerToken < all.passesPerToken)
  }

  @Test func inspectionShowsEveryLoop() throws {
    let folder = try TemporaryFolder()
    let page = folder.path("lens.html")
    let outcome = try LoopedBinary.run([
      "inspect", "--prompt", "In the beginning God created", "--html", page,
    ])
    #expect(outcome.status == 0 && outcome.output.contains("bits per token, by loop"), "\(outcome.errors)")
    let markup = try String(contentsOfFile: page, encoding: .utf8)
    #expect(markup.contains("<html") && markup.contains("after loop 4"))
  }

  private struct TraceLine: Decodable {
    struct Text: Decodable {
      let tokens: [String]
      let trainedLoops: Int
    }
    struct Change: Decodable {
      let column: Int
      let before: Double
      let after: Double
    }
    struct Prediction: Decodable {
      let tokens: [String]
      let probabilities: [Double]
      let exit: Double
    }
    let digest: String?
    let text: Text?
    let values: [Double]?
    let summary: String?
    let changes: [Change]?
    let predictions: [Prediction]?
    let loops: Int?
  }

  /// The trace of an inspection says what its JSON says, also of more loops than the model was trained with.
  @Test(arguments: [4, 6]) func theTraceOfAnInspection(loops: Int) throws {
    struct Report: Decodable {
      struct Token: Decodable {
        struct Step: Decodable {
          struct Prediction: Decodable {
            let text: String
            let probability: Double
          }
          let top: [Prediction]
          let entropyBits: Double
          let exitProbability: Double
        }
        let text: String
        let loops: [Step]
      }
      let tokens: [Token]
    }
    let folder = try TemporaryFolder()
    let file = folder.path("loops.jsonl")
    let outcome = try LoopedBinary.run([
      "inspect", "--prompt", "In the beginning God created", "--trace-to", file, "--json", "--loops",
      "\(loops)",
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(TraceLine.self, from: Data($0.utf8))
    }
    #expect(lines.count == loops + 2 && lines.last?.loops == loops)
    #expect(lines[0].text?.tokens == report.tokens.map(\.text) && lines[0].text?.trainedLoops == 4)
    #expect(lines[0].digest?.count == 16)
    var bits = try #require(lines[0].values)
    for (loop, line) in lines[1...loops].enumerated() {
      for change in line.changes ?? [] { bits[change.column] = change.after }
      let predictions = try #require(line.predictions)
      for (position, token) in report.tokens.enumerated() {
        let (said, wanted) = (predictions[position], token.loops[loop])
        #expect(said.tokens == wanted.top.map(\.text) && abs(said.exit - wanted.exitProbability) < 1e-6)
        #expect(zip(said.probabilities, wanted.top).allSatisfy { abs($0 - $1.probability) < 1e-6 })
        #expect(abs(bits[position] - wanted.entropyBits) < 1e-4)
      }
    }
    #expect(lines[loops].summary?.hasSuffix("100.0 % has left") == true)
  }

  @Test func perplexityAndQuantisedWeights() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write(
      String(repeating: "In the beginning God created the heaven and the earth.\n", count: 6),
      to: "genesis.txt")
    let outcome = try LoopedBinary.run(["perplexity", text, "--weights", "int8"])
    #expect(outcome.status == 0 && outcome.output.contains("loop"), "\(outcome.errors)")
    let missing = try LoopedBinary.run(["perplexity", folder.path("none.txt")])
    #expect(missing.status == 1 && missing.errors.contains("none.txt"))
  }

  @Test func theWavefrontsSpeedIsMeasured() throws {
    struct Report: Decodable {
      struct Inner: Decodable {
        struct Way: Decodable { let passesPerToken: Double }
        let plain: Way
        let wavefront: Way
      }
      let report: Inner
    }
    let outcome = try LoopedBinary.run([
      "bench", "--wavefront", "--prompt", "And the king", "-n", "16", "-r", "1", "--output", "json",
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).report
    #expect(report.plain.passesPerToken == 4 && report.wavefront.passesPerToken <= 4)
    let refused = try LoopedBinary.run(["bench", "--agreement", "0.5"])
    #expect(refused.status == 64 && refused.errors.contains("--wavefront"))
  }

  @Test func modelsHaveNames() throws {
    let outcome = try LoopedBinary.run(["models"])
    #expect(outcome.status == 0 && outcome.output.contains("king-james-bible"))
    let unknown = try LoopedBinary.run(["generate", "--model", "no-such-model", "--prompt", "x"])
    #expect(unknown.status == 1 && unknown.errors.contains("no-such-model"))
  }
}
