/// What one request cost.
public struct InferenceStatistics: Equatable, Sendable {
  /// The usual footer. `passes` are those in which the request had rows, `rows` its own.
  public var generation = GenerationStatistics()
  /// From the request's arrival until its prompt began to be read.
  public var waitingSeconds = 0.0
  /// Rows of tokens that are in the answer, or in the prompt's end.
  public var usefulRows = 0
  /// Rows of drafts that were wrong or came too late; with the useful ones all rows.
  public var flushedRows = 0
  /// Drafts that ran and were thrown away.
  public var flushes = 0
  /// Rows that were read out.
  public var readouts = 0
  /// [loop - 1]: tokens whose successor was predicted after this loop, before the last.
  public var predicted: [Int] = []
  /// [loop - 1]: how many of these predictions named the token that was chosen.
  public var agreed: [Int] = []
  /// [loop - 1]: tokens whose choice no later loop changed any more; counted where every loop was read.
  public var settled: [Int] = []
  /// Tokens that were drafted from an earlier place of the text.
  public var lookedUp = 0
  public var lookupsAgreed = 0

  public init() {}

  public var passesPerToken: Double { generation.passesPerToken }
  public var rowsPerPass: Double {
    generation.passes > 0 ? Double(generation.rows) / Double(generation.passes) : 0
  }
  /// [loop - 1]: the part of a loop's predictions that were right; `nil` where there were none.
  public var acceptance: [Double?] {
    zip(agreed, predicted).map { $1 > 0 ? Double($0) / Double($1) : nil }
  }
}

/// What an engine did, for all requests together.
public struct EngineStatistics: Equatable, Sendable {
  /// Decoding passes.
  public var passes = 0
  /// Rows of decoding passes.
  public var rows = 0
  public var prefillPasses = 0
  public var prefillRows = 0
  /// Tokens of all answers.
  public var tokens = 0
  public var passSeconds = 0.0
  public var prefillSeconds = 0.0

  public init() {}
}
