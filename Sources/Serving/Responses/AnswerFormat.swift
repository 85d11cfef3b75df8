import Foundation
import LanguageModel
import Tokenization

/// How answers look on the wire: whole, or as chunks of a stream.
protocol AnswerFormat: Sendable {
  var job: AnswerJob { get }
  /// The whole response.
  func whole(_ choices: [ChoiceState]) -> Data
  /// What a stream begins with, for every choice.
  func first(_ index: Int) -> Data?
  /// Whether prompts come back before the answer.
  func scored(_ index: Int, _ choice: ChoiceState) -> Data?
  /// A token, with the text that became certain.
  func token(_ index: Int, _ token: GeneratedToken, text: String, of choice: ChoiceState) -> Data?
  /// The end of a choice, with the last text.
  func end(_ index: Int, _ result: InferenceResult, text: String, of choice: ChoiceState) -> [Data]
  /// The chunk without choices.
  func usage(_ choices: [ChoiceState]) -> Data
}

/// What a request has come to: the answers to compute, and what to tell of them.
struct AnswerJob: Sendable {
  var id: String
  var created: Int
  var model: ServedModel
  var generations: [InferenceRequest]
  /// Choices of one prompt.
  var perPrompt: Int
  var usesPrefixes: Bool
  var scoresPrompt: Int?
  var streams: Bool
  var includesUsage: Bool
  var tellsLogProbabilities: Bool
  var traces: Bool

  func report(_ index: Int) -> LoopedReport { LoopedReport(generations[index], model) }

  /// The report of a whole response.
  func report(_ choices: [ChoiceState]) -> LoopedReport {
    var report = report(0)
    report.add(choices.compactMap(\.result))
    if traces { report.tokens = choices[0].tokens.map { TracedToken($0, model) } }
    return report
  }

  /// The report of a chunk with one token.
  func report(_ index: Int, _ token: GeneratedToken) -> LoopedReport? {
    guard traces else { return nil }
    var report = report(index)
    report.tokens = [TracedToken(token, model)]
    return report
  }
}

/// A response or a chunk of one.
struct Envelope<Choice: Encodable>: Encodable {
  var id: String
  var object: String
  var created: Int
  var model: String
  var systemFingerprint: String
  var choices: [Choice]
  /// Absent, null or there.
  var usage: Nullable<Usage>?
  var timings: Timings?
  var looped: LoopedReport?

  private enum CodingKeys: String, CodingKey {
    case id, object, created, model, choices, usage, timings, looped
    case systemFingerprint = "system_fingerprint"
  }

  init(_ job: AnswerJob, object: String, choices: [Choice], looped: LoopedReport? = nil) {
    id = job.id
    self.object = object
    created = job.created
    model = job.model.name
    systemFingerprint = job.model.fingerprint
    self.choices = choices
    self.looped = looped
  }
}

extension AnswerFormat {
  /// A chunk's bytes; with usage wanted, all chunks but the last say null.
  func chunk<Choice: Encodable>(
    _ object: String, _ choice: Choice, looped: LoopedReport? = nil, timings: Timings? = nil
  ) -> Data {
    var envelope = Envelope(job, object: object, choices: [choice], looped: looped)
    envelope.timings = timings
    if job.includesUsage { envelope.usage = Nullable(wrappedValue: nil) }
    return jsonData(envelope)
  }

  func usageChunk<Choice: Encodable>(_ object: String, _: Choice.Type, _ choices: [ChoiceState]) -> Data {
    var envelope = Envelope<Choice>(job, object: object, choices: [])
    envelope.usage = Nullable(wrappedValue: Usage(choices, perPrompt: job.perPrompt))
    return jsonData(envelope)
  }

  func wholeResponse<Choice: Encodable>(
    _ object: String, _ encoded: [Choice], _ choices: [ChoiceState]
  ) -> Data {
    var envelope = Envelope(job, object: object, choices: encoded, looped: job.report(choices))
    envelope.usage = Nullable(wrappedValue: Usage(choices, perPrompt: job.perPrompt))
    envelope.timings = choices.first?.result.map { Timings($0.statistics) }
    return jsonData(envelope)
  }

  /// A choice's own report where there are several.
  func report(_ choice: ChoiceState, _ index: Int) -> LoopedReport? {
    guard job.generations.count > 1 else { return nil }
    var report = job.report(index)
    report.add([choice.result].compactMap { $0 })
    if job.traces { report.tokens = choice.tokens.map { TracedToken($0, job.model) } }
    return report
  }

  func endReport(_ index: Int, _ result: InferenceResult) -> LoopedReport {
    var report = job.report(index)
    report.add([result])
    return report
  }
}
