import ArgumentParser
import Foundation
import LanguageModel
import Reporting
import Tensors
import Tokenization

struct PerplexityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity", abstract: "Measure how well a model predicts a text, after every loop.",
    discussion: """
      One pass over the text measures every loop, and every exit threshold.

        looped perplexity -m Ouro-1.4B text.txt
        looped perplexity -m Ouro-1.4B text.txt --weights int4 --against bf16
        looped perplexity -m Ouro-1.4B text.txt --exit-threshold 0.5,0.8
      """)

  @OptionGroup var model: ModelOptions

  @Argument(help: "A text file; - reads standard input.")
  var file: String

  @Option(help: ArgumentHelp("Tokens of a window.", valueName: "tokens"))
  var sequenceLength = 512

  @Option(
    help: ArgumentHelp("From one window to the next; the window's length without it.", valueName: "tokens"))
  var stride: Int?

  @Option(help: ArgumentHelp("Only so many tokens of the text.", valueName: "tokens"))
  var maxTokens: Int?

  @Option(help: ArgumentHelp("Also under Q-exit with these thresholds.", valueName: "q,…"))
  var exitThreshold: String?

  @Option(
    help:
      "Also compares with the same model in another format: mean KL divergence, and equal first predictions.")
  var against: WeightMatrix.Format?

  @Flag(help: "One JSON object on standard output.")
  var json = false

  func run() throws {
    let pool = model.pool
    let loaded = try model.load(pool: pool)
    let executor = LoopExecutor(loaded.model, pool: pool)
    let tokens = try text(loaded)
    let thresholds = try self.thresholds
    let scorer = try Perplexity(
      executor,
      .init(
        window: min(sequenceLength, loaded.model.configuration.contextLength), stride: stride,
        policies: thresholds.map { .threshold($0) }))
    Interrupt.install()
    var result: Perplexity.Result?
    var bar = ProgressBar(total: tokens.count, what: "tokens")
    do {
      result = try scorer.score(tokens) { read, soFar in
        result = soFar
        bar.update(read)
        if Interrupt.isRequested { throw CancellationError() }
      }
    } catch is CancellationError {}
    bar.finish()
    guard let result, let last = result.loops.last, last.tokens > 0 else {
      throw CommandError("the text has \(tokens.count) tokens; at least two are needed")
    }
    var divergences: [Divergence] = []
    if let against {
      var options = model
      options.weights = against
      let other = try options.load(pool: pool)
      divergences = try Divergence.reading(
        tokens, window: sequenceLength, reference: LoopExecutor(other.model, pool: pool), other: executor)
    }
    let report = PerplexityReport(
      result: result, divergences: divergences, weights: loaded.model.layers[0].query.format,
      against: against)
    print(json ? try report.json : report.text, terminator: json ? "\n" : "")
  }

  private func text(_ loaded: LoadedModel) throws -> [TokenID] {
    let bytes: [UInt8]
    if file == "-" {
      bytes = Array(FileHandle.standardInput.readDataToEndOfFile())
    } else {
      guard let data = FileManager.default.contents(atPath: file) else {
        throw CommandError("\(file): error: cannot be read")
      }
      bytes = Array(data)
    }
    let tokens = loaded.tokenizer.encode(bytes: bytes)
    return maxTokens.map { Array(tokens.prefix($0)) } ?? tokens
  }

  private var thresholds: [Float] {
    get throws {
      try (exitThreshold ?? "").split(separator: ",").map { word in
        guard let threshold = Float(word), threshold >= 0, threshold <= 1 else {
          throw CommandError("--exit-threshold \(word): give numbers from 0 to 1, separated by commas")
        }
        return threshold
      }
    }
  }
}

/// A perplexity as text and JSON.
struct PerplexityReport {
  let result: Perplexity.Result
  /// One for every loop, if the model was compared with another.
  let divergences: [Divergence]
  let weights: WeightMatrix.Format
  let against: WeightMatrix.Format?

  var text: String {
    var header = ["after", "perplexity", "±", "bits per token", "mean loops"]
    if let against { header += ["KL from \(against.rawValue), nats", "same first token"] }
    var table = TextTable(header: header)
    let comparison = against == nil ? [] : ["", ""]
    for (loop, score) in result.loops.enumerated() {
      var row = cells("loop \(loop + 1)", score, Double(loop + 1))
      if loop < divergences.count {
        row += [
          String(format: "%.5f", divergences[loop].mean),
          String(format: "%.2f %%", divergences[loop].agreement * 100),
        ]
      }
      table.add(row)
    }
    for policy in result.policies {
      table.add(cells(name(policy), policy.score, policy.meanLoops) + comparison)
    }
    let exits = result.exitProbabilities
    let line =
      exits.isEmpty
      ? "" : "exit distribution: " + exits.map { String(format: "%.4f", $0) }.joined(separator: "  ") + "\n"
    return table.text + "\n\(result.loops[0].tokens) tokens scored, weights \(weights.rawValue)\n" + line
  }

  private func cells(_ name: String, _ score: Perplexity.Score, _ loops: Double) -> [String] {
    [
      name, String(format: "%.4f", score.perplexity), String(format: "%.4f", score.standardError),
      String(format: "%.4f", score.mean / log(2)), String(format: "%.2f", loops),
    ]
  }

  private func name(_ policy: Perplexity.PolicyScore) -> String {
    if case .threshold(let q) = policy.policy.rule { return "q = \(q)" }
    return "\(policy.policy.rule)"
  }

  private struct Document: Encodable {
    struct Score: Encodable {
      let loop: Int?
      let exitThreshold: Float?
      let tokens: Int
      let perplexity, standardError, nats, meanLoops: Double
      let divergence, sameFirstToken: Double?
    }
    let weights: String
    let against: String?
    let scores: [Score]
    let exitProbabilities: [Double]
  }

  /// - Throws: what `JSONEncoder` throws.
  var json: String {
    get throws {
      var scores = result.loops.enumerated().map { loop, score in
        Document.Score(
          loop: loop + 1, exitThreshold: nil, tokens: score.tokens, perplexity: score.perplexity,
          standardError: score.standardError, nats: score.mean, meanLoops: Double(loop + 1),
          divergence: loop < divergences.count ? divergences[loop].mean : nil,
          sameFirstToken: loop < divergences.count ? divergences[loop].agreement : nil)
      }
      for policy in result.policies {
        var threshold: Float?
        if case .threshold(let q) = policy.policy.rule { threshold = q }
        scores.append(
          Document.Score(
            loop: nil, exitThreshold: threshold, tokens: policy.score.tokens,
            perplexity: policy.score.perplexity, standardError: policy.score.standardError,
            nats: policy.score.mean, meanLoops: policy.meanLoops, divergence: nil, sameFirstToken: nil))
      }
      let document = Document(
        weights: weights.rawValue, against: against?.rawValue, scores: scores,
        exitProbabilities: result.exitProbabilities)
      return try jsonText(document)
    }
  }
}
