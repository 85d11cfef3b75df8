import Foundation
import Tokenization

/// What a request asks for.
public struct GenerationSettings: Equatable, Sendable {
  public var sampling: SamplingSettings
  public var exit: ExitPolicy
  public var skippedLoops: SkippedLoops
  /// The longest answer, in tokens.
  public var maximumTokens: Int
  /// The answer ends before any of these.
  public var stopStrings: [String]
  /// The answer ends at any of these, which are not part of its text.
  public var endTokens: Set<TokenID>
  /// Tokens of a prompt that are read at once.
  public var prefillChunk: Int

  public init(
    sampling: SamplingSettings = .greedy, exit: ExitPolicy = .fixed(), skippedLoops: SkippedLoops = .copy,
    maximumTokens: Int = 256, stopStrings: [String] = [], endTokens: Set<TokenID> = [],
    prefillChunk: Int = 512
  ) {
    self.sampling = sampling
    self.exit = exit
    self.skippedLoops = skippedLoops
    self.maximumTokens = maximumTokens
    self.stopStrings = stopStrings
    self.endTokens = endTokens
    self.prefillChunk = prefillChunk
  }

  /// - Throws: `SettingError`.
  public func check(_ configuration: ModelConfiguration) throws {
    try sampling.check(vocabularySize: configuration.vocabularySize)
    try exit.check(configuration)
    guard maximumTokens >= 0 else {
      throw SettingError(name: "maximum of tokens", value: "\(maximumTokens)", range: "0 or more")
    }
    guard prefillChunk >= 1 else {
      throw SettingError(name: "prefill chunk", value: "\(prefillChunk)", range: "1 or more")
    }
  }
}

/// One token of an answer.
public struct GeneratedToken: Equatable, Sendable {
  public var id: TokenID
  /// The text that became certain with this token; empty while it is held back.
  public var text: String
  /// By the model's own logits; `nil` unless asked for.
  public var logProbability: Float?
  public var alternatives: [Sampler.Alternative]
  /// How many loops the position ran whose readout chose this token.
  public var loops: Int
  /// p_1 … p_n of those loops; empty without a gate.
  public var exitProbabilities: [Float]
  /// [loop]: what each of those loops would have chosen, the most probable first; empty unless asked for.
  public var predictions: [[Sampler.Alternative]] = []

  public init(
    id: TokenID, text: String, logProbability: Float? = nil, alternatives: [Sampler.Alternative] = [],
    loops: Int,
    exitProbabilities: [Float] = []
  ) {
    self.id = id
    self.text = text
    self.logProbability = logProbability
    self.alternatives = alternatives
    self.loops = loops
    self.exitProbabilities = exitProbabilities
  }
}

/// Why an answer ended.
public enum FinishReason: Equatable, Sendable {
  case endToken(TokenID)
  case stopString(String)
  case maximumTokens
  /// The sequence is as long as its context allows.
  case contextLimit
  case cancelled
}

/// A sign to stop that any thread may give.
public final class CancellationSign: @unchecked Sendable {
  private let lock = NSLock()
  private var given = false

  public init() {}

  public func cancel() { lock.withLock { given = true } }
  public var isCancelled: Bool { lock.withLock { given } }
}

/// A prompt that cannot be run.
public struct PromptError: Error, Equatable, CustomStringConvertible {
  public enum Problem: Equatable, Sendable {
    case empty
    case unknownToken(TokenID, vocabulary: Int)
  }

  public let problem: Problem

  public init(_ problem: Problem) { self.problem = problem }

  public var description: String {
    switch problem {
    case .empty: "the prompt has no tokens: give at least one, such as the model's start or end token"
    case .unknownToken(let token, let vocabulary):
      "the prompt holds the token \(token) and the vocabulary ends at \(vocabulary - 1): it was made by another "
        + "tokenizer"
    }
  }
}
