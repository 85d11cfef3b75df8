/// What a generation cost: the footer under an answer.
public struct GenerationStatistics: Equatable, Sendable {
  /// Tokens of the prompt, with those that a prompt cache already held.
  public var promptTokens = 0
  /// Tokens of the prompt that were not computed again.
  public var cachedTokens = 0
  public var promptSeconds = 0.0
  public var generatedTokens = 0
  public var generationSeconds = 0.0
  /// Passes over the block since the prompt.
  public var passes = 0
  /// Rows of those passes: more than passes where tokens shared them.
  public var rows = 0
  /// Loops of all generated tokens together.
  public var loops = 0
  /// Bytes of keys and values at the end.
  public var cacheBytes = 0

  public init() {}

  public var promptTokensPerSecond: Double {
    promptSeconds > 0 ? Double(promptTokens - cachedTokens) / promptSeconds : 0
  }

  /// The first token comes out of the prompt and is not counted.
  public var tokensPerSecond: Double {
    generationSeconds > 0 ? Double(max(generatedTokens - 1, 0)) / generationSeconds : 0
  }

  public var meanLoops: Double { generatedTokens > 0 ? Double(loops) / Double(generatedTokens) : 0 }
  public var passesPerToken: Double {
    generatedTokens > 1 ? Double(passes) / Double(generatedTokens - 1) : 0
  }
}
